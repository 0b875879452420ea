-- Filters of a search: {"column": value} and {"column": {"<": value}}. Columns are looked up, comparisons are the column's own,
-- and values become literals of the column's type, so nothing of a filter is ever read as SQL.
SET LOCAL ROLE vectorize_owner;
SET LOCAL check_function_bodies = off;  -- files run in the order of their names, and name each other

-- The condition for a WHERE clause on the table known as `alias`, or NULL without a filter. With the caller's own rights, since
-- a type's input function may be a user's.
CREATE OR REPLACE FUNCTION vectorize.filter_condition(source oid, alias text, filter jsonb) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    part record;
    conditions text[] := '{}';
BEGIN
    IF filter IS NULL OR filter = 'null' THEN
        RETURN NULL;
    ELSIF jsonb_typeof(filter) <> 'object' THEN
        RAISE EXCEPTION 'filter: % is not an object of columns and values', filter USING ERRCODE = 'invalid_parameter_value';
    END IF;
    FOR part IN
        SELECT f.key AS column_name, a.atttypid AS type, c.key AS comparison, c.value
        FROM jsonb_each(filter) AS f
        LEFT JOIN LATERAL jsonb_each(CASE jsonb_typeof(f.value) WHEN 'object' THEN f.value ELSE jsonb_build_object('=', f.value) END) AS c ON true
        LEFT JOIN pg_attribute AS a ON a.attrelid = source AND a.attname = f.key AND a.attnum > 0 AND NOT a.attisdropped
    LOOP
        IF part.type IS NULL THEN
            RAISE EXCEPTION 'filter: % has no column %', vectorize.table_name(source), part.column_name USING ERRCODE = 'undefined_column',
                HINT = 'It has ' || (SELECT string_agg(a.attname, ', ' ORDER BY a.attnum) FROM pg_attribute AS a
                                     WHERE a.attrelid = source AND a.attnum > 0 AND NOT a.attisdropped) || '.';
        ELSIF part.comparison IS NULL THEN
            RAISE EXCEPTION 'filter: nothing to compare column % with', part.column_name USING ERRCODE = 'invalid_parameter_value';
        END IF;
        conditions := conditions || vectorize.filter_comparison(part.column_name, format('%s.%I', alias, part.column_name),
            vectorize.base_type(part.type), part.comparison, part.value);
    END LOOP;
    RETURN nullif(array_to_string(conditions, ' AND '), '');
END
$$;

-- One comparison of a column with a value.
CREATE OR REPLACE FUNCTION vectorize.filter_comparison(column_name text, expression text, type oid, comparison text, value jsonb) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    operator text := vectorize.filter_operator(type, comparison);
    literals text[];
BEGIN
    IF NOT comparison = ANY ('{=,<>,<,<=,>,>=,in,contains}'::text[]) THEN
        RAISE EXCEPTION 'filter: column % cannot be compared by %', column_name, comparison
            USING ERRCODE = 'invalid_parameter_value', HINT = 'There are =, <>, <, <=, >, >=, in, and contains for arrays and jsonb.';
    ELSIF value = 'null' AND comparison IN ('=', '<>') THEN
        RETURN format('%s IS %sNULL', expression, CASE comparison WHEN '<>' THEN 'NOT ' ELSE '' END);
    ELSIF operator IS NULL THEN
        RAISE EXCEPTION 'filter: column % of type % cannot be compared by %', column_name, format_type(type, -1), comparison
            USING ERRCODE = 'invalid_parameter_value';
    ELSIF comparison = 'in' AND jsonb_typeof(value) <> 'array' THEN
        RAISE EXCEPTION 'filter: column % is to be in %, which is not a list', column_name, value USING ERRCODE = 'invalid_parameter_value';
    END IF;
    literals := ARRAY(SELECT vectorize.filter_literal(column_name, type, v.value)
                      FROM jsonb_array_elements(CASE comparison WHEN 'in' THEN value ELSE jsonb_build_array(value) END) AS v (value));
    RETURN CASE comparison
        WHEN 'in' THEN CASE WHEN cardinality(literals) = 0 THEN 'false'
                            ELSE format('%s %s ANY (ARRAY[%s])', expression, operator, array_to_string(literals, ', ')) END
        WHEN '<>' THEN format('NOT %s %s %s', expression, operator, literals[1])
        ELSE format('%s %s %s', expression, operator, literals[1]) END;
END
$$;

-- A value as a literal of a type, without the type's length, which would cut it to fit.
CREATE OR REPLACE FUNCTION vectorize.filter_literal(column_name text, type oid, value jsonb) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    content text := CASE WHEN type = 'jsonb'::regtype THEN value::text
                         WHEN jsonb_typeof(value) = 'array' THEN ARRAY(SELECT jsonb_array_elements_text(value))::text
                         ELSE value #>> '{}' END;
BEGIN
    -- Not a variable in place of format_type: PL/pgSQL keeps the call, and the call the type that a variable named first.
    IF content IS NULL OR NOT pg_input_is_valid(content, format_type(type, -1)) THEN
        RAISE EXCEPTION 'filter: % is not a value of column %, which is of type %', value, column_name, format_type(type, -1)
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    RETURN format('CAST(%L AS %s)', content, format_type(type, -1));
END
$$;

-- The operator that a type's own B-tree order uses, with its schema; NULL where there is none. `in` and <> go by equality.
CREATE OR REPLACE FUNCTION vectorize.filter_operator(type oid, comparison text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE WHEN comparison = 'contains' THEN CASE WHEN t.typcategory = 'A' OR t.oid = 'jsonb'::regtype THEN 'OPERATOR(pg_catalog.@>)' END
                WHEN comparison = 'in' AND t.typcategory = 'A' THEN NULL  -- a list of arrays is an array of more dimensions
                ELSE (
        SELECT format('OPERATOR(%I.%s)', n.nspname, o.oprname)
        FROM pg_opclass AS c
        JOIN pg_am AS m ON m.oid = c.opcmethod AND m.amname = 'btree'
        JOIN pg_amop AS s ON s.amopfamily = c.opcfamily AND s.amoplefttype = c.opcintype AND s.amoprighttype = c.opcintype
            AND s.amopstrategy = CASE comparison WHEN '<' THEN 1 WHEN '<=' THEN 2 WHEN '>=' THEN 4 WHEN '>' THEN 5 ELSE 3 END
        JOIN pg_operator AS o ON o.oid = s.amopopr
        JOIN pg_namespace AS n ON n.oid = o.oprnamespace
        WHERE c.opcdefault AND (c.opcintype = t.oid
            OR c.opcintype = CASE t.typtype WHEN 'e' THEN 'anyenum'::regtype WHEN 'r' THEN 'anyrange'::regtype WHEN 'm' THEN 'anymultirange'::regtype
                                            ELSE CASE t.typcategory WHEN 'A' THEN 'anyarray'::regtype END END
            OR EXISTS (SELECT FROM pg_cast AS k WHERE k.castsource = t.oid AND k.casttarget = c.opcintype AND k.castmethod = 'b' AND k.castcontext = 'i'))
        ORDER BY c.opcintype = t.oid DESC, c.oid LIMIT 1) END
    FROM pg_type AS t WHERE t.oid = type
$$;

RESET ROLE;
