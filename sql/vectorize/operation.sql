-- What a job may compute of a row's text: its operation, in one table. Everything else asks here.
SET LOCAL ROLE vectorize_owner;
SET LOCAL check_function_bodies = off;  -- files run in the order of their names, and name each other

-- needs:      what it calls: `embedding` and `chat` are deployments of such a model, `language` a function of azure_cognitive, which is
--             its own bucket; NULL calls nothing.
-- types:      of the column that its value goes to, the usual one first; NULL where it is not one value a row, or has dimensions.
-- most:       texts in one request (azure_ai's reference; Azure AI Language, "Service limits").
-- characters: of one text (same page); NULL leaves that to the model.
-- arguments:  what it takes beside the text.
CREATE OR REPLACE FUNCTION vectorize.operations() RETURNS TABLE (
    operation text, needs text, calls text, types text[], most integer, characters integer, arguments text[]
)
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT * FROM (VALUES
        ('embed', 'embedding', 'azure_openai.create_embeddings', NULL::text[], 2048, NULL::integer, '{}'::text[]),
        ('split', NULL, NULL, NULL, NULL, NULL, '{}'),
        ('vertex', NULL, NULL, '{agtype}', 500, NULL, '{graph,label,properties,filter}'),
        ('edge', NULL, NULL, '{agtype}', 500, NULL, '{graph,label,properties,filter,from,to}'),
        ('sentiment', 'language', 'azure_cognitive.analyze_sentiment', '{text,jsonb}', 10, 5120, '{language}'),
        ('language', 'language', 'azure_cognitive.detect_language', '{text,jsonb}', 1000, 5120, '{}'),
        ('key_phrases', 'language', 'azure_cognitive.extract_key_phrases', '{text[]}', 10, 5120, '{language}'),
        ('entities', 'language', 'azure_cognitive.recognize_entities', '{jsonb}', 5, 5120, '{language}'),
        ('pii', 'language', 'azure_cognitive.recognize_pii_entities', '{text,jsonb}', 5, 5120, '{language,domain}'),
        ('summary', 'language', 'azure_cognitive.summarize_abstractive', '{text,text[]}', 25, 125000, '{language,sentences}'),
        ('generate', 'chat', 'azure_ai.generate', '{text,jsonb}', 1, NULL, '{system,json_schema}'),
        ('extract', 'chat', 'azure_ai.extract', '{jsonb}', 1, NULL, '{labels}'),
        ('is_true', 'chat', 'azure_ai.is_true', '{boolean}', 1, NULL, '{}')
    ) AS o (operation, needs, calls, types, most, characters, arguments)
$$;

CREATE OR REPLACE FUNCTION vectorize.operation_named(name text) RETURNS TABLE (
    operation text, needs text, calls text, types text[], most integer, characters integer, arguments text[]
)
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$ SELECT * FROM vectorize.operations() AS o WHERE o.operation = name $$;

-- The operations that a specification may name: a splitter comes with `chunking`.
CREATE OR REPLACE FUNCTION vectorize.operation_names() RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT string_agg(operation, ', ' ORDER BY operation) FROM vectorize.operations() WHERE operation <> 'split'
$$;

-- Whether a job's value is a vector: it has dimensions, generations beside each other, an index, and searches.
CREATE OR REPLACE FUNCTION vectorize.embeds(j vectorize.job) RETURNS boolean
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$ SELECT j.operation = 'embed' $$;

-- Whether a job's operation calls a service or a model, so that there is a quota.
CREATE OR REPLACE FUNCTION vectorize.calls_something(j vectorize.job) RETURNS boolean
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$ SELECT needs IS NOT NULL FROM vectorize.operation_named(j.operation) $$;

-- The type of the column that a job's values go to, as a definition writes it.
CREATE OR REPLACE FUNCTION vectorize.value_type(j vectorize.job) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE WHEN vectorize.embeds(j) THEN format('%s.%I(%s)', vectorize.vector_schema(), j.type, j.dimensions) ELSE j.type END
$$;

-- How a job's values travel, from a call to the function `write`: vectors as such, all else as JSON, since texts[] of several rows
-- are no array.
CREATE OR REPLACE FUNCTION vectorize.carried_type(j vectorize.job) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE WHEN vectorize.embeds(j) THEN format('%s.%I', vectorize.vector_schema(), j.type) ELSE 'pg_catalog.jsonb' END
$$;

-- The expression of a row's value among the results `d` of the settle step, where `vectors` are those of the call's answer.
CREATE OR REPLACE FUNCTION vectorize.carried_value(j vectorize.job) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE j.operation
        WHEN 'embed' THEN format('CAST(coalesce(d.embedding, (vectors[d.input]).vector) AS %s.%I(%s))', vectorize.vector_schema(), j.type, j.dimensions)
        WHEN 'split' THEN 'to_jsonb(d.pieces)'
        ELSE 'd.value' END
$$;

-- The expression that makes what is stored of a value that travelled; `write` runs in the search path of the source's owner.
CREATE OR REPLACE FUNCTION vectorize.stored_value(j vectorize.job, carried text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT replace(CASE WHEN j.operation IN ('embed', 'split') THEN '{v}' ELSE CASE j.type
        WHEN 'text' THEN '({v} OPERATOR(pg_catalog.#>>) CAST(''{}'' AS pg_catalog.text[]))'
        WHEN 'text[]' THEN 'CASE WHEN {v} IS NOT NULL THEN ARRAY(SELECT pg_catalog.jsonb_array_elements_text({v})) END'
        WHEN 'boolean' THEN 'CAST({v} AS pg_catalog.bool)'
        ELSE '{v}' END END, '{v}', carried)
$$;

-- What a specification leaves open, by its operation.
CREATE OR REPLACE FUNCTION vectorize.operation_defaults(spec jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce((
        SELECT jsonb_build_object('column', o.operation, 'distance', NULL, 'batch_size', o.most, 'deployment', CASE o.needs WHEN 'language' THEN o.calls END,
            'type', CASE WHEN o.operation = 'generate' AND spec -> 'arguments' ? 'json_schema' THEN 'jsonb' ELSE o.types[1] END)
        FROM vectorize.operation_named(spec ->> 'operation') AS o WHERE o.types IS NOT NULL), '{}')
$$;

-- Mistakes about the operation that can be told from the text alone; `spec` is as it was written, `full_spec` with its defaults.
CREATE OR REPLACE FUNCTION vectorize.operation_mistakes(spec jsonb, full_spec jsonb) RETURNS SETOF text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    o record;
    field text;
    given jsonb := full_spec -> 'arguments';
BEGIN
    SELECT * INTO o FROM vectorize.operation_named(full_spec ->> 'operation') AS n WHERE n.operation <> 'split';
    IF NOT FOUND THEN
        RETURN NEXT format('operation: %s is not one of %s', coalesce(full_spec ->> 'operation', 'null'), vectorize.operation_names());
        RETURN;
    END IF;
    IF jsonb_typeof(given) <> 'object' THEN
        RETURN NEXT 'arguments: not an object';
        RETURN;
    END IF;
    RETURN QUERY SELECT format('arguments.%s: %s takes %s', k, o.operation, coalesce(nullif(array_to_string(o.arguments, ', '), ''), 'no arguments'))
        FROM jsonb_object_keys(given) AS k WHERE k <> ALL (o.arguments) ORDER BY k;
    IF o.operation IN ('vertex', 'edge') THEN
        RETURN QUERY SELECT * FROM vectorize.graph_mistakes(o.operation, given);
    END IF;
    RETURN QUERY SELECT format('arguments.%s: not a text', a.key) FROM jsonb_each(given) AS a
        WHERE a.key IN ('language', 'domain', 'system') AND (jsonb_typeof(a.value) <> 'string' OR a.value #>> '{}' !~ '\S');
    IF coalesce(given ->> 'domain', 'none') NOT IN ('none', 'phi') THEN
        RETURN NEXT format('arguments.domain: %s is not one of none, phi', given -> 'domain');
    END IF;
    IF given ? 'sentences' AND (given ->> 'sentences' ~ '^\d{1,2}$' AND (given ->> 'sentences')::int BETWEEN 1 AND 20) IS NOT TRUE THEN
        RETURN NEXT format('arguments.sentences: %s is not a whole number from 1 to 20', given -> 'sentences');
    END IF;
    IF given ? 'json_schema' AND (jsonb_typeof(given -> 'json_schema') <> 'object' OR NOT given -> 'json_schema' ?& '{name,schema}') THEN
        RETURN NEXT 'arguments.json_schema: not an object with name and schema, as structured outputs of OpenAI take it';
    ELSIF o.operation = 'generate' AND (given ? 'json_schema') <> (full_spec ->> 'type' = 'jsonb') THEN
        RETURN NEXT format('type: what is generated is %s', CASE WHEN given ? 'json_schema' THEN 'jsonb with a schema' ELSE 'text without a schema' END);
    END IF;
    IF o.operation = 'extract' AND (jsonb_typeof(given -> 'labels') = 'array' AND jsonb_array_length(given -> 'labels') > 0
            AND NOT jsonb_path_exists(given, '$.labels[*] ? (@.type() != "string" || @ == "")')) IS NOT TRUE THEN
        RETURN NEXT 'arguments.labels: not a list of at least one text, such as "due_date: date - when payment is due"';
    END IF;
    IF o.types IS NULL THEN
        RETURN;
    END IF;
    FOREACH field IN ARRAY ARRAY['dimensions', 'distance', 'index', 'index_options', 'index_coverage', 'chunking', 'full_text'] LOOP
        IF spec ? field AND spec -> field NOT IN ('null', '"none"', '{}') THEN
            RETURN NEXT format('%s: the operation %s makes no vectors', field, o.operation);
        END IF;
    END LOOP;
    IF o.needs = 'language' AND full_spec ->> 'deployment' <> o.calls THEN
        RETURN NEXT format('deployment: the operation %s calls %s, and no deployment; leave it out', o.operation, o.calls);
    END IF;
END
$$;

RESET ROLE;
