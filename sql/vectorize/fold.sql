-- Changes become items. Only here do writers' notes meet the queue's unique key, in a worker's own short transaction.
SET LOCAL ROLE vectorize_owner;
SET LOCAL check_function_bodies = off;  -- files run in the order of their names, and name each other

-- Folds changes: how many, and, with a lease, up to `most` items under it; the others can be claimed. Half of those may be changes
-- after `seen_id`, the others are the oldest: so a change that comes while a million wait does not wait behind them, and they go
-- on too. `last_id` is up to where the oldest were taken, `newest_id` what to give as `seen_id` the next time.
CREATE OR REPLACE FUNCTION vectorize.fold(
    job_id integer, after_id bigint, seen_id bigint, most integer, new_lease bigint,
    OUT folded integer, OUT last_id bigint, OUT newest_id bigint, OUT versions bigint[]
)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    EXECUTE format('SELECT * FROM vectorize_jobs.fold_%s($1, $2, $3, $4)', job_id)
    INTO folded, last_id, newest_id, versions USING after_id, seen_id, most, new_lease;
END
$$;

-- A key that is queued already moves on to a new version and loses its lease: whoever is embedding it has an old text. A doubt
-- asks for a sweep of all rows. Many more of the oldest are taken than one batch needs, since several may be of one key, which
-- would be embedded for each. Keys are upserted in their order, so that two workers never wait for each other in a circle.
CREATE OR REPLACE FUNCTION vectorize.fold_step() RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$ SELECT $step$
DECLARE
    added integer;
    newer tid[] := '{}';
BEGIN
    folded := 0;
    SELECT last_value INTO newest_id FROM vectorize_jobs.change_{job}_id_seq;
    IF NOT EXISTS (SELECT FROM vectorize_jobs.change_{job} WHERE id > after_id) AND NOT EXISTS (SELECT FROM vectorize.doubt WHERE job = {job}) THEN
        RETURN;
    END IF;
    -- One worker at a time: two that had notes of one row would each embed it.
    IF NOT pg_try_advisory_xact_lock(vectorize.lock_class() + 2, {job}) THEN
        RETURN;
    END IF;
    PERFORM set_config('synchronous_commit', 'off', true);  -- lost in a crash, the changes are there again
    -- The sweep before the items: feeders take them in that order too. The other changes another time: a restart takes items in an
    -- order of its own, and two orders make a circle.
    DELETE FROM vectorize.doubt WHERE job = {job};
    IF FOUND THEN
        PERFORM vectorize.sweep_in_doubt({job});
        folded := 1;
        RETURN;
    END IF;
    IF newest_id > seen_id THEN
        newer := ARRAY(
            SELECT n.ctid FROM vectorize_jobs.change_{job} AS n WHERE n.id > seen_id
            ORDER BY n.id LIMIT most / 2 FOR UPDATE SKIP LOCKED);
    END IF;
    WITH present AS (
        SELECT pg_snapshot_xmin(s)::text::bigint AS over,  -- every transaction before this one is
               pg_snapshot_xmax(s)::text::bigint AS xid  -- after every transaction whose notes are seen here
        FROM pg_current_snapshot() AS s
    ), taken AS (
        DELETE FROM vectorize_jobs.change_{job} AS c WHERE c.ctid = ANY (newer || ARRAY(
            SELECT n.ctid FROM vectorize_jobs.change_{job} AS n
            WHERE n.id > after_id AND n.id <= coalesce(seen_id, newest_id)
            ORDER BY n.id LIMIT 20000 FOR UPDATE SKIP LOCKED))
        RETURNING c.*, c.xmin::text::bigint AS writer
    ), keyed AS (
        SELECT {k}, max(p.xid - ((p.xid - t.writer) & 4294967295)) AS noted,  -- with its epoch
            row_number() OVER (ORDER BY coalesce(max(t.id) > seen_id, false) DESC, {k}) <= most AND new_lease IS NOT NULL AS mine
        FROM taken AS t, present AS p WHERE k1 IS NOT NULL GROUP BY {k}
    ), doubted AS (
        INSERT INTO vectorize.doubt (job) SELECT {job} FROM taken AS t WHERE k1 IS NULL LIMIT 1  -- as triggers of an older version note it
    ), queued AS (
        INSERT INTO vectorize_jobs.item_{job} AS i ({k}, version, lease, attempts, found, noted)
        SELECT {k}, nextval('vectorize.version'), CASE WHEN mine THEN new_lease END, mine::integer, p.over, noted FROM keyed, present AS p ORDER BY {k}
        ON CONFLICT ({k}) DO UPDATE SET version = excluded.version, lease = excluded.lease, attempts = excluded.attempts, not_before = NULL,
            found = excluded.found, noted = excluded.noted
            -- That writer was done when the row was found, queued or claimed, and its text is read after that.
            WHERE i.found IS NULL OR i.found <= excluded.noted
        RETURNING i.version, i.lease, xmax = 0 AS added
    )
    SELECT (SELECT count(*) FROM taken), (SELECT max(t.id) FROM taken AS t WHERE t.id <= coalesce(seen_id, newest_id)),
           (SELECT array_agg(q.version ORDER BY q.version) FROM queued AS q WHERE q.lease = new_lease),
           (SELECT count(*) FROM queued AS q WHERE q.added)
    INTO folded, last_id, versions, added;
    IF added > 0 THEN
        INSERT INTO vectorize.delta (job, queued) VALUES ({job}, added);
    END IF;
END $step$ $$;

RESET ROLE;
