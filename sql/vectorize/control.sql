-- What an administrator does to a job.
SET LOCAL ROLE vectorize_owner;
SET LOCAL check_function_bodies = off;  -- files run in the order of their names, and name each other

CREATE OR REPLACE FUNCTION vectorize.job_named(wanted text) RETURNS vectorize.job
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    j vectorize.job;
BEGIN
    SELECT * INTO j FROM vectorize.job WHERE name = wanted AND state <> 'removed';
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no job %', wanted USING ERRCODE = 'undefined_object',
            HINT = 'Jobs: ' || coalesce((SELECT string_agg(name, ', ' ORDER BY name) FROM vectorize.job WHERE state <> 'removed'), 'none');
    END IF;
    RETURN j;
END
$$;

-- Workers leave the job alone; changes go on being noted.
CREATE OR REPLACE PROCEDURE vectorize.pause(job text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE vectorize.job AS o SET state = 'paused', reason = NULL WHERE o.id = (vectorize.job_named(pause.job)).id;
END
$$;

-- Goes on after a pause or a stop. Refuses while the reason still holds, where that can be seen from here.
CREATE OR REPLACE PROCEDURE vectorize.resume(job text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    j vectorize.job := vectorize.job_named(resume.job);
    why text := vectorize.check_source(j.id);
BEGIN
    IF why IS NOT NULL THEN
        RAISE EXCEPTION 'job % cannot go on: %', j.name, why USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    UPDATE vectorize.deployment AS d SET refused_since = NULL, not_before = NULL, failures_in_a_row = 0 WHERE d.name = j.deployment;
    UPDATE vectorize.job AS o SET state = 'active', reason = NULL WHERE o.id = j.id;
END
$$;

-- Queues the rows in quarantine again. They stay listed until they succeed.
CREATE OR REPLACE PROCEDURE vectorize.retry(job text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    j vectorize.job := vectorize.job_named(retry.job);
    keys text := vectorize.key_list(cardinality(j.key_columns), 'k%s');
    added integer;
BEGIN
    EXECUTE format('INSERT INTO vectorize_jobs.item_%1$s (%2$s, version) SELECT %2$s, nextval(''vectorize.version'') FROM vectorize_jobs.failure_%1$s
        ORDER BY %2$s ON CONFLICT (%2$s) DO NOTHING', j.id, keys);
    GET DIAGNOSTICS added = ROW_COUNT;
    INSERT INTO vectorize.delta (job, queued) VALUES (j.id, added);
    RAISE NOTICE 'job %: % rows of the quarantine are queued again', j.name, added;
END
$$;

-- Embeds every row again, whatever its receipt says.
CREATE OR REPLACE PROCEDURE vectorize.reembed(job text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    j vectorize.job := vectorize.job_named(reembed.job);
BEGIN
    -- Another fingerprint makes every receipt old; searches go on with the vectors that are there.
    UPDATE vectorize.job AS o
    SET revision = o.revision + 1, fingerprint = vectorize.fingerprint(o.deployment, o.dimensions, o.template, o.revision + 1)
    WHERE o.id = j.id;
    PERFORM vectorize.restart_sweep(j.id);
END
$$;

RESET ROLE;
