-- The engine's advisory locks, by the halves of their keys. Nobody waits in one but for the counters and a definition, which no session
-- holds that builds an index concurrently: waiting for such a session is a deadlock.
--
--   class, 0          who defines a job
--   class, 1          who folds the counters
--   class, 2          who runs the maintenance that is due
--   class + 1, worker held while the worker lives
--   class + 2, job    who folds the job's changes
--   class + 3, job    who works on a suspect
--   class + 4, job    shared: who works by the job's definition; exclusive: who changes it
SET LOCAL ROLE vectorize_owner;
SET LOCAL check_function_bodies = off;  -- files run in the order of their names, and name each other

-- First half of the advisory locks' keys, "vect" in ASCII: one name space for the engine.
CREATE OR REPLACE FUNCTION vectorize.lock_class() RETURNS integer
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$ SELECT 1986356084 $$;

-- A worker that reads texts or settles does so by one definition: until its transaction ends nobody changes it. Else the texts could be
-- those of the old template under the new one's fingerprint; or the walk for the new one passes a row as queued, since its item is
-- leased, and then that item is settled by the old one. The fingerprint is read after this.
CREATE OR REPLACE FUNCTION vectorize.keep_definition(job_id integer) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(vectorize.lock_class() + 4, job_id);
END
$$;

-- The other side of it: waits for what workers are reading or settling, and keeps them waiting until this transaction ends.
CREATE OR REPLACE FUNCTION vectorize.change_definition(job_id integer) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(vectorize.lock_class() + 4, job_id);
END
$$;

RESET ROLE;
