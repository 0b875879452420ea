-- The index of a job. CREATE INDEX CONCURRENTLY runs in no function, so the engine says which statement is due, and whoever
-- holds a connection runs it.
SET LOCAL ROLE vectorize_owner;
SET LOCAL check_function_bodies = off;  -- files run in the order of their names, and name each other

CREATE OR REPLACE FUNCTION vectorize.index_name(j vectorize.job) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT left(c.relname, 28) || '_' || left(j.target_column, 14) || '_' || j.index_method || '_' || left(j.distance, 6) || '_' || j.id
    FROM pg_class AS c WHERE c.oid = j.target_table
$$;

CREATE OR REPLACE FUNCTION vectorize.operator_class(j vectorize.job) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT j.type || CASE j.distance WHEN 'cosine' THEN '_cosine_ops' WHEN 'l2' THEN '_l2_ops' ELSE '_ip_ops' END
$$;

-- none | waiting (for coverage) | due | building | invalid (to be dropped and built again) | ready. An index of the same kind
-- that was there before counts.
CREATE OR REPLACE FUNCTION vectorize.index_state(job_id integer) RETURNS text
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    j vectorize.job;
    valid boolean;
    sums record;
BEGIN
    SELECT * INTO j FROM vectorize.job WHERE id = job_id;
    IF j.index_method = 'none' THEN
        RETURN 'none';
    END IF;
    SELECT i.indisvalid INTO valid
    FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid JOIN pg_am AS m ON m.oid = c.relam
    JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
    JOIN pg_opclass AS o ON o.oid = i.indclass[0]
    WHERE i.indrelid = j.target_table AND a.attname = j.target_column AND m.amname = j.index_method AND o.opcname = vectorize.operator_class(j)
    ORDER BY i.indisvalid DESC LIMIT 1;
    IF valid THEN
        RETURN 'ready';
    ELSIF NOT valid THEN
        -- The progress view hides other roles' builds; the lock that a concurrent build holds is there for all to see.
        RETURN CASE WHEN EXISTS (SELECT FROM pg_locks AS l WHERE l.relation = j.target_table AND l.mode = 'ShareUpdateExclusiveLock' AND l.granted
            AND l.database = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())) THEN 'building' ELSE 'invalid' END;
    END IF;
    SELECT sum(queued) AS queued, sum(embedded) AS embedded INTO sums
    FROM (SELECT queued, embedded FROM vectorize.delta WHERE job = job_id UNION ALL SELECT queued, embedded FROM vectorize.counter WHERE job = job_id) AS c;
    -- By coverage and not by an empty queue, which a busy table never has.
    RETURN CASE WHEN sums.embedded > 0 AND NOT vectorize.sweeping(job_id) AND sums.embedded >= j.index_coverage * (sums.embedded + sums.queued)
        THEN 'due' ELSE 'waiting' END;
END
$$;

-- Statements that are due, each to be run by itself, outside a transaction block, as the owner of the table.
CREATE OR REPLACE FUNCTION vectorize.next_maintenance() RETURNS TABLE (job text, statement text, reason text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    j vectorize.job;
    state text;
    options text;
BEGIN
    FOR j IN SELECT o.* FROM vectorize.job AS o WHERE o.state IN ('active', 'paused') AND o.index_method <> 'none' ORDER BY o.id LOOP
        state := vectorize.index_state(j.id);
        SELECT string_agg(format('%I = %s', o.key, o.value), ', ') INTO options FROM jsonb_each_text(j.index_options) AS o;
        IF state = 'invalid' THEN
            RETURN QUERY SELECT j.name, format('DROP INDEX CONCURRENTLY %I.%I', n.nspname, c.relname), 'an index build was interrupted'::text
            FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace
            WHERE i.indrelid = j.target_table AND NOT i.indisvalid AND c.relname = vectorize.index_name(j);
        END IF;
        IF state IN ('due', 'invalid') THEN
            RETURN QUERY SELECT j.name, format('CREATE INDEX CONCURRENTLY %I ON %s USING %s (%I %s.%I)%s', vectorize.index_name(j), vectorize.table_name(j.target_table),
                j.index_method, j.target_column, vectorize.vector_schema(), vectorize.operator_class(j), coalesce(' WITH (' || options || ')', '')),
                'the declared share of rows is embedded'::text;
        END IF;
    END LOOP;
END
$$;

RESET ROLE;
