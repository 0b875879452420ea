-- A job's operation: what is computed of a row's text. It was a vector or chunks; now also what a service finds in the text, or what a
-- model answers, which has no dimensions, and of which tokens or the price may not be known.
SET LOCAL ROLE vectorize_owner;
SET LOCAL lock_timeout = '2s';  -- of workers alone; the upgrade is tried again

DROP INDEX vectorize.job_current, vectorize.job_next, vectorize.job_splitter, vectorize.job_generation;
ALTER TABLE vectorize.job RENAME COLUMN stage TO operation;
ALTER TABLE vectorize.job
    DROP CONSTRAINT job_stage_check,
    DROP CONSTRAINT job_type_check,
    ADD COLUMN arguments jsonb NOT NULL DEFAULT '{}',  -- of the operation; they are part of the fingerprint
    ALTER COLUMN dimensions DROP NOT NULL,
    ALTER COLUMN distance DROP NOT NULL,
    ALTER COLUMN deployment DROP NOT NULL;  -- an operation that calls nothing has none
CREATE UNIQUE INDEX job_current ON vectorize.job (name) WHERE operation <> 'split' AND standing = 'current';
CREATE UNIQUE INDEX job_next ON vectorize.job (name) WHERE operation <> 'split' AND standing = 'next';
CREATE UNIQUE INDEX job_splitter ON vectorize.job (name) WHERE operation = 'split';
CREATE UNIQUE INDEX job_generation ON vectorize.job (name, generation) WHERE operation <> 'split';

-- A chat model has no dimensions, a service that is no deployment no tokens either; NULL is a price that is not known.
ALTER TABLE vectorize.deployment
    ALTER COLUMN dimensions DROP NOT NULL, ALTER COLUMN tokens_per_minute DROP NOT NULL, ALTER COLUMN price_per_million_tokens DROP NOT NULL;
ALTER TABLE vectorize.spent ALTER COLUMN cost_usd DROP NOT NULL;

-- What was computed of a row, where it is neither a vector nor chunks; and of a call's texts, in their order.
ALTER TYPE vectorize.result ADD ATTRIBUTE value jsonb;
ALTER TYPE vectorize.reply ADD ATTRIBUTE answers jsonb[];

-- Replaced by others, or with other results now; on a new database they were never there.
SET LOCAL client_min_messages = warning;
DROP VIEW IF EXISTS vectorize.status, vectorize.generations;
DROP FUNCTION IF EXISTS vectorize.status_rows();
DROP FUNCTION IF EXISTS vectorize.job_progress();
DROP FUNCTION IF EXISTS vectorize.fingerprint(text, integer, text, integer);
DROP PROCEDURE IF EXISTS vectorize.split_batch(vectorize.session, vectorize.job, vectorize.deployment, bigint, bigint[]);

RESET ROLE;
