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
    RAISE NOTICE 'job %: removed%', j.name, coalesce(', ' || vectorize.table_name(j.declared_source)
        || CASE WHEN keep_vectors THEN ' keeps its vectors' ELSE ' is without its vectors' END, '; its table was gone already');
END
$$;

-- Takes rows of `job` away, generations before the splitter whose table they read, once workers have ended what they hold of them,
-- or after ten seconds: what is out by then is paid for in vain. Brief locks, and another try when one is not to be had.
CREATE OR REPLACE PROCEDURE vectorize.take_away(jobs vectorize.job[], keep_vectors boolean)
LANGUAGE plpgsql AS $$
DECLARE
    j vectorize.job;
    began timestamptz := pg_catalog.clock_timestamp();
    words text;  -- an index that no generation of the job has a use for now
    stranger name;
    obstacle text;
    done boolean := false;
BEGIN
    FOREACH j IN ARRAY jobs LOOP
        stranger := (SELECT o.name FROM pg_catalog.unnest(ARRAY[vectorize.owner_of(j), vectorize.target_owner(j)]) AS o (name)
            WHERE NOT pg_catalog.pg_has_role(current_user, o.name, 'SET') LIMIT 1);
        IF NOT keep_vectors AND stranger IS NOT NULL THEN
            RAISE EXCEPTION 'job %: its vectors belong to %, and % cannot act as it', j.name, stranger, current_user
                USING ERRCODE = 'insufficient_privilege';
        END IF;
    END LOOP;
    PERFORM vectorize.keep_workers_off(jobs);
    COMMIT;
    LOOP
        PERFORM pg_catalog.pg_sleep(0.1);  -- of those too that are about to claim
        COMMIT;
        EXIT WHEN NOT vectorize.in_hand(jobs) OR pg_catalog.clock_timestamp() > began + interval '10 seconds';
        COMMIT;
    END LOOP;
    FOR attempt IN 1..30 LOOP
        BEGIN
            PERFORM pg_catalog.set_config('lock_timeout', '2s', true);
            FOREACH j IN ARRAY jobs LOOP
                IF NOT keep_vectors AND vectorize.in_graph(j) THEN
                    PERFORM vectorize.empty_label(j.id);
                END IF;
                PERFORM vectorize.take_down(j.id, keep_vectors);
                IF NOT keep_vectors AND vectorize.target_owner(j) IS NOT NULL THEN
                    words := (SELECT pg_catalog.string_agg(i.name, ', ') FROM vectorize.words_indexes(j, j.source) AS i WHERE NOT i.wanted);
                    CALL vectorize.run_as(vectorize.owner_of(j), 'DROP INDEX ' || words);
                    CALL vectorize.run_as(vectorize.target_owner(j), CASE j.target
                        WHEN 'column' THEN pg_catalog.format('ALTER TABLE %s DROP COLUMN IF EXISTS %I', j.target_table, j.target_column)
                        ELSE pg_catalog.format('DROP TABLE %s', j.target_table) END);
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
        PERFORM vectorize.let_workers_on(jobs);
        COMMIT;
        RAISE EXCEPTION 'job %: gave up after 30 attempts: %', jobs[1].name, obstacle USING ERRCODE = 'lock_not_available';
    END IF;
END
$$;

-- The owner of a job's source, as whom its vectors are written; NULL where the source is gone.
CREATE OR REPLACE FUNCTION vectorize.owner_of(j vectorize.job) RETURNS name
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$ SELECT pg_get_userbyid(c.relowner) FROM pg_class AS c WHERE c.oid = j.source $$;

-- The owner of the table that its vectors are in, which may outlive the source; NULL where that is gone, and in a graph, where all is
-- the engine's own.
CREATE OR REPLACE FUNCTION vectorize.target_owner(j vectorize.job) RETURNS name
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT pg_get_userbyid(c.relowner) FROM pg_class AS c WHERE c.oid = j.target_table AND NOT vectorize.in_graph(j)
$$;

-- Runs a statement, where there is one, as a role that the caller can act as.
CREATE OR REPLACE PROCEDURE vectorize.run_as(role name, statement text)
LANGUAGE plpgsql AS $$
DECLARE
    me text := pg_catalog.current_setting('role');
BEGIN
    IF statement IS NOT NULL THEN
        EXECUTE pg_catalog.format('SET LOCAL ROLE %I', role);
        EXECUTE statement;
        EXECUTE pg_catalog.format('SET LOCAL ROLE %I', me);
    END IF;
END
$$;

-- The reason tells where a removal was cut off; `resume` brings the job back then.
CREATE OR REPLACE FUNCTION vectorize.keep_workers_off(jobs vectorize.job[]) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    UPDATE vectorize.job SET state = 'paused', reason = 'it is being removed' WHERE id IN (SELECT j.id FROM unnest(jobs) AS j) AND state = 'active'
$$;

CREATE OR REPLACE FUNCTION vectorize.let_workers_on(jobs vectorize.job[]) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    UPDATE vectorize.job AS o SET state = 'active', reason = NULL FROM unnest(jobs) AS j WHERE o.id = j.id AND o.state = 'paused' AND j.state = 'active'
$$;

-- Whether a worker that lives holds a batch of them.
CREATE OR REPLACE FUNCTION vectorize.in_hand(jobs vectorize.job[]) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM vectorize.reap(j.id, 0) FROM unnest(jobs) AS j;
    RETURN EXISTS (SELECT FROM vectorize.lease WHERE job IN (SELECT j.id FROM unnest(jobs) AS j));
END
$$;

-- Functions of a job by the beginnings of their names; triggers go with theirs.
CREATE OR REPLACE FUNCTION vectorize.drop_functions(job_id integer, kinds text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET client_min_messages = warning AS $$
DECLARE
    f regprocedure;
BEGIN
    FOR f IN
        SELECT p.oid FROM pg_proc AS p WHERE p.pronamespace = 'vectorize_jobs'::regnamespace AND p.proname ~ format('^(%s)_%s$', kinds, job_id)
    LOOP
        EXECUTE format('DROP FUNCTION %s CASCADE', f);
    END LOOP;
END
$$;

-- The engine's part.
CREATE OR REPLACE FUNCTION vectorize.take_down(job_id integer, keep_receipts boolean) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET client_min_messages = warning AS $$
BEGIN
    PERFORM vectorize.drop_functions(job_id, 'sync|truncated|read|scan|sample|lock|write');
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
BEGIN
    PERFORM vectorize.keep_spend(job_id);
    -- Its triggers stand where the source is a chunk table, which outlives the table that its chunks were cut from.
    PERFORM vectorize.drop_functions(job_id, '[a-z]+');
    CALL vectorize.drop_tables(job_id);
    DELETE FROM vectorize.lease AS l WHERE l.job = job_id;
    DELETE FROM vectorize.delta AS d WHERE d.job = job_id;
    DELETE FROM vectorize.doubt AS d WHERE d.job = job_id;
    DELETE FROM vectorize.job WHERE id = job_id;
END
$$;

RESET ROLE;
