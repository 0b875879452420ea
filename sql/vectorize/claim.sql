-- Claims: a worker takes items under a lease, commits, and only then looks at their rows.
SET LOCAL ROLE vectorize_owner;
SET LOCAL check_function_bodies = off;  -- files run in the order of their names, and name each other

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

RESET ROLE;
