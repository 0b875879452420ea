-- The steps of vectorize.build that are the engine's own.
SET LOCAL ROLE vectorize_owner;
SET LOCAL check_function_bodies = off;  -- files run in the order of their names, and name each other

-- For the length of the transaction the source's owner may make its functions and triggers here. Functions that an earlier
-- owner of the source made are dropped before: they would run as that one.
CREATE OR REPLACE FUNCTION vectorize.open_schema(j vectorize.job, owner text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    caller text := coalesce(nullif(current_setting('role'), 'none'), session_user);
BEGIN
    -- Who makes things here could put them under the engine's own names: it is for the source's owner, and who can act as that.
    IF NOT EXISTS (SELECT FROM vectorize.job AS o JOIN pg_class AS c ON c.oid = o.source
                   WHERE o.id = j.id AND c.relowner = quote_ident(owner)::regrole AND pg_has_role(caller, c.relowner, 'SET')) THEN
        RAISE EXCEPTION 'job %: % cannot act as %', j.name, caller, owner USING ERRCODE = 'insufficient_privilege';
    END IF;
    PERFORM vectorize.shut_schema();
    PERFORM vectorize.refuse_foreign_tables();
    EXECUTE format('GRANT USAGE, CREATE ON SCHEMA vectorize_jobs TO %I', owner);
    EXECUTE format('GRANT EXECUTE ON FUNCTION vectorize_jobs.sync_%s(), vectorize_jobs.truncated_%s() TO %I', j.id, j.id, owner);
    -- Until it is shut the engine finds no name here, so what is made now is looked at before it can be called.
    IF owner <> 'vectorize_owner' THEN
        REVOKE USAGE ON SCHEMA vectorize_jobs FROM vectorize_owner;
    END IF;
    -- Called by hand, nothing else would shut it. Last: where constraints are immediate, it is shut here.
    UPDATE vectorize.job AS o SET source = o.source WHERE o.id = j.id;
END
$$;

CREATE OR REPLACE FUNCTION vectorize.close_schema(j vectorize.job, owner text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM vectorize.shut_schema();
    PERFORM vectorize.refuse_foreign_tables();
    IF owner <> 'vectorize_owner' THEN
        EXECUTE format('REVOKE EXECUTE ON FUNCTION vectorize_jobs.sync_%s(), vectorize_jobs.truncated_%s() FROM %I', j.id, j.id, owner);
    END IF;
END
$$;

-- What makes the place for the vectors, the chunks or other values, where it is not there yet. Adding a column without a default
-- rewrites nothing.
CREATE OR REPLACE FUNCTION vectorize.target_statements(j vectorize.job) RETURNS SETOF text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    type text := vectorize.value_type(j);
    target text := vectorize.target_table_name(j.source, j.target_column);
    names text := (SELECT string_agg(quote_ident(c), ', ' ORDER BY ord) FROM unnest(j.key_columns) WITH ORDINALITY AS x (c, ord));
    keys text;
BEGIN
    IF vectorize.in_graph(j) THEN
        RETURN;  -- the engine's own place (record_target)
    ELSIF j.target = 'column' THEN
        IF NOT EXISTS (SELECT FROM pg_attribute WHERE attrelid = j.source AND attname = j.target_column AND NOT attisdropped) THEN
            RETURN NEXT format('ALTER TABLE %s ADD COLUMN %I %s', vectorize.table_name(j.source), j.target_column, type);
        END IF;
        RETURN;
    ELSIF vectorize.present_side_table(j) IS NOT NULL THEN
        RETURN;
    END IF;
    SELECT string_agg(format('%I %s', c, d), ', ' ORDER BY ord) INTO keys
    FROM unnest(j.key_columns, vectorize.key_definitions(j.source, j.key_columns)) WITH ORDINALITY AS x (c, d, ord);
    IF j.operation = 'split' THEN
        -- A chunk's number tells where it stands in its text; its id stays when it moves there, and with it the vector.
        RETURN NEXT format('CREATE TABLE %s (chunk_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, %s, chunk integer NOT NULL, content text COLLATE "C" NOT NULL)', target, keys);
        RETURN NEXT format('CREATE INDEX ON %s (%s)', target, names);
    ELSE
        RETURN NEXT format('CREATE TABLE %s (%s, %I %s NOT NULL, PRIMARY KEY (%s))%s', target, keys, j.target_column, type, names,
            CASE WHEN vectorize.embeds(j) THEN vectorize.row_storage(j.type, j.dimensions) END);
    END IF;
END
$$;

-- Vectors stay in their rows where they fill three quarters of a page so: beside the table, each is two more rows with an index entry
-- to write, and to find again in every scan.
CREATE OR REPLACE FUNCTION vectorize.row_storage(type text, dimensions integer) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE WHEN 8160 / r.bytes * r.bytes >= 6120 THEN ' WITH (toast_tuple_target = 8160)' ELSE '' END
    FROM (SELECT CASE type WHEN 'halfvec' THEN 2 ELSE 4 END * dimensions + 64 AS bytes) AS r  -- 64: headers and a short key
$$;

CREATE OR REPLACE FUNCTION vectorize.record_target(job_id integer) RETURNS vectorize.job
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    UPDATE vectorize.job AS j SET target_table = CASE WHEN vectorize.in_graph(j) THEN vectorize.make_label(j) WHEN target = 'column' THEN source
        ELSE vectorize.present_side_table(j) END
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
