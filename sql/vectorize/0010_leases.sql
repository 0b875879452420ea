-- Suspects are found by an index; and what takes fewer arguments now, or others.
SET LOCAL ROLE vectorize_owner;
SET LOCAL lock_timeout = '2s';  -- of workers alone; the upgrade is tried again

DO $$
DECLARE
    job_id integer;
BEGIN
    FOR job_id IN SELECT id FROM vectorize.job LOOP
        EXECUTE format('CREATE INDEX ON vectorize_jobs.item_%s (version) WHERE attempts >= 3', job_id);
    END LOOP;
END
$$;

DROP FUNCTION IF EXISTS vectorize.give_back(integer, bigint, bigint[], boolean);
DROP FUNCTION IF EXISTS vectorize.release(integer, bigint[], bigint[], integer);

RESET ROLE;
