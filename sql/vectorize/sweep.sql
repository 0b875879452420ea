-- The walk over all rows: the backfill of a new job, and the comparison of every row with its receipt later on. By key, in
-- pages, one feeder at a time, so that the queue is short however large the table is.
SET LOCAL ROLE vectorize_owner;
SET LOCAL check_function_bodies = off;  -- files run in the order of their names, and name each other

-- Takes one page. Returns how many keys it queued, and whether more pages follow; `busy` when another session feeds.
CREATE OR REPLACE FUNCTION vectorize.feed(job_id integer, page integer, OUT queued integer, OUT more boolean, OUT busy boolean)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    phase text;
BEGIN
    queued := 0;
    busy := false;
    EXECUTE format('SELECT phase FROM vectorize_jobs.sweep_%s', job_id) INTO phase;
    more := phase <> 'done';
    IF NOT more THEN
        RETURN;
    END IF;
    IF NOT pg_try_advisory_xact_lock(vectorize.lock_class(), -job_id) THEN
        busy := true;
        RETURN;
    END IF;
    -- Locked, so that a restart of the sweep waits for the page, and read again, since it may have come meanwhile.
    EXECUTE format('SELECT phase FROM vectorize_jobs.sweep_%s FOR UPDATE', job_id) INTO phase;
    IF phase = 'source' THEN
        SELECT * INTO queued, more FROM vectorize.feed_source(job_id, page);
    ELSIF phase = 'receipts' THEN
        SELECT * INTO queued, more FROM vectorize.feed_receipts(job_id, page);
    END IF;
    IF queued > 0 THEN
        INSERT INTO vectorize.delta (job, queued) VALUES (job_id, queued);
    END IF;
END
$$;

-- A page of the source: rows without a receipt, and, when comparing, rows whose text or vector is not that of their receipt.
-- Rows in quarantine are left there unless their text changed.
CREATE OR REPLACE FUNCTION vectorize.feed_source(job_id integer, page integer, OUT queued integer, OUT more boolean)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    j vectorize.job;
    n integer;
    seen integer;
BEGIN
    SELECT * INTO j FROM vectorize.job WHERE id = job_id;
    n := cardinality(j.key_columns);
    EXECUTE replace(format($q$
        WITH page AS MATERIALIZED (
            SELECT p.*, s.compare, CASE WHEN s.compare THEN sha256($1 || convert_to(p.content, 'UTF8')) END AS digest, row_number() OVER () AS ord
            FROM vectorize_jobs.sweep_{job} AS s, vectorize_jobs.scan_{job}(%1$s, $2, s.compare) AS p
        ), found AS (
            SELECT page.*, r.digest IS NULL AS missing
            FROM page
            LEFT JOIN vectorize_jobs.receipt_{job} AS r ON %2$s
            LEFT JOIN vectorize_jobs.failure_{job} AS f ON %3$s
            WHERE CASE WHEN f.k1 IS NOT NULL THEN page.compare AND f.digest IS DISTINCT FROM page.digest
                       WHEN r.k1 IS NULL THEN true
                       ELSE page.compare AND (r.digest <> page.digest OR r.embedded <> page.stored) END
        ), queued AS (
            INSERT INTO vectorize_jobs.item_{job} (%4$s, version) SELECT %4$s, nextval('vectorize.version') FROM found ORDER BY ord
            ON CONFLICT (%4$s) DO NOTHING RETURNING 1
        ), counts AS (
            SELECT (SELECT count(*) FROM page) AS seen, (SELECT count(*) FROM queued) AS queued,
                   (SELECT count(*) FROM found WHERE missing) AS missing, (SELECT count(*) FROM found WHERE NOT missing) AS stale
        ), moved AS (
            UPDATE vectorize_jobs.sweep_{job} AS s
            SET missing = s.missing + c.missing, stale = s.stale + c.stale, %5$s,
                phase = CASE WHEN c.seen = $2 THEN 'source' WHEN s.compare THEN 'receipts' ELSE 'done' END
            FROM counts AS c LEFT JOIN page ON page.ord = $2
        )
        SELECT seen, queued FROM counts
    $q$, vectorize.key_list(n, 's.k%s'), vectorize.key_match(j, 'r.k{n}', 'page.k{n}'), vectorize.key_match(j, 'f.k{n}', 'page.k{n}'),
        vectorize.key_list(n, 'k%s'), vectorize.key_list(n, 'k%s = page.k%s')), '{job}', job_id::text)
    INTO seen, queued USING j.fingerprint, page;
    more := seen = page OR (SELECT vectorize.sweeping(job_id));
END
$$;

-- A page of the receipts: those whose row is gone are queued, and the worker that finds no row clears what is left of it.
CREATE OR REPLACE FUNCTION vectorize.feed_receipts(job_id integer, page integer, OUT queued integer, OUT more boolean)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    j vectorize.job;
    n integer;
    seen integer;
BEGIN
    SELECT * INTO j FROM vectorize.job WHERE id = job_id;
    n := cardinality(j.key_columns);
    EXECUTE replace(format($q$
        WITH page AS MATERIALIZED (
            SELECT %1$s, row_number() OVER (ORDER BY %1$s) AS ord
            FROM (SELECT %2$s FROM vectorize_jobs.sweep_{job} AS s, vectorize_jobs.receipt_{job} AS r
                  WHERE s.k1 IS NULL OR %3$s ORDER BY %2$s LIMIT $1) AS p
        ), keys AS (
            SELECT %4$s FROM page
        ), gone AS (
            SELECT page.* FROM page
            WHERE NOT EXISTS (SELECT FROM keys, vectorize_jobs.read_{job}(%5$s) AS t WHERE t.ord = page.ord)
        ), queued AS (
            INSERT INTO vectorize_jobs.item_{job} (%1$s, version) SELECT %1$s, nextval('vectorize.version') FROM gone ORDER BY ord
            ON CONFLICT (%1$s) DO NOTHING RETURNING 1
        ), moved AS (
            UPDATE vectorize_jobs.sweep_{job} AS s
            SET orphaned = s.orphaned + (SELECT count(*) FROM gone), %6$s,
                phase = CASE WHEN (SELECT count(*) FROM page) = $1 THEN 'receipts' ELSE 'done' END
            FROM (SELECT 1) AS one LEFT JOIN page ON page.ord = $1
        )
        SELECT (SELECT count(*) FROM page), (SELECT count(*) FROM queued)
    $q$, vectorize.key_list(n, 'k%s'), vectorize.key_list(n, 'r.k%s'), vectorize.key_after(j, 'r.k{n}', 's.k{n}'),
        vectorize.key_list(n, 'array_agg(k%s ORDER BY ord) AS a%s'), vectorize.key_list(n, 'keys.a%s'), vectorize.key_list(n, 'k%s = page.k%s')),
        '{job}', job_id::text)
    INTO seen, queued USING page;
    more := seen = page;
END
$$;

CREATE OR REPLACE FUNCTION vectorize.sweeping(job_id integer) RETURNS boolean
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    answer boolean;
BEGIN
    EXECUTE format('SELECT phase <> ''done'' FROM vectorize_jobs.sweep_%s', job_id) INTO answer;
    RETURN answer;
END
$$;

RESET ROLE;
