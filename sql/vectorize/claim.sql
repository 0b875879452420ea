-- Claims: a worker takes items under a lease, commits, and only then looks at their rows.
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

-- Claims up to `most` items that are ready, oldest first. `after_version` spares the scan what was seen to be gone.
-- An attempt is charged here, so that a row that kills its worker is not tried for ever.
CREATE OR REPLACE FUNCTION vectorize.claim(
    job_id integer, worker integer, after_version bigint, most integer, lease_seconds integer, OUT lease_id bigint, OUT versions bigint[]
)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    lease_id := nextval('vectorize.version');
    EXECUTE replace($q$
        WITH ready AS MATERIALIZED (
            SELECT version FROM vectorize_jobs.item_{job}
            WHERE version > $1 AND lease IS NULL AND (not_before IS NULL OR not_before <= clock_timestamp())
            ORDER BY version LIMIT $2 FOR UPDATE SKIP LOCKED
        ), claimed AS (
            UPDATE vectorize_jobs.item_{job} AS i SET lease = $3, attempts = attempts + 1 FROM ready WHERE i.version = ready.version RETURNING i.version
        )
        SELECT array_agg(version ORDER BY version) FROM claimed
    $q$, '{job}', job_id::text) INTO versions USING after_version, most, lease_id;
    IF versions IS NOT NULL THEN
        INSERT INTO vectorize.lease (id, job, worker, items, until)
        VALUES (lease_id, job_id, worker, cardinality(versions), clock_timestamp() + make_interval(secs => lease_seconds));
    END IF;
END
$$;

-- The worker still works on the batch, of which `rest` items are left.
CREATE OR REPLACE FUNCTION vectorize.extend(lease_id bigint, rest integer, lease_seconds integer) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    UPDATE vectorize.lease SET until = clock_timestamp() + make_interval(secs => lease_seconds), items = rest WHERE id = lease_id
$$;

-- Gives items back: they can be claimed again. With `refund` the attempt was nobody's fault.
CREATE OR REPLACE FUNCTION vectorize.give_back(job_id integer, lease_id bigint, versions bigint[], refund boolean) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    EXECUTE format('UPDATE vectorize_jobs.item_%s SET lease = NULL, attempts = attempts - $1 WHERE version = ANY ($2) AND lease = $3', job_id)
    USING refund::integer, versions, lease_id;
END
$$;

CREATE OR REPLACE FUNCTION vectorize.end_lease(lease_id bigint) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    DELETE FROM vectorize.lease WHERE id = lease_id
$$;

-- The end of a worker: what it still has in hand goes back to the queue.
CREATE OR REPLACE FUNCTION vectorize.leave(s vectorize.session) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF cardinality(s.hand_leases) > 0 THEN
        EXECUTE format('UPDATE vectorize_jobs.item_%s SET lease = NULL, attempts = attempts - 1 WHERE version = ANY ($1) AND lease = ANY ($2)', s.job)
        USING ARRAY(SELECT r.version FROM unnest(s.hand) AS r), s.hand_leases;
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
    EXECUTE format('UPDATE vectorize_jobs.item_%s SET lease = NULL WHERE lease = ANY ($1)', job_id) USING dead;
    DELETE FROM vectorize.lease AS l WHERE l.id = ANY (dead);
    RETURN cardinality(dead);
END
$$;

RESET ROLE;
