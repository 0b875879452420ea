-- Leases: which worker has which items, and until when.
SET LOCAL ROLE vectorize_owner;
SET LOCAL check_function_bodies = off;  -- files run in the order of their names, and name each other

-- A number for a worker, and a session lock on it: while the lock is held the worker lives, and its leases hold.
CREATE OR REPLACE FUNCTION vectorize.enlist() RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    worker integer := 1000 + nextval('vectorize.version') % 2000000000;
BEGIN
    PERFORM pg_try_advisory_lock(vectorize.lock_class() + 1, worker);
    RETURN worker;
END
$$;

CREATE OR REPLACE PROCEDURE vectorize.record_lease(s vectorize.session, lease_id bigint, items integer)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
BEGIN
    INSERT INTO vectorize.lease AS l (id, job, worker, items, until)
    VALUES (lease_id, s.job, s.worker, items, clock_timestamp() + make_interval(secs => vectorize.lease_seconds()))
    ON CONFLICT ON CONSTRAINT lease_pkey DO UPDATE SET items = excluded.items, until = excluded.until;
END
$$;

-- Longer than a wait for the quota, the call's own time limit and a minute; a dead worker's leases end sooner (reap).
CREATE OR REPLACE FUNCTION vectorize.lease_seconds() RETURNS integer
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$ SELECT 240 $$;

-- The worker still works on the batch, of which `rest` items are left.
CREATE OR REPLACE FUNCTION vectorize.extend(lease_id bigint, rest integer, lease_seconds integer) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE vectorize.lease SET until = clock_timestamp() + make_interval(secs => lease_seconds), items = rest WHERE id = lease_id;
END
$$;

-- Gives items back: they can be claimed again, and the attempt was nobody's fault.
CREATE OR REPLACE FUNCTION vectorize.give_back(job_id integer, lease_id bigint, versions bigint[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM vectorize.release(job_id, ARRAY[lease_id], versions, false);
END
$$;

-- Takes leases off their items; off all of them, where `versions` is NULL. Items are locked in the order of their keys, as fold
-- locks them, so that two workers never wait for each other in a circle. With `taken` they are another worker's, who may only be
-- slow: their versions move on, so that it settles nothing of what it read, and the attempt stays charged.
CREATE OR REPLACE FUNCTION vectorize.release(job_id integer, leases bigint[], versions bigint[], taken boolean) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    EXECUTE replace(replace($q$
        WITH mine AS MATERIALIZED (
            SELECT version FROM vectorize_jobs.item_{job} WHERE lease = ANY ($1) AND ($2 IS NULL OR version = ANY ($2)) ORDER BY {k} FOR UPDATE
        )
        UPDATE vectorize_jobs.item_{job} AS i
        SET lease = NULL, version = CASE WHEN $3 THEN nextval('vectorize.version') ELSE i.version END, attempts = attempts - CASE WHEN $3 THEN 0 ELSE 1 END
        FROM mine WHERE i.version = mine.version
    $q$, '{k}', vectorize.key_list((SELECT cardinality(j.key_columns) FROM vectorize.job AS j WHERE j.id = job_id), 'k%s')), '{job}', job_id::text)
    USING leases, versions, taken;
END
$$;

CREATE OR REPLACE FUNCTION vectorize.end_lease(lease_id bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    DELETE FROM vectorize.lease WHERE id = lease_id;
END
$$;

-- The end of a worker: what it still has in hand goes back to the queue.
CREATE OR REPLACE FUNCTION vectorize.leave(s vectorize.session) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF cardinality(s.hand_leases) > 0 THEN
        PERFORM vectorize.release(s.job, s.hand_leases, ARRAY(SELECT r.version FROM unnest(s.hand) AS r), false);
        DELETE FROM vectorize.lease AS l WHERE l.id = ANY (s.hand_leases);
    END IF;
END
$$;

-- Takes back the leases of workers that died, or whose time ran out. A worker's session lock tells at once that it died.
CREATE OR REPLACE FUNCTION vectorize.reap(job_id integer, me integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    dead bigint[];
BEGIN
    SELECT array_agg(l.id) INTO dead FROM vectorize.lease AS l
    WHERE l.job = job_id AND l.worker <> me
      AND (l.until < clock_timestamp() OR pg_try_advisory_xact_lock(vectorize.lock_class() + 1, l.worker));
    IF dead IS NULL THEN
        RETURN 0;
    END IF;
    PERFORM vectorize.release(job_id, dead, NULL, true);
    DELETE FROM vectorize.lease AS l WHERE l.id = ANY (dead);
    RETURN cardinality(dead);
END
$$;

RESET ROLE;
