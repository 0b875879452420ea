-- Settling can fail too: a user's trigger raises, a constraint, a deadlock. Its vectors are paid for, so they are kept in hand.
SET LOCAL ROLE vectorize_owner;
SET LOCAL check_function_bodies = off;  -- files run in the order of their names, and name each other

-- Settles results with commits between attempts, but not after the last one, which the caller commits together with the end of
-- the batch. Passing conflicts are tried again, anything else is split until the row at fault is alone, and that one goes to
-- quarantine. Rows that somebody holds go to the worker's hand, and all of them where a lock is in the way that is not of a row: no
-- row is at fault for that, and the worker takes no more meanwhile (work_round). `settled` grows by the items that are done with.
CREATE OR REPLACE PROCEDURE vectorize.settle_results(
    INOUT s vectorize.session, INOUT settled integer, j vectorize.job, lease bigint, results vectorize.result[], vectors vectorize.embedding[]
)
LANGUAGE plpgsql AS $$
DECLARE
    todo integer[] := CASE WHEN pg_catalog.cardinality(results) > 0 THEN ARRAY[1, pg_catalog.cardinality(results)] ELSE '{}' END;
    low integer;
    high integer;
    tries integer := 0;
    outcome record;
    rest bigint[];
    state text;
    error text;
BEGIN
    WHILE pg_catalog.cardinality(todo) > 0 LOOP
        high := todo[pg_catalog.cardinality(todo)];
        low := todo[pg_catalog.cardinality(todo) - 1];
        state := NULL;
        BEGIN
            SELECT * INTO outcome FROM vectorize.settle(j, results[low:high], vectors);
        EXCEPTION WHEN OTHERS THEN
            state := sqlstate;
            error := sqlerrm;
        END;
        IF state IS NULL THEN
            settled := settled + outcome.settled;
            s.written := s.written + coalesce(outcome.written, 0);
            IF pg_catalog.cardinality(outcome.held) > 0 THEN
                CALL vectorize.keep_in_hand(s, lease, results, vectors, outcome.held);
            END IF;
            todo := pg_catalog.trim_array(todo, 2);
            tries := 0;
            EXIT WHEN pg_catalog.cardinality(todo) = 0;
            COMMIT;
            CONTINUE;
        END IF;
        COMMIT;
        IF state IN ('40P01', '40001') AND tries < 5 THEN
            tries := tries + 1;
            PERFORM pg_catalog.pg_sleep(0.05 * tries);
            COMMIT;
            CONTINUE;
        ELSIF state IN ('40P01', '55P03') THEN
            rest := ARRAY(SELECT r.version FROM pg_catalog.unnest(results[low:]) AS r);
            CALL vectorize.keep_in_hand(s, lease, results, vectors, rest);
            PERFORM vectorize.note_error(s.job, error);
            COMMIT;
            s.pause := 1;
            RETURN;
        END IF;
        tries := 0;
        IF state ~ '^(42|3F|0A|55000)' THEN
            -- Nothing that one row could be blamed for: a trigger of the source calls what is not there, or a right is missing.
            PERFORM vectorize.stop(s.job, pg_catalog.format('writing the %s failed: %s. Correct it, then CALL vectorize.resume', CASE j.operation WHEN 'embed' THEN 'vectors' WHEN 'split' THEN 'chunks' ELSE 'values' END, error));
            COMMIT;
            RETURN;
        ELSIF low < high THEN
            todo := pg_catalog.trim_array(todo, 2) || ARRAY[(low + high) / 2 + 1, high, low, (low + high) / 2];
            CONTINUE;
        ELSIF results[low].outcome <> 'kept' THEN
            -- First with removing the vector that is there; where the same trigger forbids that too, without.
            results[low] := ROW(results[low].version, CASE WHEN results[low].outcome = 'failed' THEN 'kept' ELSE 'failed' END,
                                results[low].digest, NULL, error, NULL, results[low].pieces, results[low].value)::vectorize.result;
        ELSE
            todo := pg_catalog.trim_array(todo, 2);
        END IF;
        PERFORM vectorize.note_error(s.job, error);
        COMMIT;
    END LOOP;
END
$$;

-- Those of the results whose versions are `held` stay with the worker, with their vectors, and their lease with them.
CREATE OR REPLACE PROCEDURE vectorize.keep_in_hand(
    INOUT s vectorize.session, lease bigint, results vectorize.result[], vectors vectorize.embedding[], held bigint[]
)
LANGUAGE plpgsql AS $$
BEGIN
    s.hand := s.hand || ARRAY(
        SELECT ROW(r.version, r.outcome, r.digest, coalesce(r.embedding, (vectors[r.input]).vector), r.error, NULL, r.pieces, r.value)::vectorize.result
        FROM pg_catalog.unnest(results) AS r WHERE r.version = ANY (held));
    s.hand_leases := s.hand_leases || CASE WHEN lease = ANY (s.hand_leases) THEN '{}'::bigint[] ELSE ARRAY[lease] END;
END
$$;

-- What is paid for is not given up for a lock that lasts a moment, such as that of another job's worker on the same row: a second
-- beyond the worker's time at most.
CREATE OR REPLACE PROCEDURE vectorize.settle_rest(INOUT s vectorize.session)
LANGUAGE plpgsql AS $$
DECLARE
    j vectorize.job;
    until timestamptz := pg_catalog.clock_timestamp() + interval '1 second';
BEGIN
    WHILE pg_catalog.cardinality(s.hand) > 0 AND pg_catalog.clock_timestamp() < until LOOP
        SELECT * INTO j FROM vectorize.job AS o WHERE o.id = s.job;
        EXIT WHEN (j.state IN ('active', 'paused')) IS NOT TRUE;
        CALL vectorize.settle_hand(s, j);
        EXIT WHEN pg_catalog.cardinality(s.hand) = 0;
        PERFORM pg_catalog.pg_sleep(0.05);
        COMMIT;
    END LOOP;
END
$$;

-- Settles what is in hand again; when nothing is left of it, its leases end.
CREATE OR REPLACE PROCEDURE vectorize.settle_hand(INOUT s vectorize.session, j vectorize.job)
LANGUAGE plpgsql AS $$
DECLARE
    hand vectorize.result[] := s.hand;
    leases bigint[] := s.hand_leases;
    lease bigint;
    settled integer := 0;
BEGIN
    s.hand := '{}';
    CALL vectorize.settle_results(s, settled, j, leases[1], hand, NULL);
    COMMIT;  -- as at the end of a batch: giving back waits for items that others are folding
    s.hand_leases := CASE WHEN pg_catalog.cardinality(s.hand) > 0 THEN leases ELSE '{}' END;
    IF pg_catalog.cardinality(s.hand) = 0 THEN
        FOREACH lease IN ARRAY leases LOOP
            PERFORM vectorize.give_back(s.job, lease, ARRAY(SELECT r.version FROM pg_catalog.unnest(hand) AS r));
            PERFORM vectorize.end_lease(lease);
        END LOOP;
    END IF;
    COMMIT;
END
$$;

RESET ROLE;
