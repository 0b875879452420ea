-- What a row says in a graph: its columns as one JSON object of texts. The types come back where the label is written
-- (graph_write.sql), since a cast to JSON may be a user's, and this runs in triggers too.
SET LOCAL ROLE vectorize_owner;
SET LOCAL check_function_bodies = off;  -- files run in the order of their names, and name each other

-- Whether a job keeps a label of a graph.
CREATE OR REPLACE FUNCTION vectorize.in_graph(j vectorize.job) RETURNS boolean
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$ SELECT j.operation IN ('vertex', 'edge') $$;

-- The text of a row known as `alias`, as triggers compare it.
CREATE OR REPLACE FUNCTION vectorize.row_text(j vectorize.job, alias text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE WHEN NOT vectorize.in_graph(j) THEN vectorize.template_expression(j.template, j.source, alias) ELSE (
        SELECT format('pg_catalog.concat(pg_catalog.jsonb_strip_nulls(pg_catalog.jsonb_object(ARRAY[%s], ARRAY[%s])))',
            string_agg(quote_literal(c), ', ' ORDER BY c), string_agg(format('CASE WHEN %1$s.%2$I IS NOT NULL THEN pg_catalog.concat(%1$s.%2$I) END', alias, c), ', ' ORDER BY c))
        FROM unnest(vectorize.template_columns(j.template)) AS c) END
$$;

-- The same as workers read it: empty where the row is not in the graph, by the job's filter, or since an end of the edge is NULL. The
-- filter is somebody's SQL: it runs as the owner of the source alone, and never in a trigger.
CREATE OR REPLACE FUNCTION vectorize.read_text(j vectorize.job, alias text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE WHEN c.condition IS NULL THEN vectorize.row_text(j, alias)
        ELSE format('CASE WHEN %s THEN %s ELSE '''' END', c.condition, vectorize.row_text(j, alias)) END
    FROM (SELECT string_agg(p.part, ' AND ' ORDER BY p.part) AS condition FROM (
        SELECT format('%s.%I IS NOT NULL', alias, e.name) FROM vectorize.edge_columns(j.arguments) AS e (name) WHERE vectorize.in_graph(j)
        UNION ALL
        SELECT format(E'(SELECT (%s\n) FROM (SELECT %s.*) AS s)', j.arguments ->> 'filter', alias) WHERE vectorize.in_graph(j) AND j.arguments ? 'filter') AS p (part)) AS c
$$;

-- The columns of an edge's ends.
CREATE OR REPLACE FUNCTION vectorize.edge_columns(arguments jsonb) RETURNS SETOF text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT DISTINCT jsonb_array_elements_text(arguments -> e.side -> 'key') FROM unnest('{from,to}'::text[]) AS e (side)
$$;

-- The properties of a vertex or an edge: a vertex has its key among them.
CREATE OR REPLACE FUNCTION vectorize.property_columns(operation text, key text[], arguments jsonb) RETURNS SETOF text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT jsonb_array_elements_text(coalesce(arguments -> 'properties', '[]'))
    UNION
    SELECT unnest(key) WHERE operation = 'vertex'
$$;

-- What a specification of a label means for the fields that it shares with other jobs. The template names every column that the row's
-- place in the graph depends on; of a filter those whose names occur in it.
CREATE OR REPLACE FUNCTION vectorize.graph_defaults(spec jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    source oid;
    key text[];
    arguments jsonb := spec -> 'arguments';
    names text[];
BEGIN
    IF (spec ->> 'operation' IN ('vertex', 'edge')) IS NOT TRUE THEN
        RETURN '{}';
    ELSIF EXISTS (SELECT FROM vectorize.graph_mistakes(spec ->> 'operation', arguments)) THEN
        RETURN jsonb '{"target": "table", "column": "properties", "type": "agtype", "template": "{id}"}';  -- those are told, and nothing else
    END IF;
    BEGIN
        source := to_regclass(spec ->> 'table');
        key := vectorize.source_key(source, ARRAY(SELECT jsonb_array_elements_text(coalesce(spec -> 'key', '[]'))));
    EXCEPTION WHEN OTHERS THEN
        NULL;  -- no name, or no list: told by others
    END;
    names := ARRAY(
        SELECT vectorize.property_columns(spec ->> 'operation', key, arguments)
        UNION SELECT vectorize.edge_columns(arguments)
        UNION SELECT unnest(key)
        UNION SELECT a.attname FROM pg_attribute AS a WHERE a.attrelid = source AND a.attnum > 0 AND NOT a.attisdropped
            AND CASE WHEN a.attname ~ '^\w+$' THEN arguments ->> 'filter' ~* ('\m' || a.attname || '\M') ELSE strpos(arguments ->> 'filter', a.attname) > 0 END
        ORDER BY 1);
    RETURN jsonb_build_object('target', 'table', 'column', 'properties', 'type', 'agtype',
        'template', coalesce((SELECT string_agg('{' || n || '}', '') FROM unnest(names) AS n), '{id}'));
END
$$;

RESET ROLE;
