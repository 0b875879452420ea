-- Nothing in schema vectorize_jobs is anybody's but the engine's, except a job's functions that run as the owner of its source.
SET LOCAL ROLE vectorize_owner;
SET LOCAL check_function_bodies = off;  -- files run in the order of their names, and name each other

-- What calls of those functions (generate_access.sql) pass and get. By types and not by their names, which may change: the key's are
-- those of the queue.
CREATE OR REPLACE FUNCTION vectorize.access_types(j vectorize.job) RETURNS TABLE (name text, passed oid[], returned oid[])
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT f.name || '_' || j.id, f.passed, f.returned
    FROM (SELECT array_agg(t.oid ORDER BY a.attnum) AS keys, array_agg(t.typarray ORDER BY a.attnum) AS arrays
          FROM pg_attribute AS a JOIN pg_type AS t ON t.oid = a.atttypid
          WHERE a.attrelid = to_regclass('vectorize_jobs.item_' || j.id) AND a.attname ~ '^k\d+$' AND NOT a.attisdropped) AS k,
    LATERAL (VALUES
        ('read', k.arrays, '{int8,text,bool}'::regtype[]::oid[]),
        ('scan', k.keys || '{int4,bool}'::regtype[]::oid[], k.keys || '{text,bool}'::regtype[]::oid[]),
        ('sample', '{float4}'::regtype[]::oid[], k.keys || '{text,bool}'::regtype[]::oid[]),
        ('lock', k.arrays, '{int8,text,bool}'::regtype[]::oid[]),
        ('write', k.arrays || to_regtype(vectorize.carried_type(j) || '[]')::oid, '{bool}'::regtype[]::oid[])) AS f (name, passed, returned)
$$;

-- Takes everybody's rights on the schema, and drops functions that are not a job's as its definition made them. Another function of
-- that name, another result that brings its own cast, or one that runs as its caller: all would run as the engine's owner.
CREATE OR REPLACE FUNCTION vectorize.shut_schema() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET client_min_messages = warning AS $$
DECLARE
    guest text;
    foreign_function regprocedure;
BEGIN
    FOR guest IN
        SELECT DISTINCT CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END
        FROM pg_namespace AS n, aclexplode(n.nspacl) AS a WHERE n.nspname = 'vectorize_jobs' AND a.grantee <> n.nspowner
    LOOP
        EXECUTE format('REVOKE ALL ON SCHEMA vectorize_jobs FROM %s', guest);
    END LOOP;
    IF NOT has_schema_privilege('vectorize_owner', 'vectorize_jobs', 'USAGE') THEN
        GRANT USAGE ON SCHEMA vectorize_jobs TO vectorize_owner;  -- open_schema took it
    END IF;
    FOR foreign_function IN
        WITH ours AS MATERIALIZED (
            SELECT t.*, c.relowner FROM vectorize.job AS j JOIN pg_class AS c ON c.oid = j.source, vectorize.access_types(j) AS t WHERE j.state <> 'removed'
        )
        SELECT p.oid FROM pg_proc AS p
        WHERE p.pronamespace = 'vectorize_jobs'::regnamespace AND p.proowner <> 'vectorize_owner'::regrole AND NOT EXISTS (
            SELECT FROM ours AS o
            WHERE o.name = p.proname AND o.relowner = p.proowner AND p.prosecdef AND o.passed = ARRAY(SELECT unnest(p.proargtypes))
              AND o.returned = CASE WHEN p.proallargtypes IS NULL THEN ARRAY[p.prorettype] ELSE p.proallargtypes[p.pronargs + 1:] END)
    LOOP
        EXECUTE format('DROP ROUTINE %s CASCADE', foreign_function);
    END LOOP;
END
$$;

-- A table, a view or a sequence that somebody put under one of the engine's names is not dropped: it may hold something.
CREATE OR REPLACE FUNCTION vectorize.refuse_foreign_tables() RETURNS void
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM pg_class AS c WHERE c.relnamespace = 'vectorize_jobs'::regnamespace AND c.relowner <> 'vectorize_owner'::regrole) THEN
        RAISE EXCEPTION 'schema vectorize_jobs holds tables that are not the engine''s; drop them' USING ERRCODE = 'insufficient_privilege';
    END IF;
END
$$;

-- Whoever opened the schema (open_schema), it is shut when the transaction ends, at the latest.
CREATE OR REPLACE FUNCTION vectorize.shut_at_commit() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM vectorize.shut_schema();
    PERFORM vectorize.refuse_foreign_tables();
    RETURN NULL;
END
$$;

-- No job changes its source, so the trigger is open_schema's alone.
CREATE OR REPLACE PROCEDURE vectorize.watch_schema()
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = 'vectorize.job'::regclass AND tgname = 'shut_schema') THEN
        CREATE CONSTRAINT TRIGGER shut_schema AFTER UPDATE OF source ON vectorize.job
            DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION vectorize.shut_at_commit();
    END IF;
END
$$;

RESET ROLE;
