-- What is wrong with the specification of a label.
SET LOCAL ROLE vectorize_owner;
SET LOCAL check_function_bodies = off;  -- files run in the order of their names, and name each other

-- Mistakes that can be told from the text alone. Names: age 1.5.0 takes graphs of 3 to 63 characters; a label's name has to leave room
-- for the table of its keys beside it.
CREATE OR REPLACE FUNCTION vectorize.graph_mistakes(operation text, arguments jsonb) RETURNS SETOF text
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    side text;
    ends jsonb;
BEGIN
    IF (arguments ->> 'graph' ~ '^[A-Za-z_][A-Za-z0-9_]{2,62}$') IS NOT TRUE THEN
        RETURN NEXT 'arguments.graph: not a name of 3 to 63 letters, digits and _';
    END IF;
    IF (arguments ->> 'label' ~ '^[A-Za-z_][A-Za-z0-9_]{0,57}$') IS NOT TRUE OR arguments ->> 'label' ~ '^_ag_label|_key$' THEN
        RETURN NEXT 'arguments.label: not a name of 1 to 58 letters, digits and _; _key at its end and _ag_label at its beginning are taken';
    END IF;
    IF NOT vectorize.are_names(coalesce(arguments -> 'properties', '[]')) THEN
        RETURN NEXT 'arguments.properties: not a list of column names';
    END IF;
    IF arguments ? 'filter' AND (jsonb_typeof(arguments -> 'filter') = 'string' AND arguments ->> 'filter' ~ '\S') IS NOT TRUE THEN
        RETURN NEXT 'arguments.filter: not a condition in SQL';
    END IF;
    FOREACH side IN ARRAY ARRAY['from', 'to'] LOOP
        ends := arguments -> side;
        IF operation = 'vertex' AND ends IS NOT NULL THEN
            RETURN NEXT format('arguments.%s: a vertex has no ends', side);
        ELSIF operation = 'edge' AND (jsonb_typeof(ends -> 'vertex') = 'string' AND vectorize.are_names(ends -> 'key') AND jsonb_array_length(ends -> 'key') > 0) IS NOT TRUE THEN
            RETURN NEXT format('arguments.%s: not an object of vertex, a label, and key, the columns that name it', side);
        END IF;
    END LOOP;
END
$$;

CREATE OR REPLACE FUNCTION vectorize.are_names(list jsonb) RETURNS boolean
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT jsonb_typeof(list) = 'array' AND NOT jsonb_path_exists(list, 'strict $[*] ? (@.type() != "string" || @ == "")')
$$;

-- What is wrong in this database. Read as the caller, who tries the filter too: who may define the job can act as the source's owner.
CREATE OR REPLACE FUNCTION vectorize.graph_problems(source_table oid, spec jsonb) RETURNS SETOF text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    given jsonb := spec -> 'arguments';
    side text;
    v vectorize.job;
    columns text[];
    types text[];
BEGIN
    IF NOT EXISTS (SELECT FROM vectorize.graph AS g WHERE g.name = given ->> 'graph') THEN
        RETURN NEXT format('arguments.graph: there is no graph %s; CALL vectorize.define_graph(%L) first', given ->> 'graph', given ->> 'graph');
        RETURN;
    END IF;
    RETURN QUERY SELECT format('arguments.label: job %s keeps the label %s already', j.name, given ->> 'label')
        FROM vectorize.job AS j
        WHERE vectorize.in_graph(j) AND j.arguments ->> 'graph' = given ->> 'graph' AND j.arguments ->> 'label' = given ->> 'label'
          AND j.name <> spec ->> 'name' AND j.state <> 'removed';
    FOREACH side IN ARRAY CASE spec ->> 'operation' WHEN 'edge' THEN '{from,to}'::text[] ELSE '{}' END LOOP
        v := vectorize.vertex_job(given ->> 'graph', given -> side ->> 'vertex');
        columns := ARRAY(SELECT jsonb_array_elements_text(given -> side -> 'key'));
        types := ARRAY(SELECT format_type(vectorize.base_type(a.atttypid), -1) FROM unnest(columns) WITH ORDINALITY AS c (name, ord)
            JOIN pg_attribute AS a ON a.attrelid = source_table AND a.attname = c.name AND NOT a.attisdropped ORDER BY c.ord);
        IF v.id IS NULL THEN
            RETURN NEXT format('arguments.%s: the graph has no vertices %s; define them first', side, given -> side ->> 'vertex');
        ELSIF cardinality(columns) <> cardinality(v.key_columns) THEN
            RETURN NEXT format('arguments.%s: the key of %s is (%s), so %s columns name it, not %s', side, given -> side ->> 'vertex',
                array_to_string(v.key_columns, ', '), cardinality(v.key_columns), cardinality(columns));
        ELSIF cardinality(types) = cardinality(columns) AND NOT (
            SELECT bool_and(a.typcategory = b.typcategory) FROM unnest(types, v.key_types) AS t (has, needs)
            JOIN pg_type AS a ON a.oid = t.has::regtype JOIN pg_type AS b ON b.oid = t.needs::regtype) THEN
            RETURN NEXT format('arguments.%s: (%s) is of type %s, and the key of %s of type %s', side, array_to_string(columns, ', '), array_to_string(types, ', '),
                given -> side ->> 'vertex', array_to_string(v.key_types, ', '));
        END IF;
    END LOOP;
    IF given ? 'filter' AND to_regclass(vectorize.table_name(source_table)) IS NOT NULL THEN
        BEGIN
            EXECUTE format(E'SELECT (%s\n) OR false FROM %s AS s LIMIT 0', given ->> 'filter', vectorize.table_name(source_table));
        EXCEPTION WHEN OTHERS THEN
            RETURN NEXT format('arguments.filter: %s', sqlerrm);
        END;
    END IF;
END
$$;

-- The job that keeps the vertices of a label.
CREATE OR REPLACE FUNCTION vectorize.vertex_job(graph text, label text) RETURNS vectorize.job
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT j FROM vectorize.job AS j
    WHERE j.operation = 'vertex' AND j.arguments ->> 'graph' = $1 AND j.arguments ->> 'label' = $2 AND j.state <> 'removed'
$$;

RESET ROLE;
