-- Writing a definition down: which row of `job` it means, and what that row says then.
SET LOCAL ROLE vectorize_owner;
SET LOCAL check_function_bodies = off;  -- files run in the order of their names, and name each other

-- The generation whose values a specification could go on with: same table, same kind of place; of vectors the same model and size, since
-- another's cannot be mixed with them. Other values are replaced in place.
CREATE OR REPLACE FUNCTION vectorize.fitting_generation(spec jsonb, declared_source oid) RETURNS vectorize.job
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT j FROM vectorize.job AS j
    WHERE j.name = spec ->> 'name' AND j.operation = spec ->> 'operation' AND j.declared_source = $2 AND EXISTS (SELECT FROM pg_class WHERE oid = j.source)
      AND (j.declared_column, j.type) = (spec ->> 'column', spec ->> 'type')
      AND (NOT vectorize.embeds(j) OR j.dimensions = (spec ->> 'dimensions')::int AND EXISTS (
          SELECT FROM vectorize.deployment AS had JOIN vectorize.deployment AS wanted ON wanted.model = had.model
          WHERE had.name = j.deployment AND wanted.name = spec ->> 'deployment'))
      -- A chunked job's place is the table that its chunks are kept in, in which the vectors are a column.
      AND CASE WHEN spec -> 'chunking' = 'null' THEN j.source = j.declared_source AND j.target = spec ->> 'target'
                    AND (j.key_columns, j.key_types) = (SELECT k.key, vectorize.key_types($2, k.key)
                        FROM (SELECT vectorize.source_key($2, ARRAY(SELECT jsonb_array_elements_text(spec -> 'key'))) AS key) AS k)
               ELSE j.source = (SELECT s.target_table FROM vectorize.job AS s WHERE s.name = j.name AND s.operation = 'split') END
    ORDER BY j.state = 'removed', j.standing = 'current' DESC, j.generation DESC LIMIT 1
$$;

-- The splitter that a specification goes on with: its source is there, and where the job was removed it is the same, with the same key.
CREATE OR REPLACE FUNCTION vectorize.fitting_splitter(spec jsonb, declared_source oid) RETURNS vectorize.job
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT j FROM vectorize.job AS j
    WHERE j.name = spec ->> 'name' AND j.operation = 'split' AND EXISTS (SELECT FROM pg_class WHERE oid = j.source)
      AND (j.state <> 'removed' OR (j.source, j.declared_column) = ($2, spec ->> 'column')
           AND j.key_types = vectorize.key_types($2, vectorize.source_key($2, ARRAY(SELECT jsonb_array_elements_text(spec -> 'key')))))
$$;

-- The column that the vectors of a specification go to: as declared, with a number behind it where another generation has that.
CREATE OR REPLACE FUNCTION vectorize.target_column(spec jsonb, declared_source oid) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce((vectorize.fitting_generation(spec, declared_source)).target_column, vectorize.free_column(spec, spec -> 'chunking' <> 'null', declared_source))
$$;

-- A name that no generation of the job has yet; columns of the chunk table, and those of the source with the tables beside it,
-- are two name spaces.
CREATE OR REPLACE FUNCTION vectorize.free_column(spec jsonb, among_chunks boolean, declared_on oid) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    candidate text := spec ->> 'column';
    n integer := 1;
BEGIN
    LOOP
        IF NOT EXISTS (SELECT FROM vectorize.job AS j WHERE j.name = spec ->> 'name' AND j.target_column = candidate
                AND (j.source <> j.declared_source) = among_chunks)
            -- A declared name is the user's wish; one with a number is ours to choose, and takes nothing that is there.
            AND (n = 1 OR among_chunks OR vectorize.side_table(declared_on, candidate) IS NULL
                AND NOT EXISTS (SELECT FROM pg_attribute AS a WHERE a.attrelid = declared_on AND a.attname = candidate AND NOT a.attisdropped)) THEN
            RETURN candidate;
        END IF;
        n := n + 1;
        candidate := left(spec ->> 'column', 27) || '_' || n;
    END LOOP;
END
$$;

-- Writes the row of one generation: that which fits, or a new one, which is filled beside the one that searches use. What the
-- definition does not mean is set aside, and can be had back without paying for its vectors again.
-- Tables come as oids: the engine's owner may not be able to look a name up in the schema of the source.
CREATE OR REPLACE FUNCTION vectorize.record_generation(
    spec jsonb, read_from regclass, declared_on regclass, OUT j vectorize.job, OUT before vectorize.job
)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    chunked boolean := read_from <> declared_on;
    key text[] := CASE WHEN chunked THEN '{chunk_id}' ELSE vectorize.source_key(declared_on, ARRAY(SELECT jsonb_array_elements_text(spec -> 'key'))) END;
    row_template text := CASE WHEN chunked THEN '{content}' ELSE spec ->> 'template' END;
    wanted_column text := vectorize.target_column(spec, declared_on);
    has_current boolean;
BEGIN
    before := vectorize.fitting_generation(spec, declared_on);
    IF chunked OR spec ->> 'target' = 'column' THEN
        -- What a removed job knows of this column is true no more once another writes there; nor what this one knows, if one did.
        PERFORM vectorize.forget(o.id) FROM vectorize.job AS o
        WHERE o.source = read_from AND o.target = 'column' AND o.target_column = wanted_column AND o.name <> spec ->> 'name' AND o.state = 'removed';
        IF FOUND AND before.state = 'removed' THEN
            before := NULL;
        END IF;
    END IF;
    PERFORM vectorize.forget_unusable(spec ->> 'name', before.id);
    has_current := EXISTS (SELECT FROM vectorize.job AS o WHERE o.name = spec ->> 'name' AND o.operation <> 'split' AND o.standing = 'current' AND o.id IS DISTINCT FROM before.id);
    UPDATE vectorize.job AS o SET standing = 'previous' WHERE o.name = spec ->> 'name' AND o.standing = 'next' AND o.id IS DISTINCT FROM before.id;
    IF before.id IS NULL THEN
        INSERT INTO vectorize.job AS o (name, operation, generation, standing, source, declared_source, key_columns, key_types, key_operators, template, target,
            target_column, declared_column, type, dimensions, distance, index_method, index_options, index_coverage, deployment, batch_size, fingerprint, facts, state)
        VALUES (spec ->> 'name', spec ->> 'operation',
            (SELECT coalesce(max(o.generation), 0) + 1 FROM vectorize.job AS o WHERE o.name = spec ->> 'name' AND o.operation <> 'split'),
            CASE WHEN has_current THEN 'next' ELSE 'current' END, read_from, declared_on, key, vectorize.key_types(read_from, key),
            vectorize.key_operators(read_from, key), row_template, CASE WHEN chunked THEN 'column' ELSE spec ->> 'target' END, wanted_column, spec ->> 'column',
            spec ->> 'type', (spec ->> 'dimensions')::int, spec ->> 'distance', spec ->> 'index', spec -> 'index_options', (spec ->> 'index_coverage')::real,
            spec ->> 'deployment', (spec ->> 'batch_size')::int, '', '{}', coalesce(spec ->> 'state', 'active'))
        RETURNING * INTO j;
    END IF;
    UPDATE vectorize.job AS o
    SET key_columns = key, key_operators = vectorize.key_operators(read_from, key), template = row_template, arguments = spec -> 'arguments', distance = spec ->> 'distance',
        index_method = spec ->> 'index', index_options = spec -> 'index_options', index_coverage = (spec ->> 'index_coverage')::real,
        deployment = spec ->> 'deployment', batch_size = (spec ->> 'batch_size')::int, full_text = spec #>> '{full_text,language}', reason = NULL,
        standing = CASE WHEN NOT has_current THEN 'current' WHEN o.standing = 'previous' THEN 'next' ELSE o.standing END,
        state = coalesce(spec ->> 'state', CASE WHEN o.state = 'paused' THEN 'paused' ELSE 'active' END)
    WHERE o.id = coalesce(before.id, j.id) RETURNING * INTO j;
    UPDATE vectorize.job AS o SET fingerprint = vectorize.fingerprint(j) WHERE o.id = j.id RETURNING * INTO j;
    CALL vectorize.make_queue(j);
END
$$;

-- Writes the row of the splitter, which keeps the table of a job's chunks.
CREATE OR REPLACE FUNCTION vectorize.record_splitter(spec jsonb, declared_on regclass, OUT j vectorize.job, OUT before vectorize.job)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    key text[] := vectorize.source_key(declared_on, ARRAY(SELECT jsonb_array_elements_text(spec -> 'key')));
    types text[] := vectorize.key_types(declared_on, key);
    tokens integer := (spec -> 'chunking' ->> 'max_tokens')::int;
    overlap integer := coalesce((spec -> 'chunking' ->> 'overlap')::int, 0);
BEGIN
    before := vectorize.fitting_splitter(spec, declared_on);
    IF before.id IS NULL AND EXISTS (SELECT FROM vectorize.job AS o WHERE o.name = spec ->> 'name' AND o.operation = 'split') THEN
        PERFORM vectorize.forget(o.id) FROM vectorize.job AS o WHERE o.name = spec ->> 'name';
    END IF;
    INSERT INTO vectorize.job AS o (name, operation, source, declared_source, key_columns, key_types, key_operators, template, target, target_column,
        declared_column, type, dimensions, distance, index_method, index_options, index_coverage, deployment, batch_size, chunk_tokens, chunk_overlap,
        fingerprint, facts, state)
    VALUES (spec ->> 'name', 'split', declared_on, declared_on, key, types, vectorize.key_operators(declared_on, key), spec ->> 'template', 'table',
        coalesce(before.target_column, vectorize.free_column(spec, false, declared_on)), spec ->> 'column', 'vector', 1, 'cosine', 'none',
        '{}', 1, spec ->> 'deployment', (spec ->> 'batch_size')::int, tokens, overlap,
        sha256(convert_to(jsonb_build_array('split', spec ->> 'template', tokens, overlap)::text, 'UTF8')), '{}', coalesce(spec ->> 'state', 'active'))
    ON CONFLICT (name) WHERE operation = 'split' DO UPDATE SET key_columns = excluded.key_columns, key_operators = excluded.key_operators,
        template = excluded.template, deployment = excluded.deployment, batch_size = excluded.batch_size, chunk_tokens = excluded.chunk_tokens,
        chunk_overlap = excluded.chunk_overlap, fingerprint = excluded.fingerprint, reason = NULL,
        state = coalesce(spec ->> 'state', CASE WHEN o.state = 'paused' THEN 'paused' ELSE 'active' END)
    RETURNING * INTO j;
    CALL vectorize.make_queue(j);
END
$$;

-- Rows of `job` that a definition cannot go on with: those of a removed job that has another shape now, and those whose source
-- was dropped. A removed job's generation that fits comes back with its receipts.
CREATE OR REPLACE FUNCTION vectorize.forget_unusable(job_name text, fitting integer) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT vectorize.forget(j.id) FROM vectorize.job AS j
    WHERE j.name = job_name AND j.operation <> 'split' AND j.id IS DISTINCT FROM fitting
      AND (j.state = 'removed' OR NOT EXISTS (SELECT FROM pg_class WHERE oid = j.source))
$$;

-- Counters, tables and trigger functions of one row of `job`, where they are not there yet.
CREATE OR REPLACE PROCEDURE vectorize.make_queue(j vectorize.job)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO vectorize.counter (job) VALUES (j.id) ON CONFLICT DO NOTHING;
    IF to_regclass('vectorize_jobs.item_' || j.id) IS NULL THEN
        CALL vectorize.generate_tables(j.id, vectorize.key_definitions(j.source, j.key_columns));
    END IF;
    CALL vectorize.generate_sync(j);
END
$$;

-- What makes all rows of a job old when it changes: they were done by another model, or asked for in other words.
CREATE OR REPLACE FUNCTION vectorize.fingerprint(j vectorize.job) RETURNS bytea
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT sha256(convert_to(CASE WHEN vectorize.embeds(j) THEN jsonb_build_array(m.model, j.dimensions, j.template, j.revision)
        ELSE jsonb_build_array(j.operation, j.arguments, m.model, j.template, j.revision) END::text, 'UTF8'))
    FROM (SELECT (SELECT d.model FROM vectorize.deployment AS d WHERE d.name = j.deployment) AS model) AS m
$$;

RESET ROLE;
