-- Semantic search over a job's vectors.
SET LOCAL ROLE vectorize_owner;
SET LOCAL check_function_bodies = off;  -- files run in the order of their names, and name each other

-- What a search needs to know about a job: the statement ($1 query's vector, $2 how many), and how to embed the query.
-- From the definition only; no row is read here. The statement has one level, so that rows which row security hides, or
-- which are gone, do not use up the limit.
CREATE OR REPLACE FUNCTION vectorize.search_plan(job text, OUT statement text, OUT deployment_name text, OUT asked_dimensions integer)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    j vectorize.job := vectorize.job_named(search_plan.job);
    d vectorize.deployment;
    vectors text := vectorize.vector_schema();
    holder text := CASE j.target WHEN 'column' THEN 's' ELSE 'v' END;
    tables text := vectorize.table_name(j.source) || ' AS s';
BEGIN
    SELECT * INTO d FROM vectorize.deployment AS o WHERE o.name = j.deployment;
    deployment_name := d.name;
    asked_dimensions := CASE WHEN j.dimensions < d.dimensions THEN j.dimensions END;
    IF j.target = 'table' THEN
        tables := format('%s AS v JOIN %s ON %s', vectorize.table_name(j.target_table), tables, vectorize.key_match(j, 'v.{name}', 's.{name}'));
    END IF;
    statement := format('SELECT jsonb_build_object(%1$s), %2$s.%3$I OPERATOR(%4$s.%5$s) $1::%4$s.%6$I(%7$s), %8$s FROM %9$s WHERE %2$s.%3$I IS NOT NULL ORDER BY 2 LIMIT $2',
        (SELECT string_agg(format('%L, s.%I', c, c), ', ' ORDER BY ord) FROM unnest(j.key_columns) WITH ORDINALITY AS x (c, ord)),
        holder, j.target_column, vectors, CASE j.distance WHEN 'cosine' THEN '<=>' WHEN 'l2' THEN '<->' ELSE '<#>' END, j.type, j.dimensions,
        vectorize.template_expression(j.template, j.source, 's'), tables);
END
$$;

-- The `k` rows nearest to the query, nearest first, with the text that was embedded. Runs with the caller's own rights and joins
-- the source, so its row security and its deletes hold; writes nothing, so it runs on a replica.
CREATE OR REPLACE FUNCTION vectorize.search(job text, query text, k integer DEFAULT 10)
RETURNS TABLE (key jsonb, distance float8, content text)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    plan record;
    embedding real[];
    reach text := current_setting('hnsw.ef_search', true);
    iterative text := current_setting('hnsw.iterative_scan', true);
    can_iterate boolean := (SELECT string_to_array(extversion, '.')::int[] >= '{0,8}' FROM pg_extension WHERE extname = 'vector');
BEGIN
    IF query !~ '\S' OR query IS NULL THEN
        RAISE EXCEPTION 'the query is empty' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    SELECT * INTO plan FROM vectorize.search_plan(job);
    embedding := azure_openai.create_embeddings(deployment_name => plan.deployment_name, input => query, dimensions => plan.asked_dimensions,
        timeout_ms => 30000, max_attempts => 2);
    -- An HNSW scan gives no more rows than ef_search, 40 unless told otherwise; it goes on from there where pgvector can (0.8).
    PERFORM set_config('hnsw.ef_search', least(1000, greatest(coalesce(nullif(reach, '')::integer, 40), 2 * k))::text, true);
    IF can_iterate THEN
        PERFORM set_config('hnsw.iterative_scan', 'strict_order', true);
    END IF;
    RETURN QUERY EXECUTE plan.statement USING embedding, k;
    PERFORM set_config('hnsw.ef_search', coalesce(nullif(reach, ''), '40'), true);
    IF can_iterate THEN
        PERFORM set_config('hnsw.iterative_scan', coalesce(nullif(iterative, ''), 'off'), true);
    END IF;
END
$$;

RESET ROLE;
