-- What every statement of a user passes, and every batch of a worker; and what tells a note from one that came too late to matter.
SET LOCAL ROLE vectorize_owner;
SET LOCAL lock_timeout = '2s';  -- users' inserts wait behind whoever waits for a table of notes; the upgrade is tried again

-- That any row of a job may have changed: a TRUNCATE, or a row that the triggers could not read. Not among the changes, where only
-- an index could find it, which every insert of a user would pay for.
CREATE TABLE vectorize.doubt (
    job integer NOT NULL
);
CREATE INDEX ON vectorize.doubt (job);
ALTER TABLE vectorize.doubt REPLICA IDENTITY FULL;  -- or a publication of all tables would let no worker delete

DO $$
DECLARE
    job_id integer;
    index_name text;
BEGIN
    FOR job_id IN SELECT id FROM vectorize.job LOOP
        EXECUTE format('ALTER TABLE vectorize_jobs.item_%s ADD COLUMN found bigint, ADD COLUMN noted bigint', job_id);
        EXECUTE format('INSERT INTO vectorize.doubt (job) SELECT %1$s FROM vectorize_jobs.change_%1$s WHERE k1 IS NULL LIMIT 1', job_id);
        SELECT i.indexrelid::regclass INTO index_name FROM pg_index AS i
        WHERE i.indrelid = to_regclass('vectorize_jobs.change_' || job_id) AND i.indpred IS NOT NULL;
        IF index_name IS NOT NULL THEN
            EXECUTE 'DROP INDEX ' || index_name;
        END IF;
    END LOOP;
END
$$;

-- The bucket moves with every batch, and a long transaction elsewhere keeps every version of it. The newest comes first in this
-- index; a unique key's check would read all the others each time, so it is the deployment's row that keeps buckets single.
ALTER TABLE vectorize.bucket DROP CONSTRAINT bucket_pkey, ADD COLUMN turn bigint NOT NULL DEFAULT 0;
ALTER TABLE vectorize.bucket RESET (fillfactor);
ALTER TABLE vectorize.bucket REPLICA IDENTITY FULL;
CREATE INDEX ON vectorize.bucket (deployment, turn DESC);

RESET ROLE;
