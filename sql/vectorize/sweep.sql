-- The walk over all rows: the backfill of a new job, and the comparison of every row with its receipt later on. By key, in
-- pages, one feeder at a time, so that the queue is short however large the table is.
SET LOCAL ROLE vectorize_owner;
SET LOCAL check_function_bodies = off;  -- files run in the order of their names, and name each other

-- Takes one page: how many rows it saw and how many keys it queued, and whether more pages follow. With a lease the first `most` of
-- them are queued under it: in a backfill nobody has to claim them in another statement. Where reading fails the page is halved, down
-- to one row that is queued by its key alone: whoever claims it tells why it cannot be read.
CREATE OR REPLACE FUNCTION vectorize.feed(
    job_id integer, page_size integer, most integer DEFAULT 0, new_lease bigint DEFAULT NULL,
    OUT seen integer, OUT queued integer, OUT versions bigint[], OUT more boolean
)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    size integer := page_size;
BEGIN
    LOOP
        BEGIN
            EXECUTE format('SELECT * FROM vectorize_jobs.feed_%s($1, $2, $3)', job_id) INTO seen, queued, versions, more USING size, most, new_lease;
            EXIT;
        EXCEPTION WHEN OTHERS THEN
            IF vectorize.about_reading(sqlstate) = 'nothing' THEN
                RAISE;
            ELSIF vectorize.about_reading(sqlstate) = 'job' OR size = 0 THEN
                PERFORM vectorize.stop(job_id, vectorize.cannot_be_read((SELECT j FROM vectorize.job AS j WHERE j.id = job_id), sqlerrm));
                seen := 0;
                queued := 0;
                versions := NULL;
                more := false;
                RETURN;
            END IF;
            size := size / 2;
        END;
    END LOOP;
    IF queued > 0 THEN
        INSERT INTO vectorize.delta (job, queued) VALUES (job_id, queued);
    END IF;
END
$$;

-- A page of the source: rows without a receipt, and, when comparing, rows whose text or vector is not that of their receipt;
-- rows in quarantine are left there unless their text changed. Then a page of the receipts: those whose row is gone are queued,
-- and the worker that finds no row clears what is left of it. With a page of 0 it is one row, of which no text is read.
CREATE OR REPLACE FUNCTION vectorize.feed_step() RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$ SELECT $step$
DECLARE
    sweep record;
    fingerprint bytea;
    unread boolean := page_size = 0;
BEGIN
    page_size := greatest(1, page_size);
    seen := 0;
    queued := 0;
    SELECT s.ctid AS place, s.* INTO sweep FROM vectorize_jobs.sweep_{job} AS s;
    more := sweep.phase <> 'done';
    IF NOT more THEN
        RETURN;
    END IF;
    -- Locked, so that feeders follow one another, and a restart of the sweep waits. By its place where it did not move: a long
    -- transaction elsewhere keeps every version of the row, and a search reads them all.
    SELECT s.ctid AS place, s.* INTO sweep FROM vectorize_jobs.sweep_{job} AS s WHERE s.ctid = sweep.place FOR UPDATE;
    IF NOT FOUND THEN
        SELECT s.ctid AS place, s.* INTO sweep FROM vectorize_jobs.sweep_{job} AS s FOR UPDATE;
    END IF;
    PERFORM set_config('synchronous_commit', 'off', true);  -- lost in a crash, the page is walked again
    IF sweep.phase = 'source' THEN
        SELECT j.fingerprint INTO fingerprint FROM vectorize.job AS j WHERE j.id = {job};
        $step$ || vectorize.feed_source_statement() || $step$
        INTO seen, queued, versions, more;
    ELSIF sweep.phase = 'receipts' THEN
        $step$ || vectorize.feed_receipts_statement() || $step$
        INTO seen, queued, versions, more;
    END IF;
END $step$ $$;

CREATE OR REPLACE FUNCTION vectorize.feed_source_statement() RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$ SELECT $step$
        WITH page AS MATERIALIZED (
            SELECT p.*, CASE WHEN sweep.compare THEN sha256(fingerprint || convert_to(p.content, 'UTF8')) END AS digest, row_number() OVER () AS ord
            FROM vectorize_jobs.scan_{job}({sweep.k}, page_size, sweep.compare AND NOT unread) AS p
        ), found AS MATERIALIZED (
            SELECT b.*, r.digest IS NULL AS missing, row_number() OVER (ORDER BY b.ord) AS place
            FROM page AS b
            LEFT JOIN LATERAL (SELECT r.digest, r.embedded FROM vectorize_jobs.receipt_{job} AS r WHERE {r is b} LIMIT 1) AS r ON true
            LEFT JOIN LATERAL (SELECT true AS there, f.digest FROM vectorize_jobs.failure_{job} AS f WHERE {f is b} LIMIT 1) AS f ON true
            WHERE CASE WHEN f.there THEN sweep.compare AND f.digest IS DISTINCT FROM b.digest
                       WHEN r.digest IS NULL THEN true
                       ELSE sweep.compare AND (unread OR r.digest <> b.digest OR r.embedded <> b.stored) END
        ), queued AS (
            INSERT INTO vectorize_jobs.item_{job} AS i ({k}, version, lease, attempts, found)
            SELECT {k}, nextval('vectorize.version'), CASE WHEN place <= most THEN new_lease END,
                   CASE WHEN place <= most AND new_lease IS NOT NULL THEN 1 ELSE 0 END,
                   (SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint)
            FROM found ORDER BY place
            ON CONFLICT ({k}) DO NOTHING RETURNING i.version, i.lease
        ), counts AS (
            SELECT (SELECT count(*) FROM page) AS seen, (SELECT count(*) FROM queued) AS queued,
                   (SELECT count(*) FROM found WHERE missing) AS missing, (SELECT count(*) FROM found WHERE NOT missing) AS stale
        ), moved AS (
            UPDATE vectorize_jobs.sweep_{job} AS s
            SET missing = s.missing + c.missing, stale = s.stale + c.stale, {set s.k},
                phase = CASE WHEN c.seen = page_size THEN 'source' WHEN s.compare THEN 'receipts' ELSE 'done' END
            FROM counts AS c LEFT JOIN page ON page.ord = page_size
            WHERE s.ctid = sweep.place RETURNING s.phase
        )
        SELECT c.seen, c.queued, (SELECT array_agg(q.version ORDER BY q.version) FROM queued AS q WHERE q.lease = new_lease), (SELECT m.phase <> 'done' FROM moved AS m)
        FROM counts AS c
$step$ $$;

CREATE OR REPLACE FUNCTION vectorize.feed_receipts_statement() RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$ SELECT $step$
        WITH page AS MATERIALIZED (
            SELECT {p.k}, row_number() OVER (ORDER BY {p.k}) AS ord
            FROM (
                -- In two, so that each finds its place in the index.
                (SELECT {r.k} FROM vectorize_jobs.receipt_{job} AS r WHERE sweep.k1 IS NULL ORDER BY {r.k} LIMIT page_size)
                UNION ALL
                (SELECT {r.k} FROM vectorize_jobs.receipt_{job} AS r WHERE {r after sweep} ORDER BY {r.k} LIMIT page_size)) AS p ({k})
        ), keys AS (
            SELECT {arrays} FROM page WHERE NOT unread
        ), gone AS (
            SELECT page.*, row_number() OVER (ORDER BY page.ord) AS place FROM page
            WHERE NOT EXISTS (SELECT FROM keys, vectorize_jobs.read_{job}({keys}) AS t WHERE t.ord = page.ord)
        ), queued AS (
            INSERT INTO vectorize_jobs.item_{job} AS i ({k}, version, lease, attempts)
            SELECT {k}, nextval('vectorize.version'), CASE WHEN place <= most THEN new_lease END,
                   CASE WHEN place <= most AND new_lease IS NOT NULL THEN 1 ELSE 0 END
            FROM gone ORDER BY place
            ON CONFLICT ({k}) DO NOTHING RETURNING i.version, i.lease
        ), moved AS (
            UPDATE vectorize_jobs.sweep_{job} AS s
            SET orphaned = s.orphaned + (SELECT count(*) FROM gone WHERE NOT unread), {set s.k},
                phase = CASE WHEN (SELECT count(*) FROM page) = page_size THEN 'receipts' ELSE 'done' END
            FROM (SELECT 1) AS one LEFT JOIN page ON page.ord = page_size
            WHERE s.ctid = sweep.place RETURNING s.phase
        )
        SELECT (SELECT count(*) FROM page), (SELECT count(*) FROM queued),
               (SELECT array_agg(q.version ORDER BY q.version) FROM queued AS q WHERE q.lease = new_lease), (SELECT m.phase <> 'done' FROM moved AS m)
$step$ $$;

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
