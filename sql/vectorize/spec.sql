-- A job's specification as people write it: defaults, and everything that is wrong with it in one list.
SET LOCAL ROLE vectorize_owner;
SET LOCAL check_function_bodies = off;  -- files run in the order of their names, and name each other

CREATE OR REPLACE FUNCTION vectorize.spec_defaults() RETURNS jsonb
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT jsonb '{"name": null, "table": null, "template": null, "deployment": null, "key": [], "operation": "embed", "arguments": {}, "target": "column",
        "column": "embedding", "type": "vector", "dimensions": null, "distance": "cosine", "index": "none", "index_options": {},
        "index_coverage": 0.95, "batch_size": 100, "chunking": null, "full_text": null, "state": null}'
$$;

-- A specification with its defaults; chunks are rows of a table.
CREATE OR REPLACE FUNCTION vectorize.full_spec(spec jsonb) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT vectorize.spec_defaults() || vectorize.operation_defaults(spec)
        || CASE WHEN jsonb_typeof(spec -> 'chunking') = 'object' THEN jsonb '{"target": "table"}' ELSE '{}' END || jsonb_strip_nulls(spec) || vectorize.graph_defaults(spec)
$$;

-- The definition that a job has now: that of its newest wish, a generation that is not complete yet where there is one.
CREATE OR REPLACE FUNCTION vectorize.declared(job text) RETURNS jsonb
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT jsonb_build_object('name', j.name, 'table', coalesce(vectorize.table_name(j.declared_source), ''), 'template', r.template,
        'deployment', j.deployment, 'key', r.key_columns, 'operation', j.operation, 'target', CASE WHEN s.id IS NULL THEN j.target ELSE 'table' END,
        'column', j.declared_column, 'type', j.type, 'batch_size', j.batch_size)
        || CASE WHEN vectorize.embeds(j) THEN jsonb_build_object('dimensions', j.dimensions, 'distance', j.distance, 'index', j.index_method,
            'index_options', j.index_options, 'index_coverage', j.index_coverage,
            'chunking', CASE WHEN s.id IS NOT NULL THEN jsonb_build_object('max_tokens', s.chunk_tokens, 'overlap', s.chunk_overlap) END,
            'full_text', CASE WHEN j.full_text IS NOT NULL THEN jsonb_build_object('language', j.full_text) END)
           ELSE jsonb_build_object('arguments', j.arguments) END
    FROM vectorize.job AS j LEFT JOIN vectorize.job AS s ON s.operation = 'split' AND s.target_table = j.source
    CROSS JOIN LATERAL (SELECT coalesce(s.template, j.template) AS template, coalesce(s.key_columns, j.key_columns) AS key_columns) AS r
    WHERE j.name = $1 AND j.operation <> 'split' AND j.standing IN ('current', 'next') AND j.state <> 'removed'
    ORDER BY j.standing = 'next' DESC LIMIT 1
$$;

-- Mistakes that can be told from the text alone.
CREATE OR REPLACE FUNCTION vectorize.spec_mistakes(spec jsonb) RETURNS SETOF text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    field text;
    choice record;
    full_spec jsonb := vectorize.full_spec(spec);
    o record;
BEGIN
    SELECT n.needs, coalesce(n.types, '{vector,halfvec}') AS types, n.types IS NULL AS embeds, n.most INTO o
    FROM vectorize.operation_named(coalesce(full_spec ->> 'operation', 'embed')) AS n;
    FOR field IN SELECT jsonb_object_keys(spec) EXCEPT SELECT jsonb_object_keys(vectorize.spec_defaults()) ORDER BY 1 LOOP
        RETURN NEXT format('%s: no such setting; there are %s', field,
            (SELECT string_agg(k, ', ' ORDER BY k) FROM jsonb_object_keys(vectorize.spec_defaults()) AS k));
    END LOOP;
    RETURN QUERY SELECT * FROM vectorize.operation_mistakes(spec, full_spec);
    FOREACH field IN ARRAY ARRAY['name', 'table', 'template', 'deployment'] LOOP
        CONTINUE WHEN field = 'deployment' AND o.needs IS NULL;
        IF coalesce(btrim(full_spec ->> field), '') = '' OR jsonb_typeof(full_spec -> field) <> 'string' THEN
            RETURN NEXT format('%s: missing', field);
        END IF;
    END LOOP;
    FOR choice IN
        SELECT * FROM (VALUES ('target', ARRAY['column', 'table']), ('type', o.types),
            ('distance', ARRAY['cosine', 'l2', 'inner_product']), ('index', ARRAY['none', 'hnsw', 'ivfflat', 'diskann']),
            ('state', ARRAY['active', 'paused'])) AS c (name, allowed)
    LOOP
        IF full_spec ->> choice.name IS NOT NULL AND NOT full_spec ->> choice.name = ANY (choice.allowed) THEN
            RETURN NEXT format('%s: %s is not one of %s', choice.name, full_spec -> choice.name, array_to_string(choice.allowed, ', '));
        END IF;
    END LOOP;
    FOR choice IN
        SELECT * FROM (VALUES ('dimensions', 1, 16000), ('batch_size', 1, coalesce(o.most, 2048))) AS c (name, low, high) WHERE c.name <> 'dimensions' OR o.embeds
    LOOP
        IF (full_spec ->> choice.name ~ '^\d{1,9}$') IS NOT TRUE OR (full_spec ->> choice.name)::int NOT BETWEEN choice.low AND choice.high THEN
            RETURN NEXT format('%s: %s is not a whole number from %s to %s', choice.name, full_spec -> choice.name, choice.low, choice.high);
        END IF;
    END LOOP;
    IF jsonb_typeof(full_spec -> 'index_coverage') <> 'number' OR (full_spec ->> 'index_coverage')::float8 NOT BETWEEN 0 AND 1 THEN
        RETURN NEXT format('index_coverage: %s is not a number from 0 to 1', full_spec -> 'index_coverage');
    END IF;
    IF jsonb_typeof(full_spec -> 'key') <> 'array' OR jsonb_path_exists(full_spec, '$.key[*] ? (@.type() != "string")') THEN
        RETURN NEXT 'key: not a list of column names';
    END IF;
    RETURN QUERY SELECT * FROM vectorize.chunking_mistakes(full_spec);
    RETURN QUERY SELECT * FROM vectorize.full_text_mistakes(full_spec);
    RETURN QUERY SELECT * FROM vectorize.index_option_mistakes(full_spec ->> 'index', full_spec -> 'index_options');
    IF octet_length(full_spec ->> 'column') NOT BETWEEN 1 AND 63 THEN
        RETURN NEXT 'column: not a name of 1 to 63 bytes';
    END IF;
    BEGIN
        IF cardinality(vectorize.template_columns(full_spec ->> 'template')) = 0 THEN
            RETURN NEXT 'template: names no column; write {column} where its text goes';
        END IF;
    EXCEPTION WHEN invalid_parameter_value THEN
        RETURN NEXT 'template: ' || sqlerrm;
    END;
END
$$;

-- Chunks of fewer than 16 tokens say nothing; more than 8,192 no model takes.
CREATE OR REPLACE FUNCTION vectorize.chunking_mistakes(spec jsonb) RETURNS SETOF text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    chunking jsonb := spec -> 'chunking';
    most text := chunking ->> 'max_tokens';
    overlap text := coalesce(chunking ->> 'overlap', '0');
BEGIN
    IF chunking = 'null' THEN
        RETURN;
    ELSIF jsonb_typeof(chunking) <> 'object' OR EXISTS (SELECT FROM jsonb_object_keys(chunking) AS k WHERE k NOT IN ('max_tokens', 'overlap')) THEN
        RETURN NEXT 'chunking: not an object of max_tokens and overlap';
        RETURN;
    END IF;
    IF (most ~ '^\d{1,9}$') IS NOT TRUE OR most::int NOT BETWEEN 16 AND 8192 THEN
        RETURN NEXT format('chunking.max_tokens: %s is not a whole number from 16 to 8192', coalesce(most, 'null'));
    ELSIF overlap !~ '^\d{1,9}$' OR overlap::int > most::int / 2 THEN
        RETURN NEXT format('chunking.overlap: %s is not a whole number from 0 to %s, half of max_tokens', overlap, most::int / 2);
    END IF;
    IF spec ->> 'target' = 'column' THEN
        RETURN NEXT 'chunking: chunks are rows of their own, so they need target table';
    END IF;
END
$$;

-- Options go into a CREATE INDEX, so only known names with whole numbers pass.
CREATE OR REPLACE FUNCTION vectorize.index_option_mistakes(method text, options jsonb) RETURNS SETOF text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    WITH known AS (
        SELECT CASE method WHEN 'hnsw' THEN '{m,ef_construction}'::text[] WHEN 'ivfflat' THEN '{lists}'
            -- Option names: azure-databases-docs "How to use pg_diskann"; not run here, the wheel has no pg_diskann.
            WHEN 'diskann' THEN '{max_neighbors,l_value_ib,product_quantized,pq_param_num_chunks,pq_param_training_samples}'
            ELSE '{}' END AS names
    )
    SELECT 'index_options: not an object' WHERE jsonb_typeof(options) <> 'object'
    UNION ALL
    SELECT CASE WHEN NOT o.key = ANY (known.names)
            THEN format('index_options.%s: an index of kind %s has %s', o.key, method, coalesce(nullif(array_to_string(known.names, ', '), ''), 'no options'))
            ELSE format('index_options.%s: %s is not a whole number', o.key, o.value) END
    FROM known, jsonb_each(CASE WHEN jsonb_typeof(options) = 'object' THEN options ELSE '{}' END) AS o
    WHERE NOT o.key = ANY (known.names) OR o.value::text !~ '^\d{1,9}$'
$$;

RESET ROLE;
