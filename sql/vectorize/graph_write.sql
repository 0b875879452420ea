-- Writing vertices and edges: straight into the tables of their labels, many in one statement. The step belongs to the engine, as the
-- graph does; nothing of the source's owner runs in it.
SET LOCAL ROLE vectorize_owner;
SET LOCAL check_function_bodies = off;  -- files run in the order of their names, and name each other

-- The tables of a label: its rows, and beside it the ids of its keys. A key has one id for good, whoever names it first: the row
-- itself, or an edge that ends there. So edges wait for no vertex, and a vertex that comes back finds its edges.
CREATE OR REPLACE FUNCTION vectorize.label_name(graph text, label text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$ SELECT format('%I.%I', graph, label) $$;

CREATE OR REPLACE FUNCTION vectorize.label_key_name(graph text, label text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$ SELECT format('%I.%I', graph, label || '_key') $$;

-- The statements of both kinds, around what differs. A key's id is looked for first: a default that is not used costs a number.
CREATE OR REPLACE FUNCTION vectorize.graph_writer(j vectorize.job) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    n integer := cardinality(j.key_columns);
    edge boolean := j.operation = 'edge';
    body text := $x$BEGIN
    INSERT INTO {own keys} AS m ({k}) SELECT {b.k} FROM {batch}
        WHERE b.carried IS NOT NULL AND NOT EXISTS (SELECT FROM {own keys} AS m WHERE {m is b}) ORDER BY {b.k} ON CONFLICT DO NOTHING;
    {reserve ends}
    INSERT INTO {label} AS v (id, {ends}properties) SELECT m.id, {end ids}{properties} FROM {batch} JOIN {own keys} AS m ON {m is b} {join ends}
        WHERE b.carried IS NOT NULL
        ON CONFLICT (id) DO UPDATE SET {set ends}properties = excluded.properties;
    DELETE FROM {label} AS v USING {batch}, {own keys} AS m WHERE b.carried IS NULL AND {m is b} AND v.id OPERATOR(ag_catalog.=) m.id;
    {forget keys}
    RETURN true;
END$x$;
    part record;
BEGIN
    FOR part IN
        SELECT * FROM (VALUES
            ('{reserve ends}', CASE WHEN edge THEN (
                SELECT string_agg(vectorize.end_reservation(j, l.label), E'\n    ' ORDER BY l.label)
                FROM (SELECT DISTINCT j.arguments -> s.side ->> 'vertex' FROM unnest('{from,to}'::text[]) AS s (side)) AS l (label)) ELSE '' END),
            ('{join ends}', CASE WHEN edge THEN vectorize.end_join(j, 'from') || ' ' || vectorize.end_join(j, 'to') ELSE '' END),
            ('{ends}', CASE WHEN edge THEN 'start_id, end_id, ' ELSE '' END),
            ('{end ids}', CASE WHEN edge THEN 'e_from.id, e_to.id, ' ELSE '' END),
            ('{set ends}', CASE WHEN edge THEN 'start_id = excluded.start_id, end_id = excluded.end_id, ' ELSE '' END),
            -- Nothing ends at an edge, so its key may get another id.
            ('{forget keys}', CASE WHEN edge THEN 'DELETE FROM {own keys} AS m USING {batch} WHERE b.carried IS NULL AND {m is b};' ELSE '' END),
            ('{batch}', format('ROWS FROM (%s, unnest(vectorize_vectors)) AS b (%s, carried)', vectorize.key_list(n, 'unnest(vectorize_a%s)'), vectorize.key_list(n, 'k%s'))),
            ('{own keys}', vectorize.label_key_name(j.arguments ->> 'graph', j.arguments ->> 'label')),
            ('{label}', vectorize.label_name(j.arguments ->> 'graph', j.arguments ->> 'label')),
            ('{m is b}', vectorize.key_match(j, 'm.k{n}', 'b.k{n}')),
            ('{k}', vectorize.key_list(n, 'k%s')), ('{b.k}', vectorize.key_list(n, 'b.k%s')),
            ('{properties}', vectorize.property_expression(j))) AS p (mark, value)
    LOOP
        body := replace(body, part.mark, part.value);
    END LOOP;
    RETURN body;
END
$$;

-- The statement that gives ids to the vertices of a label at which edges of a batch end. Labels, and keys in each, are always taken in
-- one order, so that two workers do not wait for each other in a circle.
CREATE OR REPLACE FUNCTION vectorize.end_reservation(j vectorize.job, label text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT format('INSERT INTO %1$s AS m (%2$s) SELECT %2$s FROM (%3$s) AS b WHERE NOT EXISTS (SELECT FROM %1$s AS m WHERE %4$s) ORDER BY %2$s ON CONFLICT DO NOTHING;',
        vectorize.label_key_name(j.arguments ->> 'graph', end_reservation.label), vectorize.key_list(cardinality(v.key_columns), 'k%s'), (
            SELECT string_agg(format('SELECT %s FROM {batch} WHERE b.carried IS NOT NULL', (
                SELECT string_agg(format('%s AS k%s', x.value, x.ord), ', ' ORDER BY x.ord) FROM vectorize.end_values(j, s.side, v) AS x)), ' UNION ' ORDER BY s.side)
            FROM unnest('{from,to}'::text[]) AS s (side) WHERE j.arguments -> s.side ->> 'vertex' = end_reservation.label),
        vectorize.key_match(v, 'm.k{n}', 'b.k{n}'))
    FROM vectorize.vertex_job(j.arguments ->> 'graph', end_reservation.label) AS v
$$;

CREATE OR REPLACE FUNCTION vectorize.end_join(j vectorize.job, side text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT format('JOIN %s AS e_%s ON %s', vectorize.label_key_name(j.arguments ->> 'graph', j.arguments -> side ->> 'vertex'), side,
        (SELECT string_agg(format('e_%s.k%s %s %s', side, x.ord, v.key_operators[x.ord], x.value), ' AND ' ORDER BY x.ord) FROM vectorize.end_values(j, side, v) AS x))
    FROM vectorize.vertex_job(j.arguments ->> 'graph', j.arguments -> side ->> 'vertex') AS v
$$;

-- The key of the vertex at one end of an edge, as it travelled, in the types of that vertex' key.
CREATE OR REPLACE FUNCTION vectorize.end_values(j vectorize.job, side text, v vectorize.job) RETURNS TABLE (ord bigint, value text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT c.ord, format('CAST(b.carried ->> %L AS %s)', c.name, v.key_types[c.ord])
    FROM jsonb_array_elements_text(j.arguments -> side -> 'key') WITH ORDINALITY AS c (name, ord)
$$;

-- The expression of a row's properties; a column that is NULL is no property.
CREATE OR REPLACE FUNCTION vectorize.property_expression(j vectorize.job) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE WHEN count(*) = 0 THEN 'CAST(''{}'' AS ag_catalog.agtype)' ELSE format('CAST(concat(''{'', concat_ws('', '', %s), ''}'') AS ag_catalog.agtype)', string_agg(
        format('CASE WHEN b.carried ? %1$L THEN %2$L || %3$s END', p.name, to_json(p.name) || ': ', vectorize.agtype_literal(a.atttypid, format('(b.carried ->> %L)', p.name))),
        ', ' ORDER BY p.name)) END
    FROM vectorize.property_columns(j.operation, j.key_columns, j.arguments) AS p (name)
    JOIN pg_attribute AS a ON a.attrelid = j.source AND a.attname = p.name AND a.attnum > 0 AND NOT a.attisdropped
$$;

-- The text of a value in agtype: numbers are numbers, exact ones exact; JSON is what it holds; an array is a list; all else is its text.
CREATE OR REPLACE FUNCTION vectorize.agtype_literal(type oid, value text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT replace(CASE
        WHEN t.base IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype, 'json'::regtype, 'jsonb'::regtype) THEN '{v}'
        WHEN t.base IN ('float4'::regtype, 'float8'::regtype) THEN '{v} || ''::float'''
        WHEN t.base = 'numeric'::regtype THEN '{v} || ''::numeric'''
        WHEN t.base = 'bool'::regtype THEN 'CASE {v} WHEN ''t'' THEN ''true'' ELSE ''false'' END'
        WHEN t.element < 16384 THEN format('to_json(CAST({v} AS %s))::text', format_type(t.base, NULL))
        ELSE 'to_json({v})::text' END, '{v}', value)
    FROM (SELECT vectorize.base_type(type) AS base, (SELECT typelem FROM pg_type WHERE oid = vectorize.base_type(type) AND typcategory = 'A') AS element) AS t
$$;

RESET ROLE;
