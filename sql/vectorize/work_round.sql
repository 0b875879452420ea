-- One round of a worker on one job: look around, fold, claim or feed, and work on the batch.
SET LOCAL ROLE vectorize_owner;
SET LOCAL check_function_bodies = off;  -- files run in the order of their names, and name each other

CREATE OR REPLACE PROCEDURE vectorize.work_round(INOUT s vectorize.session)
LANGUAGE plpgsql AS $$
DECLARE
    j vectorize.job;
    d vectorize.deployment;
    folded integer;
    lease bigint;
    versions bigint[];
    fed record;
BEGIN
    s.idle := true;
    IF s.checked_at IS NULL OR s.checked_at < pg_catalog.clock_timestamp() - interval '5 seconds' THEN
        PERFORM vectorize.look_around(s);
        COMMIT;
        s.checked_at := pg_catalog.clock_timestamp();
        s.after_change := 0;
        s.after_item := 0;
    END IF;
    SELECT * INTO j FROM vectorize.job AS o WHERE o.id = s.job AND o.state = 'active';
    IF NOT FOUND THEN
        RETURN;
    END IF;
    IF pg_catalog.cardinality(s.hand) > 0 THEN
        CALL vectorize.settle_hand(s);
    END IF;
    SELECT f.folded, greatest(f.last_id, s.after_change) INTO folded, s.after_change FROM vectorize.fold(s.job, s.after_change, 1000) AS f;
    COMMIT;
    IF j.standing = 'previous' THEN
        RETURN;  -- its changes are noted, and nothing is spent on it
    END IF;
    SELECT * INTO d FROM vectorize.deployment AS o WHERE o.name = j.deployment;
    IF j.stage = 'embed' AND d.not_before > pg_catalog.clock_timestamp() THEN
        -- A second at a time and a commit between, since sleeping holds a snapshot.
        s.idle := d.not_before > s.deadline AND folded = 0;
        PERFORM pg_catalog.pg_sleep(least(1, extract(epoch FROM least(d.not_before, s.deadline) - pg_catalog.clock_timestamp())));
        COMMIT;
        RETURN;
    END IF;
    SELECT c.lease_id, c.versions INTO lease, versions FROM vectorize.claim(s.job, s.worker, s.after_item, j.batch_size, vectorize.lease_seconds()) AS c;
    COMMIT;
    IF versions IS NOT NULL THEN
        s.idle := false;
        s.after_item := versions[1] - 1;
        IF j.stage = 'split' THEN
            CALL vectorize.split_batch(s, j, d, lease, versions);
        ELSE
            CALL vectorize.work_batch(s, j, d, lease, versions);
        END IF;
        RETURN;
    END IF;
    SELECT * INTO fed FROM vectorize.feed(s.job, greatest(1000, 5 * j.batch_size));
    COMMIT;
    IF fed.busy THEN
        PERFORM pg_catalog.pg_sleep(0.01);
        COMMIT;
    END IF;
    s.idle := NOT fed.more AND fed.queued = 0 AND folded = 0 AND s.after_change = 0 AND s.after_item = 0 AND pg_catalog.cardinality(s.hand) = 0;
    IF folded = 0 THEN
        s.after_change := 0;
    END IF;
    s.after_item := 0;
    IF pg_catalog.cardinality(s.hand) > 0 THEN
        PERFORM pg_catalog.pg_sleep(0.1);
        COMMIT;
    END IF;
END
$$;

-- Longer than a wait for the quota, the call's own time limit and a minute; a dead worker's leases end sooner (reap).
CREATE OR REPLACE FUNCTION vectorize.lease_seconds() RETURNS integer
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$ SELECT 240 $$;

-- What every worker sees to now and then: the source, the dead, the counters, its own leases.
CREATE OR REPLACE FUNCTION vectorize.look_around(s vectorize.session) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    why text := vectorize.check_source(s.job);
    held bigint;
BEGIN
    IF why IS NOT NULL THEN
        PERFORM vectorize.stop(s.job, why);
    END IF;
    PERFORM vectorize.switch_if_ready(s.job);
    PERFORM vectorize.reap(s.job, s.worker);
    PERFORM vectorize.fold_counters();
    FOREACH held IN ARRAY s.hand_leases LOOP
        PERFORM vectorize.extend(held, cardinality(s.hand), vectorize.lease_seconds());
    END LOOP;
END
$$;

RESET ROLE;
