-- Settle: vectors are written, receipts kept, items dropped, in one transaction.
SET LOCAL ROLE vectorize_owner;
SET LOCAL check_function_bodies = off;  -- files run in the order of their names, and name each other

-- Settles results. Items that moved on since are left alone: their row changed, and is embedded again.
-- `held` are versions whose rows, or items, somebody else has locked: their vectors stay in hand and are settled again, without
-- a call. (A claim with an older snapshot locks an item for a moment before it sees that it is leased.)
CREATE OR REPLACE FUNCTION vectorize.settle(job_id integer, results vectorize.result[], OUT held bigint[], OUT settled integer, OUT written integer)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '5s' AS $$
DECLARE
    j vectorize.job;
    ready bigint[] := ARRAY(SELECT version FROM unnest(results));
    counts vectorize.delta;
    busy bigint[];
BEGIN
    SELECT * INTO j FROM vectorize.job WHERE id = job_id;
    IF j.target = 'column' THEN
        -- Source row, then item: the other way round deadlocks with a user's update, and the user is the victim.
        SELECT * INTO ready, held FROM vectorize.lock_rows(j, results);
    END IF;
    counts := vectorize.write_results(j, results, ready);
    settled := -counts.queued;
    written := counts.written;
    IF settled < cardinality(ready) THEN
        EXECUTE format('SELECT array_agg(version) FROM vectorize_jobs.item_%s WHERE version = ANY ($1)', job_id) INTO busy USING ready;
        held := held || busy;
    END IF;
    IF counts.queued <> 0 THEN
        INSERT INTO vectorize.delta (job, queued, embedded, empty, quarantined, written)
        VALUES (job_id, counts.queued, counts.embedded, counts.empty, counts.quarantined, counts.written);
    END IF;
END
$$;

-- Locks the rows that will be written. Ready are those whose text is still what was embedded; held are those that somebody
-- else has locked; the rest changed or went away, and stays queued.
CREATE OR REPLACE FUNCTION vectorize.lock_rows(j vectorize.job, results vectorize.result[], OUT ready bigint[], OUT held bigint[])
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    n integer := cardinality(j.key_columns);
    written text[] := '{embed,empty,failed}';
    locked bigint[];
    template text := replace(format($q$
        WITH batch AS MATERIALIZED (
            SELECT r.version, r.digest, %1$s, row_number() OVER () AS ord
            FROM unnest($1) AS r JOIN vectorize_jobs.item_{job} AS i USING (version) WHERE r.outcome = ANY ($2) AND r.version <> ALL ($4)
        ), keys AS (
            SELECT %2$s FROM batch
        )
        SELECT coalesce(array_agg(b.version), '{}'),
               coalesce(array_agg(b.version) FILTER (WHERE b.digest = sha256($3 || convert_to(t.content, 'UTF8'))), '{}')
        FROM keys, vectorize_jobs.{function}_{job}(%3$s) AS t JOIN batch AS b USING (ord)
    $q$, vectorize.key_list(n, 'i.k%s'), vectorize.key_list(n, 'array_agg(k%s ORDER BY ord) AS a%s'), vectorize.key_list(n, 'keys.a%s')), '{job}', j.id::text);
    writable bigint[] := ARRAY(SELECT version FROM unnest(results) WHERE outcome = ANY (written));
BEGIN
    locked := '{}';
    ready := '{}';
    IF cardinality(writable) > 0 THEN
        EXECUTE replace(template, '{function}', 'lock') INTO locked, ready USING results, written, j.fingerprint, '{}'::bigint[];
        IF cardinality(locked) < cardinality(writable) THEN
            EXECUTE replace(template, '{function}', 'read') INTO held USING results, written, j.fingerprint, locked;
        END IF;
    END IF;
    ready := ready || ARRAY(SELECT version FROM unnest(results) WHERE NOT outcome = ANY (written));
END
$$;

-- Drops the items that did not move on, keeps receipts, and writes the vectors as the source's owner. What it returns is the
-- change of the counters. Items that somebody has locked are about to move on, so nothing here waits for another worker.
CREATE OR REPLACE FUNCTION vectorize.write_results(j vectorize.job, results vectorize.result[], ready bigint[]) RETURNS vectorize.delta
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    n integer := cardinality(j.key_columns);
    counts vectorize.delta;
BEGIN
    EXECUTE replace(format($q$
        WITH r AS MATERIALIZED (
            SELECT * FROM unnest($1) WHERE version = ANY ($2)
        ), free AS MATERIALIZED (
            SELECT i.version FROM vectorize_jobs.item_{job} AS i WHERE i.version = ANY ($2) FOR UPDATE SKIP LOCKED
        ), done AS (
            DELETE FROM vectorize_jobs.item_{job} AS i USING r, free
            WHERE i.version = free.version AND r.version = free.version AND i.version = ANY ($2)
            RETURNING %1$s, i.attempts, r.outcome, r.digest, r.embedding, r.error, r.pieces
        ), before AS (
            SELECT d.outcome, t.embedded, f.k1 IS NOT NULL AS failed
            FROM done AS d LEFT JOIN vectorize_jobs.receipt_{job} AS t ON %2$s LEFT JOIN vectorize_jobs.failure_{job} AS f ON %3$s
        ), receipts AS (
            INSERT INTO vectorize_jobs.receipt_{job} AS t (%4$s, digest, embedded)
            SELECT %4$s, digest, outcome = 'embed' FROM done WHERE outcome IN ('embed', 'empty', 'blank')
            ON CONFLICT (%4$s) DO UPDATE SET digest = excluded.digest, embedded = excluded.embedded
        ), cleared AS (
            DELETE FROM vectorize_jobs.receipt_{job} AS t USING done AS d WHERE d.outcome IN ('gone', 'failed', 'kept') AND %2$s
        ), resolved AS (
            DELETE FROM vectorize_jobs.failure_{job} AS f USING done AS d WHERE d.outcome NOT IN ('failed', 'kept') AND %3$s
        ), failures AS (
            INSERT INTO vectorize_jobs.failure_{job} AS f (%4$s, digest, attempts, error)
            SELECT %4$s, digest, attempts, error FROM done WHERE outcome IN ('failed', 'kept')
            ON CONFLICT (%4$s) DO UPDATE SET digest = excluded.digest, attempts = excluded.attempts, error = excluded.error, since = excluded.since
        ), written AS (
            SELECT vectorize_jobs.write_{job}(%5$s, array_agg(%6$s)) AS nothing FROM done
            WHERE outcome IN ('embed', 'empty', 'failed') OR (outcome = 'gone' AND $3 = 'table') HAVING count(*) > 0
        )
        SELECT NULL, NULL, -count(*), count(*) FILTER (WHERE outcome = 'embed') - count(*) FILTER (WHERE embedded AND outcome <> 'same'),
            count(*) FILTER (WHERE outcome IN ('empty', 'blank')) - count(*) FILTER (WHERE NOT embedded AND outcome <> 'same'),
            count(*) FILTER (WHERE outcome IN ('failed', 'kept')) - count(*) FILTER (WHERE failed),
            count(*) FILTER (WHERE outcome = 'embed') + 0 * (SELECT count(nothing) FROM written), 0, 0
        FROM before
    $q$, vectorize.key_list(n, 'i.k%s'), vectorize.key_match(j, 't.k{n}', 'd.k{n}'), vectorize.key_match(j, 'f.k{n}', 'd.k{n}'),
        vectorize.key_list(n, 'k%s'), vectorize.key_list(n, 'array_agg(k%s)'),
        format('CASE WHEN outcome = ''embed'' THEN %s END', CASE j.stage WHEN 'split' THEN 'to_jsonb(pieces)'
            ELSE format('CAST(embedding AS %s.%I(%s))', vectorize.vector_schema(), j.type, j.dimensions) END)), '{job}', j.id::text)
    INTO counts USING results, ready, j.target;
    RETURN counts;
END
$$;

RESET ROLE;
