\echo Use "CREATE EXTENSION age" to load this file. \quit

-- The emulator's stand-in for Apache AGE, which the wheel does not carry: the extension can be allowed, preloaded, created
-- and dropped as on the service, and whoever wants a graph is told that there is none. 1.6.0 is the version of the service
-- on PostgreSQL 14 to 16 (azure-databases-docs, "Extensions by version", 2026-06-08).

DO $do$
BEGIN
    -- azure-databases-docs, "Apache AGE": it must be in shared_preload_libraries. The text is unverified.
    IF 'age' <> ALL (string_to_array(replace(current_setting('shared_preload_libraries'), ' ', ''), ',')) THEN
        RAISE EXCEPTION USING
            ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = 'age must be loaded via "shared_preload_libraries"';
    END IF;
END
$do$;

CREATE FUNCTION ag_catalog.emulator_has_no_graph() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RAISE EXCEPTION USING
        ERRCODE = 'feature_not_supported',
        MESSAGE = 'the emulator''s PostgreSQL has a stand-in for age that holds no graph',
        HINT = 'docs/emulator.md, "What it does not do".';
END
$$;

CREATE FUNCTION ag_catalog.create_graph(graph_name name) RETURNS void
LANGUAGE sql AS 'SELECT ag_catalog.emulator_has_no_graph()';

CREATE FUNCTION ag_catalog.drop_graph(graph_name name, cascade boolean DEFAULT false) RETURNS void
LANGUAGE sql AS 'SELECT ag_catalog.emulator_has_no_graph()';

CREATE FUNCTION ag_catalog.cypher(graph_name name DEFAULT NULL, query_string text DEFAULT NULL) RETURNS SETOF record
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM ag_catalog.emulator_has_no_graph();
END
$$;

GRANT USAGE ON SCHEMA ag_catalog TO PUBLIC;
