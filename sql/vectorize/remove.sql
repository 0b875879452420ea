-- Taking a job away.
SET LOCAL ROLE vectorize_owner;
SET LOCAL check_function_bodies = off;  -- files run in the order of their names, and name each other

-- Removes a job with all its generations: triggers, queues and functions. The vectors stay unless told otherwise, and the
-- receipts with them, so that a job defined again under this name pays for nothing that did not change.
CREATE OR REPLACE PROCEDURE vectorize.remove(job text, keep_vectors boolean DEFAULT true)
LANGUAGE plpgsql AS $$
DECLARE
    j vectorize.job := vectorize.job_named(remove.job);
    jobs vectorize.job[] := ARRAY(SELECT r FROM vectorize.job_rows(remove.job) AS r);
BEGIN
    CALL vectorize.take_away(jobs, keep_vectors);
    RAISE NOTICE 'job %: removed, % % its vectors', j.name, vectorize.table_name(j.declared_source), CASE WHEN keep_vectors THEN 'keeps' ELSE 'is without' END;
END
$$;

-- Takes rows of `job` away, generations before the splitter whose table they read, once workers have let go of them. Brief locks,
-- and another try when one is not to be had.
CREATE OR REPLACE PROCEDURE vectorize.take_away(jobs vectorize.job[], keep_vectors boolean)
LANGUAGE plpgsql AS $$
DECLARE
    j vectorize.job;
    owner text;
    me text := pg_catalog.current_setting('role');
    obstacle text;
    done boolean := false;
BEGIN
    FOR attempt IN 1..100 LOOP
        PERFORM vectorize.keep_workers_off(jobs);
        COMMIT;
        PERFORM pg_catalog.pg_sleep(0.1);
        COMMIT;
        EXIT WHEN NOT vectorize.in_hand(jobs);
    END LOOP;
    FOR attempt IN 1..30 LOOP
        BEGIN
            PERFORM pg_catalog.set_config('lock_timeout', '2s', true);
            FOREACH j IN ARRAY jobs LOOP
                SELECT pg_catalog.pg_get_userbyid(c.relowner) INTO owner FROM pg_catalog.pg_class AS c WHERE c.oid = j.source;
                IF NOT keep_vectors AND owner IS NOT NULL AND NOT pg_catalog.pg_has_role(current_user, owner, 'SET') THEN
                    RAISE EXCEPTION 'job %: its vectors belong to %, and % cannot act as it', j.name, owner, current_user USING ERRCODE = 'insufficient_privilege';
                END IF;
                PERFORM vectorize.take_down(j.id, keep_vectors);
                IF NOT keep_vectors AND owner IS NOT NULL AND vectorize.table_name(j.target_table) IS NOT NULL THEN
                    EXECUTE pg_catalog.format('SET LOCAL ROLE %I', owner);
                    EXECUTE CASE j.target WHEN 'column' THEN pg_catalog.format('ALTER TABLE %s DROP COLUMN IF EXISTS %I', j.target_table, j.target_column)
                        ELSE pg_catalog.format('DROP TABLE %s', j.target_table) END;
                    EXECUTE pg_catalog.format('SET LOCAL ROLE %I', me);
                END IF;
            END LOOP;
            done := true;
        EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
            obstacle := sqlerrm;
        END;
        COMMIT;
        EXIT WHEN done;
        PERFORM pg_catalog.pg_sleep(0.1 + pg_catalog.random() * 0.9);
        COMMIT;
    END LOOP;
    IF NOT done THEN
        RAISE EXCEPTION 'job %: gave up after 30 attempts: %', jobs[1].name, obstacle USING ERRCODE = 'lock_not_available';
    END IF;
END
$$;

CREATE OR REPLACE FUNCTION vectorize.keep_workers_off(jobs vectorize.job[]) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    UPDATE vectorize.job SET state = 'paused' WHERE id IN (SELECT j.id FROM unnest(jobs) AS j) AND state = 'active'
$$;

-- Whether a worker that lives holds a batch of them.
CREATE OR REPLACE FUNCTION vectorize.in_hand(jobs vectorize.job[]) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM vectorize.reap(j.id, 0) FROM unnest(jobs) AS j;
    RETURN EXISTS (SELECT FROM vectorize.lease WHERE job IN (SELECT j.id FROM unnest(jobs) AS j));
END
$$;

-- The engine's part: triggers go with their functions.
CREATE OR REPLACE FUNCTION vectorize.take_down(job_id integer, keep_receipts boolean) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET client_min_messages = warning AS $$
DECLARE
    f regprocedure;
BEGIN
    FOR f IN
        SELECT p.oid FROM pg_proc AS p WHERE p.pronamespace = 'vectorize_jobs'::regnamespace
        AND p.proname ~ format('^(sync|truncated|read|scan|sample|lock|write)_%s$', job_id)
    LOOP
        EXECUTE format('DROP FUNCTION %s CASCADE', f);
    END LOOP;
    IF NOT keep_receipts THEN
        PERFORM vectorize.forget(job_id);
        RETURN;
    END IF;
    EXECUTE format('TRUNCATE vectorize_jobs.change_%1$s, vectorize_jobs.item_%1$s, vectorize_jobs.failure_%1$s', job_id);
    DELETE FROM vectorize.doubt AS d WHERE d.job = job_id;
    DELETE FROM vectorize.lease AS l WHERE l.job = job_id;
    INSERT INTO vectorize.delta (job, queued, quarantined)
    SELECT job_id, -sum(queued), -sum(quarantined)
    FROM (SELECT queued, quarantined FROM vectorize.delta WHERE job = job_id UNION ALL SELECT queued, quarantined FROM vectorize.counter WHERE job = job_id) AS c;
    UPDATE vectorize.job SET state = 'removed', reason = NULL WHERE id = job_id;
END
$$;

-- Everything that the engine knows about a job, but for what it spent.
CREATE OR REPLACE FUNCTION vectorize.forget(job_id integer) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    f regprocedure;
BEGIN
    PERFORM vectorize.keep_spend(job_id);
    FOR f IN
        SELECT p.oid FROM pg_proc AS p WHERE p.pronamespace = 'vectorize_jobs'::regnamespace
        AND p.proname ~ format('^(fold|claim|feed|prepare|hold|settle)_%s$', job_id)
    LOOP
        EXECUTE format('DROP FUNCTION %s', f);
    END LOOP;
    CALL vectorize.drop_tables(job_id);
    DELETE FROM vectorize.lease AS l WHERE l.job = job_id;
    DELETE FROM vectorize.delta AS d WHERE d.job = job_id;
    DELETE FROM vectorize.doubt AS d WHERE d.job = job_id;
    DELETE FROM vectorize.job WHERE id = job_id;
END
$$;

RESET ROLE;
