-- Roles to give to people and services; what each may do is in rights.sql. They are the server's, not the database's: another
-- database may have made them, and they stay when this one is dropped.

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['vectorize_worker', 'vectorize_reader', 'vectorize_admin'] LOOP
        CONTINUE WHEN to_regrole(name) IS NOT NULL;
        BEGIN
            EXECUTE format('CREATE ROLE %I NOLOGIN', name);
        EXCEPTION WHEN duplicate_object OR unique_violation THEN
            CONTINUE;  -- an installation in another database was faster
        END;
        -- Who creates a role is the only one who may grant it; here every administrator may.
        IF to_regrole('azure_pg_admin') IS NOT NULL AND pg_has_role(current_user, 'azure_pg_admin', 'MEMBER') THEN
            EXECUTE format('GRANT %I TO azure_pg_admin WITH ADMIN TRUE, INHERIT FALSE, SET FALSE', name);
        END IF;
    END LOOP;
END
$$;

SET LOCAL ROLE vectorize_owner;

-- What is new among the facts is taken as it is, or every job would be swept for it.
UPDATE vectorize.job AS j SET facts = j.facts || jsonb_build_object('names', jsonb_build_array(
    (SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE c.oid = j.source),
    (SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE c.oid = j.target_table)));

-- Options become part of a statement that somebody with more rights runs.
ALTER TABLE vectorize.job ADD CONSTRAINT job_index_options_are_numbers
    CHECK (NOT jsonb_path_exists(index_options, '$.* ? (@.type() != "number")'));

RESET ROLE;
