-- Counters instead of counts: each step appends what it changed, in its own transaction, so that they are exact.
SET LOCAL ROLE vectorize_owner;
SET LOCAL check_function_bodies = off;  -- files run in the order of their names, and name each other

-- Folds what is older than the minute that rates are taken from.
CREATE OR REPLACE FUNCTION vectorize.fold_counters() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NOT pg_try_advisory_xact_lock(vectorize.lock_class(), 1) THEN
        RETURN;
    END IF;
    WITH old AS (
        DELETE FROM vectorize.delta WHERE at < clock_timestamp() - interval '70 seconds' RETURNING *
    ), sums AS (
        SELECT job, sum(queued) AS queued, sum(embedded) AS embedded, sum(empty) AS empty, sum(quarantined) AS quarantined,
               sum(written) AS written, sum(tokens) AS tokens, sum(requests) AS requests
        FROM old GROUP BY job
    )
    UPDATE vectorize.counter AS c
    SET queued = c.queued + s.queued, embedded = c.embedded + s.embedded, empty = c.empty + s.empty,
        quarantined = c.quarantined + s.quarantined, written = c.written + s.written, tokens = c.tokens + s.tokens, requests = c.requests + s.requests
    FROM sums AS s WHERE c.job = s.job;
END
$$;

-- The tokens that a text is taken for. Without a search path of its own, which would keep it from being inlined; RETURN binds
-- its names when it is made.
CREATE OR REPLACE FUNCTION vectorize.tokens(content text, bytes_per_token real) RETURNS integer
LANGUAGE sql IMMUTABLE
RETURN greatest(1, ceil(octet_length(content) / bytes_per_token))::integer;

RESET ROLE;
