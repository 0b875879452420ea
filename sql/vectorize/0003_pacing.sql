-- One bucket a deployment, which all workers draw from; and what the workers' steps carry from one to the next.
SET LOCAL ROLE vectorize_owner;

-- How much of the quota is left to searches, which do not draw from the bucket: they write nothing, so they cannot.
ALTER TABLE vectorize.deployment ADD COLUMN search_share real NOT NULL DEFAULT 0.02 CHECK (search_share >= 0 AND search_share < 1);
-- When the last failure was counted: calls that were under way then failed for the same cause.
ALTER TABLE vectorize.deployment ADD COLUMN failed_at timestamptz;

-- A page to itself, nearly: every batch updates the row, and it must stay where it is.
CREATE TABLE vectorize.bucket (
    deployment text PRIMARY KEY REFERENCES vectorize.deployment ON DELETE CASCADE,
    tokens     float8 NOT NULL DEFAULT 0,  -- below 0 is debt: the next call waits until it is paid off
    requests   float8 NOT NULL DEFAULT 1,
    at         timestamptz NOT NULL DEFAULT clock_timestamp(),
    rate       real NOT NULL DEFAULT 1,    -- the share of the quota that was allowed at `rate_at`; it creeps back up
    rate_at    timestamptz NOT NULL DEFAULT clock_timestamp()
) WITH (fillfactor = 10);
INSERT INTO vectorize.bucket (deployment) SELECT name FROM vectorize.deployment;

-- A reference is checked by locking the job's row, once a batch and by all workers at once; `forget` deletes these rows itself.
ALTER TABLE vectorize.lease DROP CONSTRAINT lease_job_fkey;
ALTER TABLE vectorize.delta DROP CONSTRAINT delta_job_fkey;

-- Items that can be claimed, which a backfill's never are: they are queued with a lease.
DO $$
DECLARE
    job_id integer;
BEGIN
    FOR job_id IN SELECT id FROM vectorize.job LOOP
        EXECUTE format('CREATE INDEX ON vectorize_jobs.item_%s (version) WHERE lease IS NULL', job_id);
    END LOOP;
END
$$;

-- Which vector of the call's answer is this row's; `embedding` is for those that stay in hand.
ALTER TYPE vectorize.result ADD ATTRIBUTE input integer;

-- A batch as it reads now: what is to be done about each row, and the texts to be sent, each once, with their weights.
CREATE TYPE vectorize.batch AS (
    results    vectorize.result[],
    texts      text[],
    tokens     integer[],
    characters integer[]
);

-- The answer of one call: its vectors in the order of the texts, or what went wrong.
CREATE TYPE vectorize.reply AS (
    embeddings vectorize.embedding[],
    state      text,
    message    text
);

-- How many rows of the source the next page looks at, what a row's text weighs, the seconds for which there is nothing to do,
-- up to where changes had come when the worker looked last, and whether its last call had to wait.
ALTER TYPE vectorize.session ADD ATTRIBUTE page integer;
ALTER TYPE vectorize.session ADD ATTRIBUTE row_tokens float8;
ALTER TYPE vectorize.session ADD ATTRIBUTE pause float8;
ALTER TYPE vectorize.session ADD ATTRIBUTE seen_change bigint;
ALTER TYPE vectorize.session ADD ATTRIBUTE waited boolean;

DROP FUNCTION IF EXISTS vectorize.claim(integer, integer, bigint, integer, integer);
DROP FUNCTION IF EXISTS vectorize.fold(integer, bigint, integer);
DROP FUNCTION IF EXISTS vectorize.feed(integer, integer);
DROP FUNCTION IF EXISTS vectorize.feed_source(integer, integer);
DROP FUNCTION IF EXISTS vectorize.feed_receipts(integer, integer);
DROP FUNCTION IF EXISTS vectorize.prepare(integer, bigint[]);
DROP FUNCTION IF EXISTS vectorize.settle(integer, vectorize.result[]);
DROP FUNCTION IF EXISTS vectorize.lock_rows(vectorize.job, vectorize.result[]);
DROP FUNCTION IF EXISTS vectorize.write_results(vectorize.job, vectorize.result[], bigint[]);
DROP FUNCTION IF EXISTS vectorize.embed(text, text[], integer, integer);
DROP FUNCTION IF EXISTS vectorize.judge(vectorize.job, vectorize.deployment, text, text, bigint);
DROP FUNCTION IF EXISTS vectorize.finish_batch(vectorize.session, bigint, bigint[]);
DROP FUNCTION IF EXISTS vectorize.too_large(integer[]);
DROP FUNCTION IF EXISTS vectorize.back_off(text, float8);
DROP PROCEDURE IF EXISTS vectorize.work_batch(vectorize.session, vectorize.job, vectorize.deployment, bigint, bigint[]);
DROP PROCEDURE IF EXISTS vectorize.settle_results(vectorize.session, bigint, vectorize.result[]);

RESET ROLE;
