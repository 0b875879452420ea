-- The engine's owner, and its two schemas: `vectorize` is what people call, `vectorize_jobs` what a job's definition makes.
-- Everything is installed by an ordinary administrator (LOGIN CREATEROLE, no superuser), so each right is taken step by step.

DO $$
DECLARE
    administrators text := current_user;
BEGIN
    IF current_setting('server_version_num')::int < 160000 THEN
        RAISE EXCEPTION 'the vectorization engine needs PostgreSQL 16 or later, this is %', current_setting('server_version');
    END IF;
    IF to_regrole('vectorize_owner') IS NULL THEN
        CREATE ROLE vectorize_owner NOLOGIN;
    END IF;
    -- Every administrator may install and run the engine, in any database of the server, not only the one who made the role.
    IF to_regrole('azure_pg_admin') IS NOT NULL AND pg_has_role(current_user, 'azure_pg_admin', 'MEMBER') THEN
        administrators := 'azure_pg_admin';
    END IF;
    IF NOT pg_has_role(current_user, 'vectorize_owner', 'SET') OR NOT pg_has_role(current_user, 'vectorize_owner', 'USAGE') THEN
        EXECUTE format('GRANT vectorize_owner TO %I WITH ADMIN TRUE, INHERIT TRUE, SET TRUE', administrators);
    END IF;
END
$$;

-- AUTHORIZATION works for a non-superuser only once it holds the role WITH SET TRUE.
CREATE SCHEMA vectorize AUTHORIZATION vectorize_owner;
CREATE SCHEMA vectorize_jobs AUTHORIZATION vectorize_owner;

-- A function's default is EXECUTE for everybody; nothing of the engine is.
SET LOCAL ROLE vectorize_owner;
ALTER DEFAULT PRIVILEGES FOR ROLE vectorize_owner REVOKE EXECUTE ON ROUTINES FROM PUBLIC;
RESET ROLE;
