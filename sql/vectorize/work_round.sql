-- One round of a worker on one job: look around, take a batch, and work on it.
SET LOCAL ROLE vectorize_owner;
SET LOCAL check_function_bodies = off;  -- files run in the order of their names, and name each other

CREATE OR REPLACE PROCEDURE vectorize.work_round(INOUT s vectorize.session)
LANGUAGE plpgsql AS $$
DECLARE
    j vectorize.job;
    d vectorize.deployment;
    calls boolean;  -- whether something is called, so that there is a quota
    wait float8;
    left_seconds float8;
    lease bigint;
    versions bigint[];
    more boolean;
    whole boolean;
    looked boolean := false;
BEGIN
    IF s.page IS NULL THEN
        -- Begun by an older version, whose batch was not settled by this one: it would pay for the same texts again.
        RAISE EXCEPTION 'the engine was upgraded under this worker: CALL vectorize.work again' USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    s.idle := true;
    s.pause := 0.25;
    IF s.checked_at IS NULL OR pg_catalog.clock_timestamp() NOT BETWEEN s.checked_at AND s.checked_at + interval '5 seconds' THEN
        PERFORM vectorize.look_around(s);
        COMMIT;
        s.checked_at := pg_catalog.clock_timestamp();
        looked := true;
        s.after_change := 0;
        s.after_item := 0;
    END IF;
    SELECT * INTO j FROM vectorize.job AS o WHERE o.id = s.job;
    IF j.state IN ('active', 'paused') AND pg_catalog.cardinality(s.hand) > 0 THEN
        CALL vectorize.settle_hand(s, j);  -- these are paid for
        IF s.pause = 1 THEN
            s.idle := false;  -- the lock is still there: more would be paid for, and wait too
            RETURN;
        END IF;
    END IF;
    IF j.state IS DISTINCT FROM 'active' THEN
        RETURN;
    END IF;
    IF j.standing = 'previous' THEN
        CALL vectorize.only_fold(s);
        RETURN;
    END IF;
    SELECT * INTO d FROM vectorize.deployment AS o WHERE o.name = j.deployment;
    calls := vectorize.calls_something(j);
    -- Where the last call had not to wait, this one may try.
    wait := CASE WHEN NOT calls THEN 0 WHEN s.waited THEN vectorize.wait_seconds(d) ELSE vectorize.held_back(d) END;
    left_seconds := extract(epoch FROM s.deadline - pg_catalog.clock_timestamp());
    IF wait > least(1, left_seconds) THEN
        -- Whoever comes within a second of its turn claims and waits for it; nobody else holds rows meanwhile. Changes stay where
        -- they are, in the order in which they came.
        s.idle := wait > left_seconds;
        s.pause := greatest(0.05, wait - 1 + pg_catalog.random() / 2);
        RETURN;
    END IF;
    whole := s.after_change = 0 AND s.after_item = 0;
    CALL vectorize.choose_batch(s, vectorize.batch_rows(j, d, s.row_tokens), looked, lease, versions, more);
    IF versions IS NOT NULL THEN
        s.idle := false;
        s.pause := 0;
        IF calls THEN
            CALL vectorize.work_batch(s, j, d, lease, versions);
        ELSE
            CALL vectorize.work_locally(s, j, d, lease, versions);
        END IF;
        RETURN;
    END IF;
    s.idle := whole AND more IS FALSE AND pg_catalog.cardinality(s.hand) = 0 AND NOT vectorize.waiting(s.job);
    s.pause := CASE WHEN s.idle THEN 0.25 WHEN pg_catalog.cardinality(s.hand) > 0 THEN 0.1 WHEN more THEN 0 ELSE 0.02 END;
    s.after_change := 0;
    s.after_item := 0;
END
$$;

-- The next batch, of at most `most` rows, under a lease: what is queued, filled up by the sweep; where there is neither, a suspect, and
-- with `suspect_first` one before all else, however much there is to do. `more` is top_up's.
CREATE OR REPLACE PROCEDURE vectorize.choose_batch(
    INOUT s vectorize.session, most integer, suspect_first boolean, INOUT lease bigint, INOUT versions bigint[], INOUT more boolean
)
LANGUAGE plpgsql AS $$
BEGIN
    IF suspect_first THEN
        CALL vectorize.take_suspect(s, lease, versions);
        COMMIT;
    END IF;
    IF versions IS NULL THEN
        CALL vectorize.take(s, most, lease, versions);
        COMMIT;
        IF coalesce(pg_catalog.cardinality(versions), 0) < most THEN
            CALL vectorize.top_up(s, most, lease, versions, more);
            COMMIT;
        END IF;
    END IF;
    IF versions IS NULL THEN
        CALL vectorize.take_suspect(s, lease, versions);
        COMMIT;
    END IF;
END
$$;

-- Whether something is there that this round did not get: notes that somebody else is folding, items that he made of them.
CREATE OR REPLACE FUNCTION vectorize.waiting(job_id integer) RETURNS boolean
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    answer boolean;
BEGIN
    EXECUTE replace($q$
        SELECT EXISTS (SELECT FROM vectorize_jobs.change_{job}) OR EXISTS (SELECT FROM vectorize.doubt WHERE job = {job})
            OR EXISTS (SELECT FROM vectorize_jobs.item_{job} WHERE lease IS NULL AND (not_before IS NULL OR not_before <= clock_timestamp()))
    $q$, '{job}', job_id::text) INTO answer;
    RETURN answer;
END
$$;

-- A generation that is only kept: its changes are noted once a key, and nothing is spent on it.
CREATE OR REPLACE PROCEDURE vectorize.only_fold(INOUT s vectorize.session)
LANGUAGE plpgsql AS $$
BEGIN
    s.after_change := coalesce((SELECT f.last_id FROM vectorize.fold(s.job, s.after_change, NULL, 1000, NULL) AS f WHERE f.folded > 0), 0);
    s.idle := s.after_change = 0;
    s.pause := CASE WHEN s.idle THEN 0.25 ELSE 0 END;
    COMMIT;
END
$$;

-- What every worker sees to now and then: the source, the job's own functions, the dead, the counters, the
-- line in the log, its own leases.
CREATE OR REPLACE FUNCTION vectorize.look_around(s vectorize.session) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    why text := vectorize.check_source(s.job);
    held bigint;
BEGIN
    IF why IS NOT NULL THEN
        PERFORM vectorize.stop(s.job, why);
        RETURN;
    END IF;
    PERFORM vectorize.note_progress(s.job);
    PERFORM vectorize.ensure_steps(s.job);
    PERFORM vectorize.reap(s.job, s.worker);
    PERFORM vectorize.fold_counters();
    PERFORM vectorize.report_progress();
    FOREACH held IN ARRAY s.hand_leases LOOP
        PERFORM vectorize.extend(held, cardinality(s.hand), vectorize.lease_seconds());
    END LOOP;
END
$$;

RESET ROLE;
