-- Tables without a key of their own, in a database that publishes all tables: without this no worker could delete from them.
SET LOCAL ROLE vectorize_owner;
-- Users' inserts wait behind whoever waits for a table of notes, while other tables of notes are locked already: so no longer than
-- PostgreSQL takes to look for a deadlock, whose victim might be theirs. The upgrade is tried again.
SET LOCAL lock_timeout = '50ms';

ALTER TABLE vectorize.delta REPLICA IDENTITY FULL;

DO $$
DECLARE
    job_id integer;
BEGIN
    FOR job_id IN SELECT id FROM vectorize.job LOOP
        EXECUTE format('ALTER TABLE vectorize_jobs.change_%s REPLICA IDENTITY FULL', job_id);
        EXECUTE format('ALTER TABLE vectorize_jobs.sweep_%s REPLICA IDENTITY FULL', job_id);
    END LOOP;
END
$$;

RESET ROLE;
