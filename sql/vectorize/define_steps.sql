-- The steps of vectorize.apply that are the engine's own.
SET LOCAL ROLE vectorize_owner;
SET LOCAL check_function_bodies = off;  -- files run in the order of their names, and name each other

-- Writes the job's row, and makes its tables and trigger functions. The table comes as an oid: the engine's owner may not be
-- able to look a name up in the schema of the source.
CREATE OR REPLACE FUNCTION vectorize.record_job(spec jsonb, source_table regclass) RETURNS vectorize.job
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    s jsonb := vectorize.spec_defaults() || jsonb_strip_nulls(spec);
    key text[] := vectorize.source_key(source_table, ARRAY(SELECT jsonb_array_elements_text(s -> 'key')));
    types text[] := vectorize.key_types(source_table, key);
    j vectorize.job;
BEGIN
    -- A removed job of this name comes back with its receipts, unless it was another table's or another shape's.
    SELECT * INTO j FROM vectorize.job AS o WHERE o.name = s ->> 'name' AND o.state = 'removed';
    IF FOUND AND (j.source, j.key_types, j.target, j.target_column, j.type, j.dimensions)
        IS DISTINCT FROM (source_table, types, s ->> 'target', s ->> 'column', s ->> 'type', (s ->> 'dimensions')::int) THEN
        PERFORM vectorize.forget(j.id);
    END IF;
    INSERT INTO vectorize.job AS o (name, source, key_columns, key_types, key_operators, template, target, target_column, type, dimensions,
        distance, index_method, index_options, index_coverage, deployment, batch_size, fingerprint, facts, state)
    VALUES (s ->> 'name', source_table, key, types, vectorize.key_operators(source_table, key), s ->> 'template', s ->> 'target', s ->> 'column', s ->> 'type',
        (s ->> 'dimensions')::int, s ->> 'distance', s ->> 'index', s -> 'index_options', (s ->> 'index_coverage')::real, s ->> 'deployment',
        (s ->> 'batch_size')::int, vectorize.fingerprint(s ->> 'deployment', (s ->> 'dimensions')::int, s ->> 'template', 1), '{}', coalesce(s ->> 'state', 'active'))
    ON CONFLICT (name) DO UPDATE SET key_columns = excluded.key_columns, template = excluded.template, distance = excluded.distance,
        key_operators = excluded.key_operators, index_method = excluded.index_method, index_options = excluded.index_options,
        index_coverage = excluded.index_coverage, deployment = excluded.deployment, batch_size = excluded.batch_size,
        reason = NULL,
        fingerprint = vectorize.fingerprint(excluded.deployment, excluded.dimensions, excluded.template, o.revision),
        state = coalesce(s ->> 'state', CASE WHEN o.state = 'paused' THEN 'paused' ELSE 'active' END)
    RETURNING * INTO j;
    INSERT INTO vectorize.counter (job) VALUES (j.id) ON CONFLICT DO NOTHING;
    IF to_regclass('vectorize_jobs.item_' || j.id) IS NULL THEN
        CALL vectorize.generate_tables(j.id, vectorize.key_definitions(source_table, key));
    END IF;
    CALL vectorize.generate_sync(j.id, source_table, key, types, j.template);
    RETURN j;
END
$$;

CREATE OR REPLACE FUNCTION vectorize.fingerprint(deployment_name text, dimensions integer, template text, revision integer) RETURNS bytea
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT sha256(convert_to(jsonb_build_array(d.model, $2, $3, $4)::text, 'UTF8')) FROM vectorize.deployment AS d WHERE d.name = $1
$$;

-- For the length of the transaction the source's owner may make its functions and triggers here. Functions that an earlier
-- owner of the source made are dropped: they would run as that one.
CREATE OR REPLACE PROCEDURE vectorize.open_schema(j vectorize.job, owner text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    foreign_function regprocedure;
    caller text := coalesce(nullif(current_setting('role'), 'none'), session_user);
BEGIN
    -- Who makes things here could put them under the engine's own names: it is for the source's owner, and who can act as that.
    IF NOT EXISTS (SELECT FROM vectorize.job AS o JOIN pg_class AS c ON c.oid = o.source
                   WHERE o.id = j.id AND c.relowner = quote_ident(owner)::regrole AND pg_has_role(caller, c.relowner, 'SET')) THEN
        RAISE EXCEPTION 'job %: % cannot act as %', j.name, caller, owner USING ERRCODE = 'insufficient_privilege';
    ELSIF EXISTS (SELECT FROM pg_class AS c WHERE c.relnamespace = 'vectorize_jobs'::regnamespace AND c.relowner <> 'vectorize_owner'::regrole) THEN
        RAISE EXCEPTION 'job %: schema vectorize_jobs holds tables that are not the engine''s; drop them', j.name USING ERRCODE = 'insufficient_privilege';
    END IF;
    FOR foreign_function IN
        SELECT p.oid FROM pg_proc AS p
        WHERE p.pronamespace = 'vectorize_jobs'::regnamespace AND p.proname ~ format('^(read|scan|sample|lock|write)_%s$', j.id) AND p.proowner <> quote_ident(owner)::regrole
    LOOP
        EXECUTE format('DROP FUNCTION %s', foreign_function);
    END LOOP;
    EXECUTE format('GRANT USAGE, CREATE ON SCHEMA vectorize_jobs TO %I', owner);
    EXECUTE format('GRANT EXECUTE ON FUNCTION vectorize_jobs.sync_%s(), vectorize_jobs.truncated_%s() TO %I', j.id, j.id, owner);
END
$$;

CREATE OR REPLACE PROCEDURE vectorize.close_schema(j vectorize.job, owner text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF owner <> 'vectorize_owner' THEN
        EXECUTE format('REVOKE USAGE, CREATE ON SCHEMA vectorize_jobs FROM %I', owner);
        EXECUTE format('REVOKE EXECUTE ON FUNCTION vectorize_jobs.sync_%s(), vectorize_jobs.truncated_%s() FROM %I', j.id, j.id, owner);
    END IF;
END
$$;

-- What makes the place for the vectors, where it is not there yet. Adding a column without a default rewrites nothing.
CREATE OR REPLACE FUNCTION vectorize.target_statements(j vectorize.job) RETURNS SETOF text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    vectors text := format('%s.%I(%s)', vectorize.vector_schema(), j.type, j.dimensions);
    target text := vectorize.target_table_name(j.source, j.target_column);
BEGIN
    IF j.target = 'column' THEN
        IF NOT EXISTS (SELECT FROM pg_attribute WHERE attrelid = j.source AND attname = j.target_column AND NOT attisdropped) THEN
            RETURN NEXT format('ALTER TABLE %s ADD COLUMN %I %s', vectorize.table_name(j.source), j.target_column, vectors);
        END IF;
    ELSIF vectorize.side_table(j.source, j.target_column) IS NULL THEN
        RETURN NEXT format('CREATE TABLE %s (%s, %I %s NOT NULL, PRIMARY KEY (%s))', target,
            (SELECT string_agg(format('%I %s', c, d), ', ' ORDER BY ord)
             FROM unnest(j.key_columns, vectorize.key_definitions(j.source, j.key_columns)) WITH ORDINALITY AS x (c, d, ord)),
            j.target_column, vectors, (SELECT string_agg(quote_ident(c), ', ' ORDER BY ord) FROM unnest(j.key_columns) WITH ORDINALITY AS x (c, ord)));
    END IF;
END
$$;

CREATE OR REPLACE FUNCTION vectorize.record_target(job_id integer) RETURNS vectorize.job
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    UPDATE vectorize.job SET target_table = CASE target WHEN 'column' THEN source
        ELSE vectorize.side_table(source, target_column) END
    WHERE id = job_id RETURNING *
$$;

-- Triggers that are missing: rows everywhere, TRUNCATE on the table and on each of its partitions, since a partition's own
-- fires nothing on its parent. ALWAYS, so that rows that logical replication writes count too.
CREATE OR REPLACE FUNCTION vectorize.trigger_statements(j vectorize.job) RETURNS SETOF text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    t record;
BEGIN
    FOR t IN
        SELECT vectorize.table_name(r.oid) AS relation, r.name, r.event, tg.tgenabled
        FROM (
            SELECT j.source::oid AS oid, format('vectorize_%s', j.id) AS name,
                   format('AFTER INSERT OR UPDATE OR DELETE ON %s FOR EACH ROW EXECUTE FUNCTION vectorize_jobs.sync_%s()', vectorize.table_name(j.source), j.id) AS event
            UNION ALL
            SELECT p.oid, format('vectorize_%s_truncate', j.id),
                   format('AFTER TRUNCATE ON %s FOR EACH STATEMENT EXECUTE FUNCTION vectorize_jobs.truncated_%s()', vectorize.table_name(p.oid), j.id)
            FROM (SELECT j.source::oid AS oid UNION SELECT relid FROM pg_partition_tree(j.source)) AS p
        ) AS r
        LEFT JOIN pg_trigger AS tg ON tg.tgrelid = r.oid AND tg.tgname = r.name
        WHERE tg.tgenabled IS DISTINCT FROM 'A'
    LOOP
        IF t.tgenabled IS NULL THEN
            RETURN NEXT format('CREATE TRIGGER %I %s', t.name, t.event);
        END IF;
        RETURN NEXT format('ALTER TABLE %s ENABLE ALWAYS TRIGGER %I', t.relation, t.name);
    END LOOP;
END
$$;

RESET ROLE;
