-- What is wrong with where a job's vectors, or other values, go, and with changing a job that is there.
SET LOCAL ROLE vectorize_owner;
SET LOCAL check_function_bodies = off;  -- files run in the order of their names, and name each other

-- Limits: pgvector README (HNSW and IVFFlat: vector 2,000 dimensions, halfvec 4,000).
CREATE OR REPLACE FUNCTION vectorize.index_problems(spec jsonb) RETURNS SETOF text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    wanted integer := (spec ->> 'dimensions')::integer;
    most integer := CASE WHEN spec ->> 'type' = 'vector' THEN 2000 ELSE 4000 END;
BEGIN
    IF spec ->> 'index' IN ('hnsw', 'ivfflat') AND wanted > most THEN
        RETURN NEXT format('index: %s on %s takes at most %s dimensions, not %s%s', spec ->> 'index', spec ->> 'type', most, wanted,
            CASE WHEN wanted <= 4000 THEN '; use type halfvec (to 4,000), fewer dimensions, or no index' ELSE '; use fewer dimensions, or no index' END);
    END IF;
    IF spec ->> 'index' = 'diskann' AND NOT EXISTS (SELECT FROM pg_extension WHERE extname = 'pg_diskann') THEN
        RETURN NEXT 'index: diskann needs the extension pg_diskann in this database';
    ELSIF spec ->> 'index' = 'diskann' AND spec ->> 'type' <> 'vector' THEN
        RETURN NEXT 'index: diskann takes the type vector only';
    END IF;
END
$$;

CREATE OR REPLACE FUNCTION vectorize.target_problems(source_table oid, spec jsonb) RETURNS SETOF text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    chunked boolean := spec -> 'chunking' <> 'null';
    embeds boolean := spec ->> 'operation' = 'embed';
    wanted text := CASE WHEN embeds THEN format('%s(%s)', spec ->> 'type', spec ->> 'dimensions') ELSE spec ->> 'type' END;
    source_name text := vectorize.table_name(source_table);
    column_name text := vectorize.target_column(spec, source_table);
    present vectorize.job;  -- what has its table already
    side_table oid;
    there pg_attribute;
BEGIN
    IF spec ->> 'operation' IN ('vertex', 'edge') THEN
        RETURN QUERY SELECT * FROM vectorize.graph_problems(source_table, spec);
        RETURN;
    END IF;
    RETURN QUERY SELECT * FROM vectorize.index_problems(spec);
    IF spec ->> 'target' = 'column' THEN
        SELECT * INTO there FROM pg_attribute AS a
        WHERE a.attrelid = source_table AND a.attname = column_name AND a.attnum > 0 AND NOT a.attisdropped;
        IF FOUND AND (there.attgenerated <> '' OR regexp_replace(format_type(there.atttypid, there.atttypmod), '^.*\.', '') <> wanted) THEN
            RETURN NEXT format('column: %s.%s is there with type %s, and the job needs %s', source_name, column_name,
                format_type(there.atttypid, there.atttypmod), wanted);
        ELSIF FOUND AND NOT embeds AND NOT EXISTS (
            SELECT FROM vectorize.job AS j WHERE j.name = spec ->> 'name' AND j.source = source_table AND j.target_column = column_name) THEN
            -- A vector is never anything but somebody's vector; a text may be anything, and would be written over.
            RETURN NEXT format('column: %s.%s is there already and belongs to no job of this name; choose another column', source_name, column_name);
        END IF;
        RETURN QUERY
            SELECT format('column: job %s writes to %s.%s already', j.name, source_name, j.target_column)
            FROM vectorize.job AS j
            WHERE j.source = source_table AND j.target_column = column_name AND j.target = 'column' AND j.name <> spec ->> 'name' AND j.state <> 'removed';
        -- Searches would compare the one model's queries with the other's vectors until all are replaced.
        RETURN QUERY
            SELECT format('column: %s.%s holds vectors of %s, which job %s left there; choose another column, or drop it', source_name, j.target_column, had.model, j.name)
            FROM vectorize.job AS j JOIN vectorize.deployment AS had ON had.name = j.deployment
            WHERE there.attname IS NOT NULL AND j.source = source_table AND j.target_column = column_name AND j.target = 'column' AND j.name <> spec ->> 'name'
              AND j.state = 'removed' AND had.model <> (SELECT d.model FROM vectorize.deployment AS d WHERE d.name = spec ->> 'deployment');
        RETURN;
    END IF;
    IF chunked THEN
        RETURN QUERY SELECT format('column: %s is a column of every table of chunks; choose another name', c)
            FROM unnest('{chunk_id,chunk,content}'::text[] || vectorize.source_key(source_table, ARRAY(SELECT jsonb_array_elements_text(spec -> 'key')))) AS c
            WHERE c = spec ->> 'column';
        column_name := coalesce((SELECT j.target_column FROM vectorize.job AS j WHERE j.name = spec ->> 'name' AND j.operation = 'split'),
                                vectorize.free_column(spec, false, source_table));
    END IF;
    present := CASE WHEN chunked THEN vectorize.fitting_splitter(spec, source_table)
        ELSE vectorize.fitting_generation(spec, source_table) END;
    IF EXISTS (SELECT FROM pg_class WHERE oid = present.target_table) THEN
        RETURN;  -- whatever it is called, and whatever now has the name that a new one would get
    END IF;
    side_table := vectorize.side_table(source_table, column_name);
    IF side_table IS NOT NULL AND NOT EXISTS (
        SELECT FROM vectorize.job AS j WHERE j.name = spec ->> 'name' AND j.target_table = side_table AND (j.operation = 'split') = chunked)
    THEN
        RETURN NEXT format('column: the table %s that the job would write is there already and belongs to no job of this name; choose another column', vectorize.table_name(side_table));
    END IF;
    IF NOT (SELECT has_schema_privilege(relowner, relnamespace, 'CREATE') FROM pg_class WHERE oid = source_table) THEN
        RETURN NEXT format('target: the owner of %s may not create a table beside it: GRANT CREATE ON its schema, or use target column', source_name);
    END IF;
END
$$;

-- Where the values of a table target go: beside the source, named after it and the column.
CREATE OR REPLACE FUNCTION vectorize.target_table_name(source oid, column_name text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT format('%I.%I', n.nspname, (left(c.relname, 62 - least(length(column_name), 30)) || '_' || left(column_name, 30))::name)
    FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE c.oid = source
$$;

-- The table of that name, where there is one.
CREATE OR REPLACE FUNCTION vectorize.side_table(source oid, column_name text) RETURNS oid
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT t.oid FROM pg_class AS t JOIN pg_class AS c ON c.relnamespace = t.relnamespace
    WHERE c.oid = source AND vectorize.table_name(t.oid) = vectorize.target_table_name(source, column_name)
$$;

-- The table beside the source that a job goes on with: its own, whatever that and the source are called by now; without one,
-- that of the name.
CREATE OR REPLACE FUNCTION vectorize.present_side_table(j vectorize.job) RETURNS oid
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce((SELECT c.oid FROM pg_class AS c WHERE c.oid = j.target_table), vectorize.side_table(j.source, j.target_column))
$$;

-- What a job that is there may not become: another model or place is another generation, another table or key another job.
CREATE OR REPLACE FUNCTION vectorize.change_problems(source oid, spec jsonb) RETURNS SETOF text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    j vectorize.job;
    key text[] := vectorize.source_key(source, ARRAY(SELECT jsonb_array_elements_text(spec -> 'key')));
    in_place vectorize.job;  -- the same job, where its values are no vectors
    changed record;
BEGIN
    SELECT o.* INTO j FROM vectorize.job AS o JOIN pg_class AS c ON c.oid = o.source
    WHERE o.name = spec ->> 'name' AND o.source = o.declared_source AND o.state <> 'removed' ORDER BY o.id DESC LIMIT 1;
    IF j.operation NOT IN ('embed', 'split') THEN
        in_place := j;
    END IF;
    FOR changed IN
        SELECT * FROM (VALUES
            ('operation', CASE j.operation WHEN 'split' THEN 'embed' ELSE j.operation END, spec ->> 'operation'),
            ('table', vectorize.table_name(j.source), vectorize.table_name(source)),
            ('key', array_to_string(j.key_columns, ', '), array_to_string(key, ', ')),
            ('key', array_to_string(j.key_types, ', '), array_to_string(vectorize.key_types(source, key), ', ')),
            -- Vectors of another kind are another generation.
            ('target', in_place.target, CASE WHEN in_place.target IS NOT NULL THEN spec ->> 'target' END),
            ('column', in_place.declared_column, CASE WHEN in_place.target IS NOT NULL THEN spec ->> 'column' END),
            ('type', in_place.type, CASE WHEN in_place.target IS NOT NULL THEN spec ->> 'type' END)
        ) AS v (field, old, new) WHERE j.id IS NOT NULL AND old IS DISTINCT FROM new
    LOOP
        RETURN NEXT format('%s: job %s has %s and cannot become %s in place; remove the job (CALL vectorize.remove) or define one of another name',
            changed.field, j.name, changed.old, changed.new);
    END LOOP;
END
$$;

RESET ROLE;
