-- The query's vector, with a memory of the session's last queries.
SET LOCAL ROLE vectorize_owner;
SET LOCAL check_function_bodies = off;  -- files run in the order of their names, and name each other

-- Embeds a query as the plan's job embeds its rows. A setting of the session remembers the last few: it writes nothing, so it
-- works on a read replica. It is kept by deployment, model and dimensions, so that two generations never share a vector.
CREATE OR REPLACE FUNCTION vectorize.query_embedding(plan jsonb, query text) RETURNS real[]
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET extra_float_digits = 1 AS $$
DECLARE
    embedding real[];
    name text;
    cache text := current_setting('vectorize.query_cache', true);
BEGIN
    IF query IS NULL OR query !~ '\S' THEN
        RAISE EXCEPTION 'the query is empty' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    name := encode(sha256(convert_to(jsonb_build_array(plan -> 'deployment', plan -> 'model', plan -> 'dimensions', query)::text, 'UTF8')), 'hex');
    SELECT split_part(r, ' ', 2)::real[] INTO embedding FROM string_to_table(cache, E'\n') AS r WHERE starts_with(r, name || ' ');
    IF FOUND THEN
        RETURN embedding;
    END IF;
    embedding := azure_openai.create_embeddings(deployment_name => plan ->> 'deployment', input => query, dimensions => (plan ->> 'asked_dimensions')::integer,
        timeout_ms => 30000, max_attempts => 2);
    -- The latest first, as many as fit into 64 kB, which is three queries of 1,536 dimensions: every parallel worker of the session
    -- gets a copy of its settings.
    SELECT string_agg(r.line, E'\n' ORDER BY r.ord) INTO cache
    FROM (SELECT x.line, x.ord, sum(length(x.line) + 1) OVER (ORDER BY x.ord) AS size
          FROM string_to_table(name || ' ' || embedding::text || E'\n' || coalesce(cache, ''), E'\n') WITH ORDINALITY AS x (line, ord)) AS r
    WHERE r.size <= 65536 AND r.line <> '';
    PERFORM set_config('vectorize.query_cache', coalesce(cache, ''), false);
    RETURN embedding;
END
$$;

-- The vector of a query, for callers who keep it themselves and search by it (vectorize.search_by).
CREATE OR REPLACE FUNCTION vectorize.embed_query(job text, query text) RETURNS real[]
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
    SELECT vectorize.query_embedding(vectorize.search_plan(job), query)
$$;

RESET ROLE;
