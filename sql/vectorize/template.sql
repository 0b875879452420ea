-- Templates: "{title}\n{body}" names columns in braces; {{ and }} stand for braces; NULL is empty.
SET LOCAL ROLE vectorize_owner;
SET LOCAL check_function_bodies = off;  -- files run in the order of their names, and name each other

-- Splits a template into its parts, in order: either a literal or a column's name. Fails on a brace that fits nothing.
CREATE OR REPLACE FUNCTION vectorize.template_parts(template text)
RETURNS TABLE (ord bigint, literal text, column_name text)
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    rest text;
BEGIN
    rest := regexp_replace(template, '\{\{|\}\}|\{[^{}]+\}', '', 'g');
    IF rest ~ '[{}]' THEN
        RAISE EXCEPTION 'the template has a single brace: write {column}, or {{ and }} for braces themselves'
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    RETURN QUERY
        SELECT p.ord,
               CASE WHEN p.part[1] = '{{' THEN '{' WHEN p.part[1] = '}}' THEN '}'
                    WHEN p.part[1] !~ '^\{' THEN p.part[1] END,
               CASE WHEN p.part[1] ~ '^\{[^{]' THEN substr(p.part[1], 2, length(p.part[1]) - 2) END
        FROM regexp_matches(template, '\{\{|\}\}|\{[^{}]+\}|[^{}]+', 'g') WITH ORDINALITY AS p (part, ord);
END
$$;

-- The names of a template's columns, each once.
CREATE OR REPLACE FUNCTION vectorize.template_columns(template text) RETURNS text[]
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(array_agg(DISTINCT column_name), '{}') FROM vectorize.template_parts(template) WHERE column_name IS NOT NULL
$$;

-- The SQL expression that renders a row known as `alias`. pg_catalog.concat calls a type's output function and no cast, so
-- nothing that a user wrote runs in it; boolean alone reads better as `true` than as its output `t`.
CREATE OR REPLACE FUNCTION vectorize.template_expression(template text, source oid, alias text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT 'pg_catalog.concat(' || string_agg(
        CASE WHEN p.column_name IS NULL THEN quote_literal(p.literal)
             WHEN a.atttypid = 'boolean'::regtype THEN format('CAST(%s.%I AS pg_catalog.text)', alias, p.column_name)
             ELSE format('%s.%I', alias, p.column_name) END, ', ' ORDER BY p.ord) || ')'
    FROM vectorize.template_parts(template) AS p
    LEFT JOIN pg_attribute AS a ON a.attrelid = source AND a.attname = p.column_name AND a.attnum > 0 AND NOT a.attisdropped
$$;

-- What makes two renderings of one row comparable: the settings that output functions look at.
CREATE OR REPLACE FUNCTION vectorize.render_settings() RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT $x$SET timezone = 'UTC' SET datestyle = 'ISO, YMD' SET intervalstyle = 'postgres' SET bytea_output = 'hex'
    SET extra_float_digits = 1 SET lc_monetary = 'C'$x$
$$;

RESET ROLE;
