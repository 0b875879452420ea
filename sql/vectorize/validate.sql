-- What is wrong with a specification in this database. Read as the caller: whether the caller may is part of the question.
SET LOCAL ROLE vectorize_owner;
SET LOCAL check_function_bodies = off;  -- files run in the order of their names, and name each other

-- Everything wrong, one line each; nothing when the job can be defined.
CREATE OR REPLACE FUNCTION vectorize.problems(spec jsonb) RETURNS SETOF text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    full_spec jsonb := vectorize.full_spec(spec);
    source oid;
    found text[] := ARRAY(SELECT vectorize.spec_mistakes(spec));
BEGIN
    RETURN QUERY SELECT unnest(found);
    RETURN QUERY SELECT * FROM vectorize.deployment_problems(full_spec);
    IF vectorize.vector_schema() IS NULL AND full_spec ->> 'operation' = 'embed' THEN
        RETURN NEXT 'type: the extension vector is not installed in this database (CREATE EXTENSION vector)';
    END IF;
    BEGIN
        source := to_regclass(full_spec ->> 'table');
    EXCEPTION WHEN OTHERS THEN
        source := NULL;  -- not even a name; the message below says it
    END;
    IF source IS NULL THEN
        IF full_spec ->> 'table' IS NOT NULL THEN
            RETURN NEXT format('table: there is no table %s (write schema.table)', full_spec ->> 'table');
        END IF;
        RETURN;
    END IF;
    RETURN QUERY SELECT * FROM vectorize.table_problems(source);
    IF cardinality(found) > 0 THEN
        RETURN;  -- the rest reads fields that are known to be wrong
    END IF;
    RETURN QUERY SELECT * FROM vectorize.key_problems(source, ARRAY(SELECT jsonb_array_elements_text(full_spec -> 'key')), full_spec -> 'chunking' <> 'null');
    RETURN QUERY SELECT * FROM vectorize.template_problems(source, full_spec);
    RETURN QUERY SELECT * FROM vectorize.target_problems(source, full_spec);
    RETURN QUERY SELECT * FROM vectorize.change_problems(source, full_spec);
END
$$;

CREATE OR REPLACE FUNCTION vectorize.deployment_problems(spec jsonb) RETURNS SETOF text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    d vectorize.deployment;
    wanted integer;
    needs text := (SELECT o.needs FROM vectorize.operation_named(spec ->> 'operation') AS o);
BEGIN
    IF spec ->> 'deployment' IS NULL THEN
        RETURN;
    END IF;
    SELECT * INTO d FROM vectorize.deployment WHERE name = spec ->> 'deployment';
    IF NOT FOUND THEN
        RETURN NEXT format('deployment: %s is not known; call vectorize.set_deployment first (known: %s)', spec ->> 'deployment',
            coalesce((SELECT string_agg(name, ', ' ORDER BY name) FROM vectorize.deployment), 'none'));
        RETURN;
    END IF;
    IF needs = 'embedding' AND d.dimensions IS NULL THEN
        RETURN NEXT format('deployment: %s is %s, which makes no vectors', d.name, d.model);
    ELSIF needs = 'chat' AND (d.dimensions IS NOT NULL OR d.tokens_per_minute IS NULL) THEN
        RETURN NEXT format('deployment: %s is %s, and %s needs a chat model', d.name, d.model, spec ->> 'operation');
    END IF;
    IF spec ->> 'dimensions' ~ '^\d{1,9}$' THEN
        wanted := (spec ->> 'dimensions')::integer;
        IF wanted > d.dimensions OR (wanted < d.dimensions AND d.model !~ '^text-embedding-3') THEN
            RETURN NEXT format('dimensions: %s gives %s%s, not %s', d.model, d.dimensions,
                CASE WHEN d.model ~ '^text-embedding-3' THEN ' or fewer' ELSE '' END, wanted);
        END IF;
    END IF;
END
$$;

CREATE OR REPLACE FUNCTION vectorize.table_problems(source oid) RETURNS SETOF text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    c pg_class;
    owner text;
    source_name text := vectorize.table_name(source);
BEGIN
    SELECT * INTO c FROM pg_class WHERE oid = source;
    owner := pg_get_userbyid(c.relowner);
    IF c.relkind NOT IN ('r', 'p') THEN
        RETURN NEXT format('table: %s is not a table', source_name);
    ELSIF c.relpersistence = 't' THEN
        RETURN NEXT format('table: %s is temporary', source_name);
    ELSIF c.relnamespace::regnamespace::text ~ '^(pg_|information_schema$|vectorize$|vectorize_jobs$)' THEN
        RETURN NEXT format('table: %s is a system table', source_name);
    ELSIF vectorize.has_heirs(source) THEN
        RETURN NEXT format('table: %s has tables that inherit from it, so its key is not unique; define a job for each of them', source_name);
    END IF;
    IF NOT pg_has_role(current_user, c.relowner, 'SET') THEN
        RETURN NEXT format('table: %s belongs to %s, and %s cannot act as it: define the job as its owner, or GRANT %I TO %I',
            source_name, owner, current_user, owner, current_user);
    END IF;
    IF vectorize.hides_rows(source) THEN
        RETURN NEXT format('table: row security is forced on %s and no policy lets its owner %s see a row: CREATE POLICY ... TO %I', source_name, owner, owner);
    END IF;
END
$$;

CREATE OR REPLACE FUNCTION vectorize.key_problems(source oid, wanted text[], chunked boolean) RETURNS SETOF text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    key text[] := vectorize.source_key(source, wanted);
    bad record;
BEGIN
    IF key IS NULL AND cardinality(wanted) = 0 THEN
        RETURN NEXT format('key: %s has no primary key that can be checked at once; name the columns of another unique index', vectorize.table_name(source));
    ELSIF key IS NULL THEN
        RETURN NEXT format('key: (%s) needs columns that are NOT NULL and a unique index on just them, with their own collation, neither partial nor deferrable',
            array_to_string(wanted, ', '));
    END IF;
    FOR bad IN
        SELECT a.attname, format_type(t.oid, NULL) AS type, t.typtype, t.typcategory, n.nspname
        FROM pg_attribute AS a
        JOIN pg_type AS t ON t.oid = vectorize.base_type(a.atttypid)
        JOIN pg_namespace AS n ON n.oid = t.typnamespace
        WHERE a.attrelid = source AND a.attname = ANY (key)
          AND (t.typtype = 'c' OR t.typcategory = 'A' OR NOT has_schema_privilege('vectorize_owner', n.oid, 'USAGE'))
    LOOP
        RETURN NEXT CASE WHEN bad.typtype = 'c' THEN format('key: column %s is of the composite type %s', bad.attname, bad.type)
            -- Keys travel as arrays of each column, and an array of arrays has lost where one ends.
            WHEN bad.typcategory = 'A' THEN format('key: column %s is of the array type %s', bad.attname, bad.type)
            ELSE format('key: the type %s of column %s is out of reach: GRANT USAGE ON SCHEMA %I TO vectorize_owner', bad.type, bad.attname, bad.nspname) END;
    END LOOP;
    RETURN QUERY SELECT format('key: a column named %s is in the way of the chunks'' own', c) FROM unnest(key) AS c WHERE chunked AND c IN ('chunk_id', 'chunk', 'content');
END
$$;

-- Columns exist, are stored, and turn into text by an output function of PostgreSQL's own or of an extension's, never a user's.
CREATE OR REPLACE FUNCTION vectorize.template_problems(source oid, spec jsonb) RETURNS SETOF text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE
        WHEN a.attname IS NULL THEN format('template: %s has no column %s (it has %s)', vectorize.table_name(source), n.name, (
            SELECT string_agg(o.attname, ', ' ORDER BY o.attnum) FROM pg_attribute AS o WHERE o.attrelid = source AND o.attnum > 0 AND NOT o.attisdropped))
        WHEN spec ->> 'target' = 'column' AND n.name = spec ->> 'column' THEN format('template: %s is the column that the vectors go to', n.name)
        WHEN a.attgenerated = 'v' THEN format('template: %s is generated when read, so triggers do not see it; make it STORED', n.name)
        ELSE format('template: column %s of type %s has no built-in text form', n.name, format_type(a.atttypid, a.atttypmod)) END
    FROM unnest(vectorize.template_columns(spec ->> 'template')) AS n (name)
    LEFT JOIN pg_attribute AS a ON a.attrelid = source AND a.attname = n.name AND a.attnum > 0 AND NOT a.attisdropped
    LEFT JOIN pg_type AS t ON t.oid = vectorize.base_type(a.atttypid)
    LEFT JOIN pg_type AS e ON e.oid = vectorize.base_type(t.typelem) AND t.typcategory = 'A'
    WHERE a.attname IS NULL OR a.attgenerated = 'v' OR (spec ->> 'target' = 'column' AND n.name = spec ->> 'column')
       OR coalesce(e.typtype, t.typtype) NOT IN ('b', 'e', 'r', 'm')
       OR (coalesce(e.typtype, t.typtype) = 'b' AND coalesce(e.oid, t.oid) >= 16384
           AND NOT EXISTS (SELECT FROM pg_cast WHERE castsource = coalesce(e.oid, t.oid) AND casttarget = 'text'::regtype AND castmethod = 'b'))
$$;

RESET ROLE;
