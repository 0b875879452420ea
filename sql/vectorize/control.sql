-- What an administrator does to a job.
SET LOCAL ROLE vectorize_owner;
SET LOCAL check_function_bodies = off;  -- files run in the order of their names, and name each other

-- All rows of a job: its generations, the current one first, and its splitter.
CREATE OR REPLACE FUNCTION vectorize.job_rows(wanted text) RETURNS SETOF vectorize.job
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN QUERY SELECT * FROM vectorize.job AS j WHERE j.name = wanted AND j.state <> 'removed' ORDER BY j.operation = 'split', j.standing, j.generation DESC;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no job %', wanted USING ERRCODE = 'undefined_object',
            HINT = 'Jobs: ' || coalesce((SELECT string_agg(DISTINCT name, ', ' ORDER BY name) FROM vectorize.job WHERE state <> 'removed'), 'none');
    END IF;
END
$$;

-- The generation that searches use.
CREATE OR REPLACE FUNCTION vectorize.job_named(wanted text) RETURNS vectorize.job
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT j FROM vectorize.job_rows(wanted) AS j WHERE j.operation <> 'split' AND j.standing = 'current'
$$;

-- Workers leave the job alone; changes go on being noted.
CREATE OR REPLACE PROCEDURE vectorize.pause(job text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    -- One that stopped keeps its reason.
    UPDATE vectorize.job AS o SET state = 'paused', reason = NULL FROM vectorize.job_rows(pause.job) AS r WHERE o.id = r.id AND o.state <> 'stopped';
END
$$;

-- Goes on after a pause or a stop. Refuses while the reason still holds, where that can be seen from here.
CREATE OR REPLACE PROCEDURE vectorize.resume(job text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    r vectorize.job;
    why text;
BEGIN
    FOR r IN SELECT * FROM vectorize.job_rows(resume.job) LOOP
        why := vectorize.check_source(r.id);
        IF why IS NOT NULL AND NOT vectorize.is_live(r) THEN
            PERFORM vectorize.stop(r.id, why);  -- searches do not use it, so it keeps nobody from going on
            CONTINUE;
        ELSIF why IS NOT NULL THEN
            RAISE EXCEPTION 'job % cannot go on: %', r.name, why USING ERRCODE = 'object_not_in_prerequisite_state';
        END IF;
        UPDATE vectorize.deployment AS d SET refused_since = NULL, not_before = NULL, failures_in_a_row = 0 WHERE d.name = r.deployment;
        UPDATE vectorize.job AS o SET state = 'active', reason = NULL WHERE o.id = r.id;
        IF r.state = 'stopped' THEN
            PERFORM vectorize.doubt_all(r.id);  -- nobody may have noted changes; a walk costs no token
        END IF;
    END LOOP;
END
$$;

-- Whether something is done for it: not a generation that is only kept, nor a splitter that only such ones read.
CREATE OR REPLACE FUNCTION vectorize.is_live(j vectorize.job) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE WHEN j.operation <> 'split' THEN j.standing <> 'previous'
        ELSE EXISTS (SELECT FROM vectorize.job AS o WHERE o.source = j.target_table AND o.operation <> 'split' AND o.standing <> 'previous') END
$$;

-- Queues the rows in quarantine again. They stay listed until they succeed.
CREATE OR REPLACE PROCEDURE vectorize.retry(job text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    r vectorize.job;
    added integer;
    total integer := 0;
BEGIN
    FOR r IN SELECT * FROM vectorize.job_rows(retry.job) AS o WHERE vectorize.is_live(o) LOOP
        EXECUTE format('INSERT INTO vectorize_jobs.item_%1$s (%2$s, version) SELECT %2$s, nextval(''vectorize.version'') FROM vectorize_jobs.failure_%1$s
            ORDER BY %2$s ON CONFLICT (%2$s) DO NOTHING', r.id, vectorize.key_list(cardinality(r.key_columns), 'k%s'));
        GET DIAGNOSTICS added = ROW_COUNT;
        -- Of no text that was tried, so that the same text is tried again.
        EXECUTE format('UPDATE vectorize_jobs.failure_%s SET digest = NULL', r.id);
        INSERT INTO vectorize.delta (job, queued) VALUES (r.id, added);
        total := total + added;
    END LOOP;
    RAISE NOTICE 'job %: % rows of the quarantine are queued again', retry.job, total;
END
$$;

-- Does every row again, whatever its receipt says.
CREATE OR REPLACE PROCEDURE vectorize.reembed(job text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    r vectorize.job;
BEGIN
    FOR r IN SELECT * FROM vectorize.job_rows(reembed.job) AS o WHERE o.operation <> 'split' AND o.standing <> 'previous' LOOP
        -- Another fingerprint makes every receipt old; searches go on with the vectors that are there.
        r.revision := r.revision + 1;
        UPDATE vectorize.job AS o SET revision = r.revision, fingerprint = vectorize.fingerprint(r) WHERE o.id = r.id;
        PERFORM vectorize.change_definition(r.id);
        PERFORM vectorize.restart_sweep(r.id);
    END LOOP;
END
$$;

RESET ROLE;
