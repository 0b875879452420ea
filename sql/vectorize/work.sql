-- Workers: `CALL vectorize.work()`, from any connection, as many as wanted. It commits between steps, so it is a procedure of
-- the caller without settings of its own, every name has its schema, and what needs the engine's rights is in functions.
SET LOCAL ROLE vectorize_owner;
SET LOCAL check_function_bodies = off;  -- files run in the order of their names, and name each other

-- Works on one job (or on all that are active) until nothing is ready or `seconds` have passed; with `linger` only the time
-- ends it. Call it outside a transaction block and with statement_timeout 0, which counts the whole CALL.
CREATE OR REPLACE PROCEDURE vectorize.work(job text DEFAULT NULL, seconds float8 DEFAULT 60, linger boolean DEFAULT false, INOUT report jsonb DEFAULT NULL)
LANGUAGE plpgsql AS $$
DECLARE
    deadline timestamptz := pg_catalog.clock_timestamp() + pg_catalog.make_interval(secs => seconds);
    worker integer;
    s vectorize.session;
    sessions vectorize.session[] := '{}';
    idle boolean;
    pause float8;
    i integer;
BEGIN
    -- Texts are read after their versions, and that takes a snapshot a statement, whatever the role's own default is.
    PERFORM pg_catalog.set_config('default_transaction_isolation', 'read committed', false);
    COMMIT;
    worker := vectorize.enlist();
    PERFORM vectorize.report_progress();  -- here too: where every job is stopped, no round begins
    SELECT coalesce(pg_catalog.array_agg(ROW(j.id, worker, deadline, true, NULL, 0, 0, '{}', '{}', 0, 0, 0, NULL, 0, NULL, true)::vectorize.session ORDER BY j.id), '{}')
    INTO sessions
    FROM vectorize.job AS j WHERE (work.job IS NULL AND j.state = 'active') OR (j.name = work.job AND j.state <> 'removed');
    IF work.job IS NOT NULL AND pg_catalog.cardinality(sessions) = 0 THEN
        RAISE EXCEPTION 'there is no job %', work.job USING ERRCODE = 'undefined_object';
    END IF;
    COMMIT;
    LOOP
        idle := true;
        pause := 1;
        FOR i IN 1..pg_catalog.cardinality(sessions) LOOP
            s := sessions[i];
            CALL vectorize.work_round(s);
            sessions[i] := s;
            idle := idle AND s.idle;
            pause := least(pause, s.pause);
            EXIT WHEN pg_catalog.clock_timestamp() >= deadline;
        END LOOP;
        EXIT WHEN pg_catalog.clock_timestamp() >= deadline OR (idle AND NOT linger);
        IF pause > 0 THEN
            -- No longer than a second, and a commit after it, since sleeping holds a snapshot.
            PERFORM pg_catalog.pg_sleep(least(pause, extract(epoch FROM deadline - pg_catalog.clock_timestamp())));
            COMMIT;
        END IF;
    END LOOP;
    FOR i IN 1..pg_catalog.cardinality(sessions) LOOP
        s := sessions[i];
        CALL vectorize.settle_rest(s);
        PERFORM vectorize.leave(s);
        sessions[i] := s;
    END LOOP;
    PERFORM pg_catalog.pg_advisory_unlock(vectorize.lock_class() + 1, worker);
    report := (SELECT pg_catalog.jsonb_build_object('embedded', coalesce(pg_catalog.sum(x.written), 0), 'requests', coalesce(pg_catalog.sum(x.requests), 0))
               FROM pg_catalog.unnest(sessions) AS x);
    COMMIT;
END
$$;

RESET ROLE;
