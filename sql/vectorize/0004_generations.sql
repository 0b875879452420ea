-- Generations and chunks. A row of `job` becomes one generation of a job: one model's vectors, with its own target, triggers,
-- queue and receipts. A chunked job has one more row, its splitter, whose target is the table that its generations read.
SET LOCAL ROLE vectorize_owner;

ALTER TABLE vectorize.job DROP CONSTRAINT job_name_key;
ALTER TABLE vectorize.job
    ADD COLUMN stage text NOT NULL DEFAULT 'embed' CHECK (stage IN ('embed', 'split')),
    -- current: searches use it. next: being filled beside it. previous: kept, its changes noted, nothing spent on it.
    ADD COLUMN standing text NOT NULL DEFAULT 'current' CHECK (standing IN ('current', 'next', 'previous')),
    ADD COLUMN declared_source regclass,  -- what the definition names; `source` is the chunk table where there is one
    ADD COLUMN declared_column text,      -- the same of the target column, which has a number from the second generation on
    ADD COLUMN chunk_tokens integer CHECK (chunk_tokens > 0),
    ADD COLUMN chunk_overlap integer CHECK (chunk_overlap >= 0),
    ADD COLUMN swept_at timestamptz,      -- when the walk over its rows was seen to be over
    ADD COLUMN caught_up_at timestamptz,  -- when all that was queued before that was seen to be done
    ADD COLUMN switched_at timestamptz;   -- when it last became current, or stopped being it
UPDATE vectorize.job SET declared_source = source, declared_column = target_column;
ALTER TABLE vectorize.job ALTER COLUMN declared_source SET NOT NULL, ALTER COLUMN declared_column SET NOT NULL;

CREATE UNIQUE INDEX job_current ON vectorize.job (name) WHERE stage = 'embed' AND standing = 'current';
CREATE UNIQUE INDEX job_next ON vectorize.job (name) WHERE stage = 'embed' AND standing = 'next';
CREATE UNIQUE INDEX job_splitter ON vectorize.job (name) WHERE stage = 'split';
CREATE UNIQUE INDEX job_generation ON vectorize.job (name, generation) WHERE stage = 'embed';

-- What a splitter found in a row's text, from render to settle.
ALTER TYPE vectorize.result ADD ATTRIBUTE pieces text[];

-- Replaced by others, or with other results now; on a new database they were never there.
SET LOCAL client_min_messages = warning;
DROP VIEW IF EXISTS vectorize.status;
DROP FUNCTION IF EXISTS vectorize.status_rows();
DROP FUNCTION IF EXISTS vectorize.record_job(jsonb, regclass);
DROP FUNCTION IF EXISTS vectorize.finish_job(integer, vectorize.job, boolean);
DROP PROCEDURE IF EXISTS vectorize.open_schema(vectorize.job, text);
DROP PROCEDURE IF EXISTS vectorize.close_schema(vectorize.job, text);
DROP FUNCTION IF EXISTS vectorize.index_name(vectorize.job);
DROP FUNCTION IF EXISTS vectorize.key_problems(oid, text[]);
DROP FUNCTION IF EXISTS vectorize.source_facts(integer, oid, text[], text, oid, text);
DROP PROCEDURE IF EXISTS vectorize.apply(jsonb, text[]);

RESET ROLE;
