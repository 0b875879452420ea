-- Graphs of age whose vertices and edges are kept like vectors: each label is a job. The trigger's functions are made of the whole
-- job now, since what a row's text is depends on its operation.
SET LOCAL ROLE vectorize_owner;

CREATE TABLE vectorize.graph (
    name       text PRIMARY KEY,
    readers    text[] NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

SET LOCAL client_min_messages = warning;
DROP PROCEDURE IF EXISTS vectorize.generate_sync(integer, oid, text[], text[], text);
DROP FUNCTION IF EXISTS vectorize.sync_function(integer, oid, text[], text[], text);

RESET ROLE;
