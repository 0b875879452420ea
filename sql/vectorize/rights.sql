-- Who may do what with the engine.
SET LOCAL ROLE vectorize_owner;
SET LOCAL check_function_bodies = off;  -- files run in the order of their names, and name each other

-- What each role calls and reads. A new procedure, function or view for people belongs into one of these lists; a test asks.
-- vectorize_owner stands for nobody but administrators.
CREATE OR REPLACE FUNCTION vectorize.public_names() RETURNS TABLE (role text, name text)
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT r.role, unnest(r.names) FROM (VALUES
        -- A worker also says how it is, which calls of the dead are still leased, which index is due, and how many there should be.
        ('vectorize_worker', '{work, status, lease, next_maintenance, wanted_workers}'::text[]),
        ('vectorize_reader', '{status, failures, recent_failures, generations, quota, quota_minutes, spend, estimate, search, search_by, hybrid_search, search_graph, embed_query,
                               wanted_workers}'),
        ('vectorize_admin', '{set_deployment, set_search_share, calibrate, define, declared, pause, resume, retry, reembed, verify,
                              switch, rollback, discard, remove, work, next_maintenance, status, failures, recent_failures, generations, quota, quota_minutes,
                              spend, estimate, search, search_by, hybrid_search, search_graph, embed_query, job, deployment, lease, wanted_workers}'),
        ('vectorize_owner', '{grant_rights, check_source, sample_texts, define_graph, remove_graph, graph_labels, added_to_graph}')) AS r (role, names)
$$;

-- Those, and what the caller needs beneath them: code that runs with the caller's rights names what it calls and reads, with the
-- schema, and that is followed to where the engine's own rights begin.
CREATE OR REPLACE FUNCTION vectorize.rights() RETURNS TABLE (role text, kind text, object oid)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    WITH RECURSIVE node AS MATERIALIZED (
        SELECT 'routine' AS kind, p.oid, p.proname::text AS name, CASE WHEN NOT p.prosecdef THEN p.prosrc END AS body
        FROM pg_proc AS p WHERE p.pronamespace = 'vectorize'::regnamespace
        UNION ALL
        SELECT 'table', c.oid, c.relname::text, CASE c.relkind WHEN 'v' THEN pg_get_viewdef(c.oid) END
        FROM pg_class AS c WHERE c.relnamespace = 'vectorize'::regnamespace AND c.relkind IN ('r', 'v')
    ), uses AS MATERIALIZED (
        SELECT n.oid AS caller, m.oid AS called
        FROM node AS n
        CROSS JOIN LATERAL regexp_matches(n.body, '(\m(?:FROM|JOIN)\s+)?vectorize\.(\w+)(\s*\()?', 'gi') AS f (mention)
        JOIN node AS m ON m.name = f.mention[2]
            -- A view reads its tables as its owner does; its functions are called as the caller.
            AND CASE m.kind WHEN 'routine' THEN f.mention[3] IS NOT NULL ELSE f.mention[1] IS NOT NULL AND f.mention[3] IS NULL AND n.kind = 'routine' END
    ), reached AS (
        SELECT p.role, n.oid FROM vectorize.public_names() AS p JOIN node AS n ON n.name = p.name
        UNION
        SELECT r.role, u.called FROM reached AS r JOIN uses AS u ON u.caller = r.oid
    )
    SELECT r.role, n.kind, n.oid FROM reached AS r JOIN node AS n ON n.oid = r.oid
$$;

-- Gives each role its rights and takes all others away, those on vectorize_jobs too. Runs at the end of every installation and
-- upgrade (after_rights.sql).
CREATE OR REPLACE PROCEDURE vectorize.grant_rights()
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    r record;
BEGIN
    REVOKE ALL ON ALL ROUTINES IN SCHEMA vectorize FROM vectorize_worker, vectorize_reader, vectorize_admin;
    REVOKE ALL ON ALL TABLES IN SCHEMA vectorize FROM vectorize_worker, vectorize_reader, vectorize_admin;
    GRANT USAGE ON SCHEMA vectorize TO vectorize_worker, vectorize_reader, vectorize_admin;
    FOR r IN SELECT * FROM vectorize.rights() AS x WHERE x.role <> 'vectorize_owner' LOOP
        EXECUTE CASE r.kind WHEN 'routine' THEN format('GRANT EXECUTE ON ROUTINE %s TO %I', r.object::regprocedure, r.role)
            ELSE format('GRANT SELECT ON %s TO %I', r.object::regclass, r.role) END;
    END LOOP;
    PERFORM vectorize.shut_schema();
    CALL vectorize.watch_schema();
END
$$;

RESET ROLE;
