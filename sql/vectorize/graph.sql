-- Graphs of age: made, given to readers, taken away. A graph belongs to vectorize_owner, as the engine's other tables do. No function here
-- needs `LOAD 'age'` (it is preloaded) or another search_path.
SET LOCAL ROLE vectorize_owner;
SET LOCAL check_function_bodies = off;  -- files run in the order of their names, and name each other

-- Makes a graph where there is none, and lets just these roles read it. It runs as its caller, an administrator: making a schema, and
-- giving `ag_catalog` to others, is not the engine's right.
CREATE OR REPLACE PROCEDURE vectorize.define_graph(name text, readers text[] DEFAULT '{}')
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    had text[] := (SELECT g.readers FROM vectorize.graph AS g WHERE g.name = define_graph.name);
    one text;
    relation record;
BEGIN
    IF (name ~ '^[A-Za-z_][A-Za-z0-9_]{2,62}$') IS NOT TRUE THEN
        RAISE EXCEPTION 'graph %: not a name of 3 to 63 letters, digits and _', name USING ERRCODE = 'invalid_parameter_value';
    ELSIF NOT EXISTS (SELECT FROM pg_extension WHERE extname = 'age') THEN
        RAISE EXCEPTION 'graph %: the extension age is not installed in this database (CREATE EXTENSION age)', name USING ERRCODE = 'invalid_parameter_value';
    END IF;
    FOREACH one IN ARRAY readers LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = one) THEN
            RAISE EXCEPTION 'graph %: there is no role % to read it', name, one USING ERRCODE = 'invalid_parameter_value';
        END IF;
    END LOOP;
    IF had IS NULL OR to_regnamespace(quote_ident(name)) IS NULL THEN
        IF to_regnamespace(quote_ident(name)) IS NOT NULL THEN
            RAISE EXCEPTION 'graph %: there is a schema of this name that the engine did not make; choose another name', name USING ERRCODE = 'invalid_parameter_value';
        END IF;
        PERFORM set_config('client_min_messages', 'warning', true);
        EXECUTE 'GRANT USAGE ON SCHEMA ag_catalog TO vectorize_owner WITH GRANT OPTION';
        EXECUTE format('SELECT ag_catalog.create_graph(%L)', name);
        EXECUTE format('ALTER SCHEMA %I OWNER TO vectorize_owner', name);
        FOR relation IN SELECT c.oid::regclass AS name, c.relkind FROM pg_class AS c WHERE c.relnamespace = quote_ident(name)::regnamespace AND c.relkind IN ('r', 'S')
            AND NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.objid = c.oid AND d.deptype = 'a' AND d.refclassid = 'pg_class'::regclass AND c.relkind = 'S') LOOP
            EXECUTE format('ALTER %s %s OWNER TO vectorize_owner', CASE relation.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, relation.name);
        END LOOP;
        PERFORM set_config('client_min_messages', 'notice', true);
        RAISE NOTICE 'graph %: created', name;
    END IF;
    FOREACH one IN ARRAY readers LOOP
        PERFORM vectorize.share_age(one);
    END LOOP;
    PERFORM vectorize.record_graph(name, readers);
    FOREACH one IN ARRAY readers LOOP
        CALL vectorize.lead_reader(name, one, true);
        IF one <> ALL (coalesce(had, '{}')) THEN
            RAISE NOTICE 'graph %: % reads it', name, one;
        END IF;
    END LOOP;
    FOREACH one IN ARRAY coalesce(had, '{}') LOOP
        CONTINUE WHEN one = ANY (readers) OR NOT EXISTS (SELECT FROM pg_roles WHERE rolname = one);
        CALL vectorize.lead_reader(name, one, false);
        RAISE NOTICE 'graph %: % reads it no longer', name, one;
    END LOOP;
END
$$;

-- Lets a role name what is in ag_catalog: where it may not yet, and the caller may let it. First asked by callers, since a right that
-- somebody else than the owner of a schema gave stays when its role is dropped with DROP OWNED, and keeps it.
CREATE OR REPLACE FUNCTION vectorize.share_age(reader text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NOT has_schema_privilege(reader, 'ag_catalog', 'USAGE') THEN
        EXECUTE format('GRANT USAGE ON SCHEMA ag_catalog TO %I', reader);
    END IF;
EXCEPTION WHEN insufficient_privilege THEN
    NULL;  -- the engine's owner may, a moment later
END
$$;

-- Rights on what is in a graph now; labels that come later are given when they are made.
CREATE OR REPLACE FUNCTION vectorize.record_graph(graph text, readers text[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    one text;
BEGIN
    FOREACH one IN ARRAY coalesce((SELECT g.readers FROM vectorize.graph AS g WHERE g.name = graph), '{}') LOOP
        CONTINUE WHEN one = ANY (readers) OR NOT EXISTS (SELECT FROM pg_roles WHERE rolname = one);
        EXECUTE format('REVOKE SELECT ON ALL TABLES IN SCHEMA %I FROM %I', graph, one);
        EXECUTE format('REVOKE USAGE ON SCHEMA %I FROM %I', graph, one);
    END LOOP;
    INSERT INTO vectorize.graph AS g (name, readers) VALUES (graph, record_graph.readers)
    ON CONFLICT (name) DO UPDATE SET readers = excluded.readers WHERE g.readers <> excluded.readers;
    FOREACH one IN ARRAY readers LOOP
        PERFORM vectorize.share_age(one);
        EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I', graph, one);
        EXECUTE format('GRANT SELECT ON ALL TABLES IN SCHEMA %I TO %I', graph, one);
    END LOOP;
END
$$;

-- Cypher finds the operators of age by their names alone, so a pattern with an edge needs ag_catalog in the search path. It gets there, as
-- the last, for the sessions of readers in this database, and of nobody else.
CREATE OR REPLACE PROCEDURE vectorize.lead_reader(graph text, reader text, reads boolean)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    path text := (
        SELECT substr(c, 13) FROM pg_db_role_setting AS s, unnest(s.setconfig) AS c
        WHERE s.setrole = quote_ident(reader)::regrole AND s.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database())) AND c LIKE 'search_path=%'
        ORDER BY s.setdatabase DESC LIMIT 1);
    statement text := format('ALTER ROLE %I IN DATABASE %I SET search_path FROM CURRENT', reader, current_database());
BEGIN
    IF reads AND path !~ '\mag_catalog\M' IS DISTINCT FROM false THEN
        -- A role may set its own path, so what it says becomes no part of a statement.
        PERFORM set_config('search_path', coalesce(path, '"$user", public') || ', ag_catalog', true);
        EXECUTE statement;
        PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
    ELSIF NOT reads AND path = '"$user", public, ag_catalog' AND NOT EXISTS (SELECT FROM vectorize.graph AS g WHERE reader = ANY (g.readers) AND g.name <> graph) THEN
        EXECUTE format('ALTER ROLE %I IN DATABASE %I RESET search_path', reader, current_database());
    END IF;
EXCEPTION WHEN insufficient_privilege THEN
    RAISE NOTICE 'graph %: % has to SET search_path = public, ag_catalog in its sessions before a pattern with an edge: % may not alter that role', graph, reader, current_user;
END
$$;

-- Makes the label of a job where it is not there yet, with the table of its keys, and lets the source's owner, as whom rows are read,
-- see what is there. Returns the label's table.
CREATE OR REPLACE FUNCTION vectorize.make_label(j vectorize.job) RETURNS regclass
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET client_min_messages = warning AS $$
DECLARE
    graph text := j.arguments ->> 'graph';
    label text := j.arguments ->> 'label';
    relation text := vectorize.label_name(graph, label);
    keys text := vectorize.label_key_name(graph, label);
    definitions text[] := vectorize.key_definitions(j.source, j.key_columns);
    n integer := cardinality(j.key_columns);
    filled boolean := false;
    one text;
BEGIN
    IF to_regclass(relation) IS NULL THEN
        EXECUTE format('SELECT ag_catalog.%I(%L, %L)', CASE j.operation WHEN 'vertex' THEN 'create_vlabel' ELSE 'create_elabel' END, graph, label);
        EXECUTE format('CREATE UNIQUE INDEX ON %s (id)', relation);
        IF j.operation = 'edge' THEN
            EXECUTE format('CREATE INDEX ON %s (start_id)', relation);
            EXECUTE format('CREATE INDEX ON %s (end_id)', relation);
        END IF;
        EXECUTE format('DROP TABLE IF EXISTS %s', keys);
    ELSIF (to_regclass(keys) IS NULL OR j.facts = '{}') THEN
        EXECUTE format('SELECT EXISTS (SELECT FROM %s)', relation) INTO filled;
        IF filled THEN
            RAISE EXCEPTION 'job %: the label %.% has rows that are not this job''s: SET ROLE vectorize_owner, TRUNCATE %, DROP TABLE IF EXISTS %, and define it again',
                j.name, graph, label, relation, keys USING ERRCODE = 'invalid_parameter_value';
        END IF;
        EXECUTE format('DROP TABLE IF EXISTS %s', keys);
    END IF;
    IF to_regclass(keys) IS NULL THEN
        EXECUTE format('CREATE TABLE %s (%s, id ag_catalog.graphid NOT NULL DEFAULT ag_catalog._graphid(ag_catalog._label_id(%L, %L)::integer, nextval(%L)), PRIMARY KEY (%s))', keys,
            (SELECT string_agg(format('k%s %s', ord, d), ', ' ORDER BY ord) FROM unnest(definitions) WITH ORDINALITY AS x (d, ord)),
            graph, label, format('%I.%I', graph, label || '_id_seq'), vectorize.key_list(n, 'k%s'));
    END IF;
    FOREACH one IN ARRAY (SELECT g.readers FROM vectorize.graph AS g WHERE g.name = graph) || vectorize.owner_of(j)::text LOOP
        CONTINUE WHEN NOT EXISTS (SELECT FROM pg_roles WHERE rolname = one);
        PERFORM vectorize.share_age(one);
        EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I', graph, one);
        EXECUTE format('GRANT SELECT ON %s, %s TO %I', relation, keys, one);
    END LOOP;
    RETURN relation::regclass;
END
$$;

-- Empties a label that its job leaves: age 1.5.0 lets superusers alone drop one ("unrecognized class ID" for all others).
CREATE OR REPLACE FUNCTION vectorize.empty_label(job_id integer) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    j vectorize.job := (SELECT o FROM vectorize.job AS o WHERE o.id = job_id AND vectorize.in_graph(o));
BEGIN
    IF to_regclass(vectorize.label_name(j.arguments ->> 'graph', j.arguments ->> 'label')) IS NOT NULL THEN
        EXECUTE format('TRUNCATE %s', vectorize.label_name(j.arguments ->> 'graph', j.arguments ->> 'label'));
        EXECUTE format('DROP TABLE IF EXISTS %s', vectorize.label_key_name(j.arguments ->> 'graph', j.arguments ->> 'label'));
    END IF;
END
$$;

-- How many vertices or edges each label should have, by what was written, and has.
CREATE OR REPLACE FUNCTION vectorize.graph_labels(graph text) RETURNS TABLE (job text, label text, operation text, written bigint, present bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    j vectorize.job;
BEGIN
    FOR j IN SELECT * FROM vectorize.job AS o WHERE vectorize.in_graph(o) AND o.arguments ->> 'graph' = graph AND o.state <> 'removed' ORDER BY o.operation DESC, o.name LOOP
        job := j.name;
        label := j.arguments ->> 'label';
        operation := j.operation;
        SELECT sum(c.embedded) INTO written FROM (
            SELECT d.embedded FROM vectorize.delta AS d WHERE d.job = j.id UNION ALL SELECT d.embedded FROM vectorize.counter AS d WHERE d.job = j.id) AS c;
        present := 0;
        IF to_regclass(vectorize.label_name(graph, label)) IS NOT NULL THEN
            EXECUTE format('SELECT count(*) FROM ONLY %s', vectorize.label_name(graph, label)) INTO present;
        END IF;
        RETURN NEXT;
    END LOOP;
END
$$;

-- Takes a graph away: its jobs, and, unless it is kept, all that the engine made. What somebody else put there keeps it.
CREATE OR REPLACE PROCEDURE vectorize.remove_graph(name text, keep boolean DEFAULT true)
LANGUAGE plpgsql AS $$
DECLARE
    j vectorize.job;
    strange text;
    one text;
BEGIN
    IF NOT EXISTS (SELECT FROM vectorize.graph AS g WHERE g.name = remove_graph.name) THEN
        RAISE EXCEPTION 'there is no graph %', name USING ERRCODE = 'undefined_object';
    END IF;
    strange := vectorize.strange_in_graph(name);
    FOREACH j IN ARRAY ARRAY(SELECT o FROM vectorize.job AS o WHERE vectorize.in_graph(o) AND o.arguments ->> 'graph' = remove_graph.name AND o.state <> 'removed' ORDER BY o.operation, o.name) LOOP
        CALL vectorize.take_away(ARRAY[j], keep);
    END LOOP;
    FOREACH one IN ARRAY (SELECT g.readers FROM vectorize.graph AS g WHERE g.name = remove_graph.name) LOOP
        CONTINUE WHEN keep OR NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = one);
        CALL vectorize.lead_reader(name, one, false);
    END LOOP;
    IF keep OR strange IS NOT NULL THEN
        RAISE NOTICE 'graph %: % stays', name, coalesce(strange, 'it');
        RETURN;
    END IF;
    PERFORM vectorize.drop_graph(name);
    RAISE NOTICE 'graph %: dropped', name;
END
$$;

-- Tables of a graph's schema that the engine did not make. A label that a job left is empty, and nobody's.
CREATE OR REPLACE FUNCTION vectorize.strange_in_graph(graph text) RETURNS text
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    relation regclass;
    found text[] := '{}';
    filled boolean;
BEGIN
    FOR relation IN
        SELECT c.oid FROM pg_class AS c
        WHERE c.relnamespace = to_regnamespace(quote_ident(graph)) AND c.relkind IN ('r', 'v', 'm', 'p', 'f') AND c.relname NOT IN ('_ag_label_vertex', '_ag_label_edge')
          AND NOT EXISTS (SELECT FROM vectorize.job AS j WHERE vectorize.in_graph(j) AND j.arguments ->> 'graph' = graph
                          AND c.relname IN (j.arguments ->> 'label', (j.arguments ->> 'label') || '_key'))
        ORDER BY c.relname
    LOOP
        filled := true;
        IF EXISTS (SELECT FROM pg_inherits AS i WHERE i.inhrelid = relation) THEN
            EXECUTE format('SELECT EXISTS (SELECT FROM %s)', relation) INTO filled;
        END IF;
        found := found || CASE WHEN filled THEN ARRAY[relation::text] ELSE '{}' END;
    END LOOP;
    RETURN nullif(array_to_string(found, ', '), '');
END
$$;

CREATE OR REPLACE FUNCTION vectorize.drop_graph(graph text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET client_min_messages = warning AS $$
BEGIN
    IF to_regnamespace(quote_ident(graph)) IS NOT NULL THEN
        EXECUTE format('SELECT ag_catalog.drop_graph(%L, true)', graph);
    END IF;
    PERFORM vectorize.forget(j.id) FROM vectorize.job AS j WHERE vectorize.in_graph(j) AND j.arguments ->> 'graph' = graph;
    DELETE FROM vectorize.graph AS g WHERE g.name = graph;
END
$$;

RESET ROLE;
