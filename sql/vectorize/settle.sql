-- Settle: vectors, or what else was computed, are written, receipts kept, items dropped, in one transaction.
SET LOCAL ROLE vectorize_owner;
SET LOCAL check_function_bodies = off;  -- files run in the order of their names, and name each other

-- Settles results, of whose vectors those of the call's answer are in `vectors`. Items that moved on since are left alone: their
-- row changed, and is embedded again.
-- `held` are versions whose rows, or items, somebody else has locked: their vectors stay in hand and are settled again, without
-- a call. (A claim with an older snapshot locks an item for a moment before it sees that it is leased.)
CREATE OR REPLACE FUNCTION vectorize.settle(
    j vectorize.job, results vectorize.result[], vectors vectorize.embedding[], OUT held bigint[], OUT settled integer, OUT written integer
)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '5s' AS $$
DECLARE
    ready bigint[] := ARRAY(SELECT version FROM unnest(results));
    counts vectorize.delta;
    busy bigint[];
BEGIN
    settled := 0;
    written := 0;
    PERFORM vectorize.keep_definition(j.id);
    IF j.fingerprint <> (SELECT o.fingerprint FROM vectorize.job AS o WHERE o.id = j.id) THEN
        RETURN;  -- the job was defined anew meanwhile: its items stay, and are embedded by what it says now
    END IF;
    IF j.target = 'column' THEN
        PERFORM set_config('vectorize.writing', j.id::text, true);  -- asked by the job's trigger (rewrite.sql)
        -- Source row, then item: the other way round deadlocks with a user's update, and the user is the victim.
        EXECUTE format('SELECT * FROM vectorize_jobs.hold_%s($1, $2)', j.id) INTO ready, held USING j.fingerprint, results;
    END IF;
    EXECUTE format('SELECT * FROM vectorize_jobs.settle_%s($1, $2, $3)', j.id) INTO counts USING results, ready, vectors;
    settled := -counts.queued;
    written := counts.written;
    IF settled < cardinality(ready) THEN
        EXECUTE format('SELECT array_agg(version) FROM vectorize_jobs.item_%s WHERE version = ANY ($1)', j.id) INTO busy USING ready;
        held := held || busy;
    END IF;
    IF counts.queued <> 0 THEN
        INSERT INTO vectorize.delta (job, queued, embedded, empty, quarantined, written)
        VALUES (j.id, counts.queued, counts.embedded, counts.empty, counts.quarantined, counts.written);
    END IF;
END
$$;

-- Locks the rows that will be written. Ready are those whose text is still what was embedded; held are those that somebody
-- else has locked; the rest changed or went away, and stays queued.
CREATE OR REPLACE FUNCTION vectorize.hold_step() RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$ SELECT $step$
DECLARE
    writable bigint[] := ARRAY(SELECT r.version FROM unnest(results) AS r WHERE r.outcome IN ('embed', 'empty', 'failed'));
    locked bigint[] := '{}';
BEGIN
    ready := '{}';
    IF cardinality(writable) > 0 THEN
        WITH batch AS MATERIALIZED (
            SELECT i.version, {i.k}, row_number() OVER () AS ord FROM vectorize_jobs.item_{job} AS i WHERE i.version = ANY (writable)
        ), keys AS (
            SELECT {arrays} FROM batch
        )
        SELECT coalesce(array_agg(b.version), '{}'), coalesce(array_agg(b.version) FILTER (WHERE r.digest = sha256(fingerprint || convert_to(t.content, 'UTF8'))), '{}')
        INTO locked, ready
        FROM keys, vectorize_jobs.lock_{job}({keys}) AS t JOIN batch AS b ON b.ord = t.ord JOIN unnest(results) AS r ON r.version = b.version;
    END IF;
    IF cardinality(locked) < cardinality(writable) THEN
        WITH batch AS MATERIALIZED (
            SELECT i.version, {i.k}, row_number() OVER () AS ord FROM vectorize_jobs.item_{job} AS i WHERE i.version = ANY (writable) AND i.version <> ALL (locked)
        ), keys AS (
            SELECT {arrays} FROM batch
        )
        SELECT array_agg(b.version) INTO held FROM keys, vectorize_jobs.read_{job}({keys}) AS t JOIN batch AS b ON b.ord = t.ord;
    END IF;
    ready := ready || ARRAY(SELECT r.version FROM unnest(results) AS r WHERE r.outcome NOT IN ('embed', 'empty', 'failed'));
END $step$ $$;

-- Drops the items that did not move on, keeps receipts, and writes the vectors as the source's owner. What it returns is the
-- change of the counters. Items that somebody has locked are about to move on, so nothing here waits for another worker.
CREATE OR REPLACE FUNCTION vectorize.settle_step(j vectorize.job) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$ SELECT replace(replace($step$
DECLARE
    counts vectorize.delta;
BEGIN
    WITH done AS (
        DELETE FROM vectorize_jobs.item_{job} AS i WHERE i.ctid = ANY (ARRAY(
            SELECT n.ctid FROM vectorize_jobs.item_{job} AS n WHERE n.version = ANY (ready) FOR UPDATE SKIP LOCKED))
        RETURNING i.version, {i.k}, i.attempts
    ), d AS MATERIALIZED (
        SELECT {b.k}, b.attempts, r.outcome, r.digest, r.embedding, r.input, r.error, r.pieces, r.value, t.embedded, t.receipt, f.failure
        FROM done AS b JOIN unnest(results) AS r ON r.version = b.version
        LEFT JOIN LATERAL (SELECT r.embedded, r.ctid AS receipt FROM vectorize_jobs.receipt_{job} AS r WHERE {r is b} LIMIT 1) AS t ON true
        LEFT JOIN LATERAL (SELECT f.ctid AS failure FROM vectorize_jobs.failure_{job} AS f WHERE {f is b} LIMIT 1) AS f ON true
    ), receipts AS (
        INSERT INTO vectorize_jobs.receipt_{job} AS t ({k}, digest, embedded)
        SELECT {k}, digest, outcome = 'embed' FROM d WHERE outcome IN ('embed', 'empty', 'blank')
        ON CONFLICT ({k}) DO UPDATE SET digest = excluded.digest, embedded = excluded.embedded
    ), cleared AS (
        DELETE FROM vectorize_jobs.receipt_{job} AS t WHERE t.ctid = ANY (ARRAY(SELECT receipt FROM d WHERE outcome IN ('gone', 'failed', 'kept')))
    ), resolved AS (
        DELETE FROM vectorize_jobs.failure_{job} AS f WHERE f.ctid = ANY (ARRAY(SELECT failure FROM d WHERE outcome NOT IN ('failed', 'kept')))
    ), failures AS (
        INSERT INTO vectorize_jobs.failure_{job} AS f ({k}, digest, attempts, error)
        SELECT {k}, digest, attempts, error FROM d WHERE outcome IN ('failed', 'kept')
        ON CONFLICT ({k}) DO UPDATE SET digest = excluded.digest, attempts = excluded.attempts, error = excluded.error, since = excluded.since
    ), written AS (
        SELECT vectorize_jobs.write_{job}({key arrays},
            array_agg(CASE WHEN outcome = 'embed' THEN {value} END)) AS nothing
        FROM d WHERE outcome IN ('embed', 'empty', 'failed') OR (outcome = 'gone' AND {table}) HAVING count(*) > 0
    )
    SELECT NULL, NULL, -count(*), count(*) FILTER (WHERE outcome = 'embed') - count(*) FILTER (WHERE embedded AND outcome <> 'same'),
        count(*) FILTER (WHERE outcome IN ('empty', 'blank')) - count(*) FILTER (WHERE NOT embedded AND outcome <> 'same'),
        count(*) FILTER (WHERE outcome IN ('failed', 'kept')) - count(*) FILTER (WHERE failure IS NOT NULL),
        count(*) FILTER (WHERE outcome = 'embed') + 0 * (SELECT count(nothing) FROM written), 0, 0
    INTO counts FROM d;
    RETURN counts;
END $step$, '{value}', vectorize.carried_value(j)), '{table}', (j.target = 'table')::text) $$;

RESET ROLE;
