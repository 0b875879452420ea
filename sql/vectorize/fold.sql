-- Changes become items. Only here do writers' notes meet the queue's unique key, in a worker's own short transaction.
SET LOCAL ROLE vectorize_owner;
SET LOCAL check_function_bodies = off;  -- files run in the order of their names, and name each other

-- Folds up to `most` changes and returns how many. A key that is queued already moves on to a new version and loses its lease:
-- whoever is embedding it has an old text. An empty key asks for a sweep of all rows.
-- Keys are upserted in their order, so that two workers never wait for each other in a circle.
CREATE OR REPLACE FUNCTION vectorize.fold(job_id integer, after_id bigint, most integer, OUT folded integer, OUT last_id bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    n integer := (SELECT cardinality(key_columns) FROM vectorize.job WHERE id = job_id);
    added integer;
    empty_keys integer;
BEGIN
    -- The sweep before the items: feeders take them in that order too.
    EXECUTE format('DELETE FROM vectorize_jobs.change_%s WHERE k1 IS NULL', job_id);
    GET DIAGNOSTICS empty_keys = ROW_COUNT;
    IF empty_keys > 0 THEN
        -- The rest another time: a restart takes items in an order of its own, and two orders make a circle.
        PERFORM vectorize.restart_sweep(job_id);
        folded := empty_keys;
        last_id := 0;
        RETURN;
    END IF;
    EXECUTE replace(format($q$
        WITH next AS MATERIALIZED (
            SELECT id FROM vectorize_jobs.change_{job} WHERE id > $1 AND k1 IS NOT NULL ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED
        ), taken AS (
            DELETE FROM vectorize_jobs.change_{job} AS c USING next WHERE c.id = next.id RETURNING c.*
        ), queued AS (
            INSERT INTO vectorize_jobs.item_{job} AS i (%1$s, version)
            SELECT %1$s, nextval('vectorize.version') FROM (SELECT DISTINCT %1$s FROM taken ORDER BY %1$s) AS d
            ON CONFLICT (%1$s) DO UPDATE SET version = excluded.version, lease = NULL, attempts = 0, not_before = NULL
            RETURNING xmax = 0 AS added
        )
        SELECT (SELECT count(*) FROM taken), (SELECT coalesce(max(id), 0) FROM taken),
               (SELECT count(*) FROM queued WHERE added)
    $q$, vectorize.key_list(n, 'k%s')), '{job}', job_id::text)
    INTO folded, last_id, added USING after_id, most;
    IF added > 0 THEN
        INSERT INTO vectorize.delta (job, queued) VALUES (job_id, added);
    END IF;
END
$$;

RESET ROLE;
