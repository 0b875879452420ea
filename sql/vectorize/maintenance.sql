-- The index of a job. CREATE INDEX CONCURRENTLY runs in no function, so the engine says which statement is due, and whoever
-- holds a connection runs it.
SET LOCAL ROLE vectorize_owner;
SET LOCAL check_function_bodies = off;  -- files run in the order of their names, and name each other

-- The name of a job's index on its target, or on a partition of it; other options are another index.
CREATE OR REPLACE FUNCTION vectorize.index_name(j vectorize.job, on_table oid) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT left(c.relname, 22) || '_' || left(j.target_column, 14) || '_' || j.index_method || '_' || left(j.distance, 6) || '_' || j.id
        || CASE WHEN j.index_options = '{}' THEN '' ELSE '_' || left(md5(j.index_options::text), 4) END
    FROM pg_class AS c WHERE c.oid = on_table
$$;

CREATE OR REPLACE FUNCTION vectorize.operator_class(j vectorize.job) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT j.type || CASE j.distance WHEN 'cosine' THEN '_cosine_ops' WHEN 'l2' THEN '_l2_ops' ELSE '_ip_ops' END
$$;

-- Vector indexes on a job's target column. `ours` were made by this engine for this job; `fits` is the kind that it asks for
-- now, with its options where it is ours. An index of that kind that was there before is as good.
CREATE OR REPLACE FUNCTION vectorize.target_indexes(j vectorize.job, on_table oid) RETURNS TABLE (oid oid, name text, valid boolean, ours boolean, fits boolean)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT c.oid, format('%I.%I', n.nspname, c.relname), i.indisvalid, o.ours,
           m.amname = j.index_method AND p.opcname = vectorize.operator_class(j) AND i.indpred IS NULL
           AND (NOT o.ours OR ARRAY(SELECT unnest(c.reloptions) ORDER BY 1) = ARRAY(SELECT e.key || '=' || e.value FROM jsonb_each_text(j.index_options) AS e ORDER BY 1))
    FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace
    JOIN pg_am AS m ON m.oid = c.relam AND m.amname IN ('hnsw', 'ivfflat', 'diskann')
    JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0] AND a.attname = j.target_column
    JOIN pg_opclass AS p ON p.oid = i.indclass[0]
    CROSS JOIN LATERAL (SELECT c.relname ~ format('_%s(_[0-9a-f]{4})?$', j.id)) AS o (ours)
    WHERE i.indrelid = on_table
$$;

-- none | waiting (for coverage) | due | building | invalid (to be dropped and built again) | ready.
CREATE OR REPLACE FUNCTION vectorize.index_state(job_id integer) RETURNS text
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    j vectorize.job;
    valid boolean;
    partitioned boolean;
    sums record;
BEGIN
    SELECT * INTO j FROM vectorize.job WHERE id = job_id;
    IF j.index_method = 'none' THEN
        RETURN 'none';
    END IF;
    SELECT i.valid INTO valid FROM vectorize.target_indexes(j, j.target_table) AS i WHERE i.fits ORDER BY i.valid DESC LIMIT 1;
    IF valid THEN
        RETURN 'ready';
    ELSIF NOT valid THEN
        partitioned := (SELECT c.relkind = 'p' FROM pg_class AS c WHERE c.oid = j.target_table);
        -- The progress view hides other roles' builds; the lock that a concurrent build holds is there for all to see.
        RETURN CASE WHEN EXISTS (SELECT FROM pg_locks AS l WHERE l.relation IN (SELECT j.target_table UNION SELECT relid FROM pg_partition_tree(j.target_table))
                AND l.mode = 'ShareUpdateExclusiveLock' AND l.granted AND l.database = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database()))
            THEN 'building' WHEN partitioned THEN 'due' ELSE 'invalid' END;
    END IF;
    SELECT sum(queued) AS queued, sum(embedded) AS embedded INTO sums
    FROM (SELECT queued, embedded FROM vectorize.delta WHERE job = job_id UNION ALL SELECT queued, embedded FROM vectorize.counter WHERE job = job_id) AS c;
    -- By coverage and not by an empty queue, which a busy table never has.
    RETURN CASE WHEN sums.embedded > 0 AND NOT vectorize.sweeping(job_id) AND sums.embedded >= j.index_coverage * (sums.embedded + sums.queued)
        THEN 'due' ELSE 'waiting' END;
END
$$;

-- Statements that are due, each to be run by itself, outside a transaction block, as the owner of the table; then ask again.
CREATE OR REPLACE FUNCTION vectorize.next_maintenance() RETURNS TABLE (job text, statement text, reason text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    j vectorize.job;
    state text;
    partitioned boolean;
BEGIN
    FOR j IN SELECT o.* FROM vectorize.job AS o WHERE o.state IN ('active', 'paused') AND vectorize.embeds(o) AND o.standing <> 'previous' ORDER BY o.id LOOP
        state := vectorize.index_state(j.id);
        partitioned := (SELECT c.relkind = 'p' FROM pg_class AS c WHERE c.oid = j.target_table);
        IF state IN ('none', 'ready') THEN
            -- That of a partitioned table is not dropped concurrently; its locks are brief.
            RETURN QUERY SELECT j.name, CASE WHEN partitioned THEN 'DROP INDEX ' ELSE 'DROP INDEX CONCURRENTLY ' END || i.name, 'the job asks for another index now, or for none'::text
            FROM vectorize.target_indexes(j, j.target_table) AS i WHERE i.ours AND NOT i.fits;
        ELSIF state IN ('due', 'invalid') AND partitioned THEN
            RETURN QUERY SELECT j.name, s.statement, s.reason FROM vectorize.partition_index_statements(j) AS s LIMIT 1;
        ELSIF state IN ('due', 'invalid') THEN
            RETURN QUERY SELECT j.name, 'DROP INDEX CONCURRENTLY ' || i.name, 'an index build was interrupted'::text
            FROM vectorize.target_indexes(j, j.target_table) AS i WHERE i.ours AND i.fits AND NOT i.valid;
            RETURN QUERY SELECT j.name, vectorize.index_statement(j, j.target_table, ' CONCURRENTLY', ''), 'the declared share of rows is embedded'::text;
        END IF;
    END LOOP;
END
$$;

CREATE OR REPLACE FUNCTION vectorize.index_statement(j vectorize.job, on_table oid, how text, reach text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT format('CREATE INDEX%s %I ON %s%s USING %s (%I %s.%I)%s', how, vectorize.index_name(j, on_table), reach, vectorize.table_name(on_table), j.index_method,
        j.target_column, vectorize.vector_schema(), vectorize.operator_class(j),
        (SELECT ' WITH (' || string_agg(format('%I = %s', o.key, o.value), ', ' ORDER BY o.key) || ')' FROM jsonb_each_text(j.index_options) AS o))
$$;

-- The next steps towards an index on a partitioned table, on which none is built concurrently: an empty one on each table
-- above the leaves, a concurrent one on each leaf, and then each is attached to the one above it, the lowest first.
CREATE OR REPLACE FUNCTION vectorize.partition_index_statements(j vectorize.job) RETURNS TABLE (statement text, reason text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    WITH tree AS (
        SELECT t.relid, t.parentrelid, t.isleaf, t.level, i.oid AS index, i.name, i.valid, h.inhparent IS NOT NULL AS attached
        FROM pg_partition_tree(j.target_table) AS t
        LEFT JOIN LATERAL (
            SELECT * FROM vectorize.target_indexes(j, t.relid) AS x
            WHERE x.fits AND NOT EXISTS (  -- one that belongs to an index with other options above it goes with that
                SELECT FROM pg_inherits AS o JOIN vectorize.target_indexes(j, t.parentrelid) AS p ON p.oid = o.inhparent WHERE o.inhrelid = x.oid AND NOT p.fits)
            ORDER BY x.valid DESC LIMIT 1) AS i ON true
        LEFT JOIN pg_inherits AS h ON h.inhrelid = i.oid
    )
    SELECT s.statement, s.reason FROM (
        SELECT 1 AS step, t.level AS place, vectorize.index_statement(j, t.relid, '', 'ONLY ') AS statement, 'the declared share of rows is embedded' AS reason
        FROM tree AS t WHERE NOT t.isleaf AND t.index IS NULL
        UNION ALL
        SELECT 2, t.level, 'DROP INDEX CONCURRENTLY ' || t.name, 'an index build was interrupted' FROM tree AS t WHERE t.isleaf AND NOT t.valid
        UNION ALL
        SELECT 3, t.level, vectorize.index_statement(j, t.relid, ' CONCURRENTLY', ''), 'a partition has no index yet' FROM tree AS t WHERE t.isleaf AND t.index IS NULL
        UNION ALL
        SELECT 4, -t.level, format('ALTER INDEX %s ATTACH PARTITION %s', p.name, t.name), 'the index of a partition is ready'
        FROM tree AS t JOIN tree AS p ON p.relid = t.parentrelid WHERE NOT t.attached AND t.index IS NOT NULL AND p.index IS NOT NULL
    ) AS s ORDER BY s.step, s.place
$$;

RESET ROLE;
