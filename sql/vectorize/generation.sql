-- Change of model: a generation is filled beside the one that searches use, then one short transaction switches.
SET LOCAL ROLE vectorize_owner;
SET LOCAL check_function_bodies = off;  -- files run in the order of their names, and name each other

-- Whether every row that was there is done: nothing is queued from before the end of the sweep. What changed since may wait: the
-- queue of a busy table is never empty.
CREATE OR REPLACE FUNCTION vectorize.caught_up(job_id integer) RETURNS boolean
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    j vectorize.job;
    waiting boolean;
BEGIN
    SELECT * INTO j FROM vectorize.job WHERE id = job_id;
    IF j.swept_at IS NULL OR j.caught_up_at IS NOT NULL THEN
        RETURN j.caught_up_at IS NOT NULL;
    END IF;
    EXECUTE format('SELECT EXISTS (SELECT FROM vectorize_jobs.item_%s WHERE queued_at <= $1)', job_id) INTO waiting USING j.swept_at;
    RETURN NOT waiting;
END
$$;

-- What workers see to now and then: how far the sweep and its rows are, and that a generation that is complete becomes current.
CREATE OR REPLACE FUNCTION vectorize.note_progress(job_id integer) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF vectorize.reads_unfinished_chunks(job_id) THEN
        RETURN false;
    END IF;
    UPDATE vectorize.job SET swept_at = clock_timestamp() WHERE id = job_id AND swept_at IS NULL AND NOT vectorize.sweeping(job_id);
    UPDATE vectorize.job SET caught_up_at = clock_timestamp() WHERE id = job_id AND caught_up_at IS NULL AND vectorize.caught_up(job_id);
    RETURN vectorize.switch_if_ready(job_id);
END
$$;

-- Whether the chunks that a generation reads are not all cut yet. The walk that counts begins after that, so it begins anew.
CREATE OR REPLACE FUNCTION vectorize.reads_unfinished_chunks(job_id integer) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    splitter vectorize.job;
    began timestamptz;
BEGIN
    SELECT o.* INTO splitter FROM vectorize.job AS o JOIN vectorize.job AS j ON o.target_table = j.source AND o.operation = 'split'
    WHERE j.id = job_id AND j.operation <> 'split' AND j.swept_at IS NULL;
    IF NOT FOUND THEN
        RETURN false;
    ELSIF NOT vectorize.caught_up(splitter.id) THEN
        RETURN true;
    END IF;
    EXECUTE format('SELECT started_at FROM vectorize_jobs.sweep_%s', job_id) INTO began;
    IF began < splitter.swept_at THEN
        PERFORM vectorize.restart_sweep(job_id);
        RETURN true;
    END IF;
    RETURN false;
END
$$;

CREATE OR REPLACE FUNCTION vectorize.embedded_rows(job_id integer) RETURNS bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT sum(c.embedded)::bigint
    FROM (SELECT d.embedded FROM vectorize.delta AS d WHERE d.job = job_id UNION ALL SELECT o.embedded FROM vectorize.counter AS o WHERE o.job = job_id) AS c
$$;

-- Makes a generation current if it is complete: embedded, its index ready, and the chunks that it reads cut. A search reads one row of `job`, so it sees the one generation or the other, whole.
CREATE OR REPLACE FUNCTION vectorize.switch_if_ready(job_id integer) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    j vectorize.job;
BEGIN
    SELECT * INTO j FROM vectorize.job WHERE id = job_id AND standing = 'next' AND state = 'active' FOR UPDATE SKIP LOCKED;
    IF NOT FOUND OR NOT vectorize.caught_up(j.id)
        -- Without a vector there is nothing to index; the index comes with the first ones.
        OR (vectorize.index_state(j.id) NOT IN ('none', 'ready') AND vectorize.embedded_rows(j.id) > 0)
        OR EXISTS (SELECT FROM vectorize.job AS o WHERE o.target_table = j.source AND o.operation = 'split' AND NOT vectorize.caught_up(o.id))
    THEN
        RETURN false;
    END IF;
    UPDATE vectorize.job SET standing = 'previous', switched_at = clock_timestamp() WHERE name = j.name AND operation <> 'split' AND standing = 'current';
    UPDATE vectorize.job SET standing = 'current', switched_at = clock_timestamp() WHERE id = j.id;
    RETURN true;
END
$$;

-- The same by the job's name; returns the number of the generation that became current, or NULL.
CREATE OR REPLACE FUNCTION vectorize.switch(job text) RETURNS integer
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    -- The splitter first: what reads its chunks waits for it.
    SELECT max(s.generation) FROM (SELECT j.generation, vectorize.note_progress(j.id) AS switched FROM vectorize.job_rows(job) AS j ORDER BY j.operation = 'split' DESC) AS s
    WHERE s.switched
$$;

-- Goes back to the generation before, at once; its vectors are those of the rows that did not change since, and workers embed
-- the others. A definition that still asks for the newer one takes it up again at the next `define`.
CREATE OR REPLACE PROCEDURE vectorize.rollback(job text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    now_current vectorize.job := vectorize.job_named(rollback.job);
    before vectorize.job;
    why text;
BEGIN
    SELECT * INTO before FROM vectorize.job AS o
    WHERE o.name = now_current.name AND o.operation <> 'split' AND o.standing = 'previous' AND o.switched_at IS NOT NULL
    ORDER BY o.switched_at DESC LIMIT 1;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'job %: no earlier generation is kept', now_current.name USING ERRCODE = 'object_not_in_prerequisite_state',
            HINT = 'SELECT * FROM vectorize.generations shows what there is.';
    END IF;
    why := vectorize.check_source(before.id);
    IF why IS NOT NULL OR before.state = 'stopped' THEN
        RAISE EXCEPTION 'job %: generation % cannot be used: %', now_current.name, before.generation, coalesce(why, before.reason)
            USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    UPDATE vectorize.job AS o
    SET standing = 'previous', switched_at = CASE o.standing WHEN 'current' THEN clock_timestamp() ELSE o.switched_at END
    WHERE o.name = now_current.name AND o.operation <> 'split' AND o.standing IN ('current', 'next');
    UPDATE vectorize.job AS o SET standing = 'current', switched_at = clock_timestamp() WHERE o.id = before.id;
    RAISE NOTICE 'job %: generation % is current again, and % is kept', now_current.name, before.generation, now_current.generation;
END
$$;

-- Drops a generation that searches do not use, with its vectors.
CREATE OR REPLACE PROCEDURE vectorize.discard(job text, generation integer)
LANGUAGE plpgsql AS $$
DECLARE
    j vectorize.job;
    place text;
BEGIN
    SELECT * INTO j FROM vectorize.job_rows(discard.job) AS o WHERE o.operation <> 'split' AND o.generation = discard.generation;
    IF NOT FOUND OR j.standing = 'current' THEN
        RAISE EXCEPTION 'job %: generation % %', discard.job, discard.generation, CASE WHEN j.id IS NULL THEN 'is not there' ELSE 'is the one that searches use' END
            USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'SELECT * FROM vectorize.generations shows what there is.';
    END IF;
    place := vectorize.place(j);
    CALL vectorize.take_away(vectorize.with_splitter(j.id), false);
    RAISE NOTICE 'job %: generation % is gone, with %', j.name, j.generation, coalesce(place, 'its table');
END
$$;

-- The row of a generation, and that of the splitter where no other generation reads its chunks.
CREATE OR REPLACE FUNCTION vectorize.with_splitter(job_id integer) RETURNS vectorize.job[]
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT array_agg(o ORDER BY o.operation = 'split') FROM vectorize.job AS j JOIN vectorize.job AS o ON o.id = j.id OR (
        o.operation = 'split' AND o.target_table = j.source
        AND NOT EXISTS (SELECT FROM vectorize.job AS x WHERE x.source = j.source AND x.id <> j.id))
    WHERE j.id = job_id
$$;

RESET ROLE;
