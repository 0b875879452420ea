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

-- What is to be done first, of at most `most` rows: changes, then items that were given back. NULL when there is neither.
CREATE OR REPLACE PROCEDURE vectorize.take(INOUT s vectorize.session, most integer, INOUT lease_id bigint, INOUT versions bigint[])
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    folded record;
    claimed bigint[];
BEGIN
    lease_id := nextval('vectorize.version');
    SELECT * INTO folded FROM vectorize.fold(s.job, s.after_change, s.seen_change, most, lease_id);
    s.after_change := greatest(s.after_change, folded.last_id);
    s.seen_change := folded.newest_id;
    versions := folded.versions;
    IF coalesce(cardinality(versions), 0) < most THEN
        EXECUTE format('SELECT vectorize_jobs.claim_%s($1, $2, $3)', s.job) INTO claimed
        USING s.after_item, most - coalesce(cardinality(versions), 0), lease_id;
        s.after_item := greatest(s.after_item, claimed[cardinality(claimed)]);
        versions := versions || claimed;
    END IF;
    IF versions IS NOT NULL THEN
        CALL vectorize.record_lease(s, lease_id, cardinality(versions));
    END IF;
END
$$;

-- Fills a batch up to `most` rows with a page of the sweep; `more` when the sweep goes on, NULL when this was not the moment to look. A transaction of its own: feeders lock the
-- sweep before items, and folding has locked items.
CREATE OR REPLACE PROCEDURE vectorize.top_up(INOUT s vectorize.session, most integer, lease_id bigint, INOUT versions bigint[], INOUT more boolean)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    fed record;
BEGIN
    -- Somebody is folding: rows that the sweep would find now are about to be queued by their notes too, and to be paid for twice.
    IF NOT pg_try_advisory_lock_shared(vectorize.lock_class() + 2, s.job) THEN
        RETURN;
    END IF;
    PERFORM pg_advisory_unlock_shared(vectorize.lock_class() + 2, s.job);
    SELECT * INTO fed FROM vectorize.feed(s.job, greatest(s.page, most), most - coalesce(cardinality(versions), 0), lease_id);
    more := fed.more;
    IF fed.seen > 0 THEN
        -- Pages grow while most of their rows are up to date, and shrink when they are not.
        s.page := CASE WHEN 2 * fed.queued < fed.seen THEN least(2000, 2 * greatest(s.page, most)) ELSE most END;
    END IF;
    IF fed.versions IS NOT NULL THEN
        versions := versions || fed.versions;
        CALL vectorize.record_lease(s, lease_id, cardinality(versions));
    END IF;
END
$$;

-- One row whose workers died three times. Alone, and only one of a job at a time: whatever it does to its worker, or to the whole
-- server, no other suspect is charged with it.
CREATE OR REPLACE PROCEDURE vectorize.take_suspect(s vectorize.session, INOUT lease_id bigint, INOUT versions bigint[])
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NOT pg_try_advisory_xact_lock(vectorize.lock_class() + 3, s.job) THEN
        RETURN;
    END IF;
    lease_id := nextval('vectorize.version');
    EXECUTE replace($q$
        UPDATE vectorize_jobs.item_{job} SET lease = $1, attempts = attempts + 1, found = pg_snapshot_xmin(pg_current_snapshot())::text::bigint
        WHERE ctid = ANY (ARRAY(
            SELECT ctid FROM vectorize_jobs.item_{job}
            WHERE attempts >= 3 AND lease IS NULL AND (not_before IS NULL OR not_before <= clock_timestamp())
              AND NOT EXISTS (SELECT FROM vectorize_jobs.item_{job} AS o WHERE o.attempts > 3 AND o.lease IS NOT NULL)
            ORDER BY version LIMIT 1 FOR UPDATE SKIP LOCKED))
        RETURNING ARRAY[version]
    $q$, '{job}', s.job::text) INTO versions USING lease_id;
    IF versions IS NOT NULL THEN
        CALL vectorize.record_lease(s, lease_id, 1);
    END IF;
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

-- Claims items that are ready, oldest first. `after_version` spares the scan what was seen to be gone. An attempt is charged here,
-- so that a row that kills its worker is not tried for ever; after three it is a suspect (take_suspect). The text is read later,
-- so notes of transactions that are over by now have nothing to add to it.
CREATE OR REPLACE FUNCTION vectorize.claim_step() RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$ SELECT $step$
DECLARE
    versions bigint[];
BEGIN
    WITH claimed AS (
        UPDATE vectorize_jobs.item_{job} AS i SET lease = new_lease, attempts = i.attempts + 1,
            found = (SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint)  -- once, not for each
        WHERE i.ctid = ANY (ARRAY(
            SELECT n.ctid FROM vectorize_jobs.item_{job} AS n
            WHERE n.version > after_version AND n.lease IS NULL AND n.attempts < 3 AND (n.not_before IS NULL OR n.not_before <= clock_timestamp())
            ORDER BY n.version LIMIT most FOR UPDATE SKIP LOCKED))
        RETURNING i.version
    )
    SELECT array_agg(c.version ORDER BY c.version) INTO versions FROM claimed AS c;
    IF versions IS NOT NULL THEN
        PERFORM set_config('synchronous_commit', 'off', true);  -- lost in a crash, the items are ready again
    END IF;
    RETURN versions;
END $step$ $$;

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
