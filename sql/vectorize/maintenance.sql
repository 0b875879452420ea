-- The indexes of a job: on its vectors, and on the words of its texts. CREATE INDEX CONCURRENTLY runs in no function, so the engine
-- says which statement is due, and whoever holds a connection runs it.
SET LOCAL ROLE vectorize_owner;
SET LOCAL check_function_bodies = off;  -- files run in the order of their names, and name each other

-- The table of an index, which is of the kind `vector` or `text`.
CREATE OR REPLACE FUNCTION vectorize.indexed_table(j vectorize.job, kind text) RETURNS oid
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$ SELECT CASE kind WHEN 'text' THEN j.source ELSE j.target_table END $$;

-- The name of a job's index on its table, or on a partition of it; other options, or other words, are another index. The names of
-- partitions often differ at their ends only.
CREATE OR REPLACE FUNCTION vectorize.index_name(j vectorize.job, kind text, on_table oid) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE kind WHEN 'text' THEN vectorize.words_index_prefix(j) || t.name
        ELSE t.name || '_' || left(j.target_column, 14) || '_' || j.index_method || '_' || left(j.distance, 6) || '_' || j.id
            || CASE WHEN j.index_options = '{}' THEN '' ELSE '_' || left(md5(j.index_options::text), 4) END END
    FROM (SELECT CASE WHEN length(c.relname) <= 22 THEN c.relname::text ELSE left(c.relname, 17) || '_' || left(md5(c.relname), 4) END AS name
          FROM pg_class AS c WHERE c.oid = on_table) AS t
$$;

CREATE OR REPLACE FUNCTION vectorize.operator_class(j vectorize.job) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT j.type || CASE j.distance WHEN 'cosine' THEN '_cosine_ops' WHEN 'l2' THEN '_l2_ops' ELSE '_ip_ops' END
$$;

-- Vector indexes on a job's target column. `ours` were made by this engine for this job; `fits` is the kind that it asks for
-- now, with its options where it is ours. An index of that kind that was there before is as good. `wanted`: a generation of the
-- job asks for it.
CREATE OR REPLACE FUNCTION vectorize.vector_indexes(j vectorize.job, on_table oid) RETURNS TABLE (oid oid, name text, valid boolean, ours boolean, fits boolean, wanted boolean)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT c.oid, format('%I.%I', n.nspname, c.relname), i.indisvalid, o.ours, f.fits, f.fits
    FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace
    JOIN pg_am AS m ON m.oid = c.relam AND m.amname IN ('hnsw', 'ivfflat', 'diskann')
    JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0] AND a.attname = j.target_column
    JOIN pg_opclass AS p ON p.oid = i.indclass[0]
    CROSS JOIN LATERAL (SELECT c.relname ~ format('_%s(_[0-9a-f]{4})?$', j.id)) AS o (ours)
    CROSS JOIN LATERAL (
        SELECT m.amname = j.index_method AND p.opcname = vectorize.operator_class(j) AND i.indpred IS NULL
           AND (NOT o.ours OR ARRAY(SELECT unnest(c.reloptions) ORDER BY 1) = ARRAY(SELECT e.key || '=' || e.value FROM jsonb_each_text(j.index_options) AS e ORDER BY 1))
    ) AS f (fits)
    WHERE i.indrelid = on_table
$$;

CREATE OR REPLACE FUNCTION vectorize.job_indexes(j vectorize.job, kind text, on_table oid) RETURNS TABLE (oid oid, name text, valid boolean, ours boolean, fits boolean, wanted boolean)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF kind = 'text' THEN
        RETURN QUERY SELECT * FROM vectorize.words_indexes(j, on_table);
    ELSE
        RETURN QUERY SELECT * FROM vectorize.vector_indexes(j, on_table);
    END IF;
END
$$;

-- none | waiting (for coverage) | due | building | invalid (to be dropped and built again) | ready: what is to be said of a job with
-- two indexes is what is to be done.
CREATE OR REPLACE FUNCTION vectorize.index_state(job_id integer) RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce((
        SELECT s.state FROM vectorize.job AS j, unnest('{vector,text}'::text[]) AS k (kind), vectorize.one_index_state(j, k.kind) AS s (state)
        WHERE j.id = job_id AND s.state <> 'none'
        ORDER BY array_position('{building,invalid,due,waiting,ready}'::text[], s.state) LIMIT 1), 'none')
$$;

CREATE OR REPLACE FUNCTION vectorize.one_index_state(j vectorize.job, kind text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    indexed oid := vectorize.indexed_table(j, kind);
    valid boolean;
    partitioned boolean;
    sums record;
BEGIN
    IF (kind = 'text' AND vectorize.text_configuration(j.full_text) IS NULL) OR (kind = 'vector' AND j.index_method = 'none') THEN
        RETURN 'none';
    END IF;
    SELECT i.valid INTO valid FROM vectorize.job_indexes(j, kind, indexed) AS i WHERE i.fits ORDER BY i.valid DESC LIMIT 1;
    IF valid THEN
        RETURN 'ready';
    ELSIF NOT valid THEN
        partitioned := (SELECT c.relkind = 'p' FROM pg_class AS c WHERE c.oid = indexed);
        -- The progress view hides other roles' builds; the lock that a concurrent build holds is there for all to see.
        RETURN CASE WHEN EXISTS (SELECT FROM pg_locks AS l WHERE l.relation IN (SELECT indexed UNION SELECT relid FROM pg_partition_tree(indexed))
                AND l.mode = 'ShareUpdateExclusiveLock' AND l.granted AND l.database = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database()))
            THEN 'building' WHEN partitioned THEN 'due' ELSE 'invalid' END;
    END IF;
    SELECT sum(c.queued) AS queued, sum(c.embedded) AS embedded INTO sums
    FROM (SELECT queued, embedded FROM vectorize.delta WHERE job = j.id UNION ALL SELECT queued, embedded FROM vectorize.counter WHERE job = j.id) AS c;
    -- By coverage and not by an empty queue, which a busy table never has. The index on words too: a vector that is written to the
    -- source is another version of its row, whose words would be written again.
    RETURN CASE WHEN sums.embedded > 0 AND NOT vectorize.sweeping(j.id) AND sums.embedded >= j.index_coverage * (sums.embedded + sums.queued)
        THEN 'due' ELSE 'waiting' END;
END
$$;

-- Statements that are due, each to be run by itself, outside a transaction block, as the owner of the table; then ask again.
CREATE OR REPLACE FUNCTION vectorize.next_maintenance() RETURNS TABLE (job text, statement text, reason text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    each record;
    j vectorize.job;
    kind text;
    indexed oid;
    state text;
    partitioned boolean;
BEGIN
    FOR each IN
        SELECT o AS job, k.kind FROM vectorize.job AS o, unnest('{vector,text}'::text[]) WITH ORDINALITY AS k (kind, ord)
        WHERE o.state IN ('active', 'paused') AND vectorize.embeds(o) AND o.standing <> 'previous' ORDER BY o.id, k.ord
    LOOP
        j := each.job;
        kind := each.kind;
        indexed := vectorize.indexed_table(j, kind);
        state := vectorize.one_index_state(j, kind);
        partitioned := (SELECT c.relkind = 'p' FROM pg_class AS c WHERE c.oid = indexed);
        IF state IN ('none', 'ready') THEN
            -- That of a partitioned table is not dropped concurrently; its locks are brief.
            RETURN QUERY SELECT j.name, CASE WHEN partitioned THEN 'DROP INDEX ' ELSE 'DROP INDEX CONCURRENTLY ' END || i.name, 'the job asks for another index now, or for none'::text
            FROM vectorize.job_indexes(j, kind, indexed) AS i WHERE i.ours AND NOT i.wanted;
        ELSIF state IN ('due', 'invalid') AND partitioned THEN
            RETURN QUERY SELECT j.name, s.statement, s.reason FROM vectorize.partition_index_statements(j, kind) AS s LIMIT 1;
        ELSIF state IN ('due', 'invalid') THEN
            RETURN QUERY SELECT j.name, 'DROP INDEX CONCURRENTLY ' || i.name, 'an index build was interrupted'::text
            FROM vectorize.job_indexes(j, kind, indexed) AS i WHERE i.ours AND i.fits AND NOT i.valid;
            RETURN QUERY SELECT j.name, vectorize.index_statement(j, kind, indexed, ' CONCURRENTLY', ''), 'the declared share of rows is embedded'::text;
        END IF;
    END LOOP;
END
$$;

CREATE OR REPLACE FUNCTION vectorize.index_statement(j vectorize.job, kind text, on_table oid, how text, reach text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT format('CREATE INDEX%s %I ON %s%s USING %s', how, vectorize.index_name(j, kind, on_table), reach, vectorize.table_name(on_table),
        CASE kind WHEN 'text' THEN format('gin ((%s))', vectorize.words_expression(j.template, on_table, '', vectorize.text_configuration(j.full_text)))
            ELSE format('%s (%I %s.%I)%s', j.index_method, j.target_column, vectorize.vector_schema(), vectorize.operator_class(j),
                (SELECT ' WITH (' || string_agg(format('%I = %s', o.key, o.value), ', ' ORDER BY o.key) || ')' FROM jsonb_each_text(j.index_options) AS o)) END)
$$;

-- The next steps towards an index on a partitioned table, on which none is built concurrently: an empty one on each table
-- above the leaves, a concurrent one on each leaf, and then each is attached to the one above it, the lowest first.
CREATE OR REPLACE FUNCTION vectorize.partition_index_statements(j vectorize.job, kind text) RETURNS TABLE (statement text, reason text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    WITH tree AS (
        SELECT t.relid, t.parentrelid, t.isleaf, t.level, i.oid AS index, i.name, i.valid, h.inhparent IS NOT NULL AS attached
        FROM pg_partition_tree(vectorize.indexed_table(j, kind)) AS t
        LEFT JOIN LATERAL (
            SELECT * FROM vectorize.job_indexes(j, kind, t.relid) AS x
            WHERE x.fits AND NOT EXISTS (  -- one that belongs to an index with other options above it goes with that
                SELECT FROM pg_inherits AS o JOIN vectorize.job_indexes(j, kind, t.parentrelid) AS p ON p.oid = o.inhparent WHERE o.inhrelid = x.oid AND NOT p.fits)
            ORDER BY x.valid DESC LIMIT 1) AS i ON true
        LEFT JOIN pg_inherits AS h ON h.inhrelid = i.oid
    )
    SELECT s.statement, s.reason FROM (
        SELECT 1 AS step, t.level AS place, vectorize.index_statement(j, kind, t.relid, '', 'ONLY ') AS statement, 'the declared share of rows is embedded' AS reason
        FROM tree AS t WHERE NOT t.isleaf AND t.index IS NULL
        UNION ALL
        SELECT 2, t.level, 'DROP INDEX CONCURRENTLY ' || t.name, 'an index build was interrupted' FROM tree AS t WHERE t.isleaf AND NOT t.valid
        UNION ALL
        SELECT 3, t.level, vectorize.index_statement(j, kind, t.relid, ' CONCURRENTLY', ''), 'a partition has no index yet' FROM tree AS t WHERE t.isleaf AND t.index IS NULL
        UNION ALL
        SELECT 4, -t.level, format('ALTER INDEX %s ATTACH PARTITION %s', p.name, t.name), 'the index of a partition is ready'
        FROM tree AS t JOIN tree AS p ON p.relid = t.parentrelid WHERE NOT t.attached AND t.index IS NOT NULL AND p.index IS NOT NULL
    ) AS s ORDER BY s.step, s.place
$$;

RESET ROLE;
