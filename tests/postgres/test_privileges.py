# ruff: noqa: E501 - statements read better on one line
"""Who may do what: nobody needs a right on the engine to write a source, and nothing of a user's runs as the engine's owner."""

from __future__ import annotations

import psycopg
import pytest

from tests.postgres.vector_server import VectorDatabase, VectorServer

DENIED = psycopg.errors.InsufficientPrivilege


def test_everything_is_installed_by_an_ordinary_administrator_and_owned_by_a_role_that_cannot_log_in(
    db: VectorDatabase,
) -> None:
    assert db.rows("SELECT rolsuper, rolcanlogin FROM pg_roles WHERE rolname = 'vectorize_owner'") == [(False, False)]
    assert db.rows("SELECT rolsuper FROM pg_roles WHERE rolname = 'deployer'") == [(False,)]
    db.make_docs(1)
    owners = db.rows(
        "SELECT DISTINCT pg_get_userbyid(relowner) FROM pg_class WHERE relnamespace IN ('vectorize'::regnamespace, 'vectorize_jobs'::regnamespace) "
        "UNION SELECT DISTINCT pg_get_userbyid(proowner) FROM pg_proc WHERE pronamespace = 'vectorize'::regnamespace"
    )
    assert owners == [("vectorize_owner",)]


def test_nothing_is_open_to_everybody(db: VectorDatabase) -> None:
    db.make_docs(1)
    db.define(name="side", target="table")
    assert db.rows(
        "SELECT oid::regprocedure::text FROM pg_proc WHERE pronamespace IN ('vectorize'::regnamespace, 'vectorize_jobs'::regnamespace) "
        "AND has_function_privilege('application', oid, 'EXECUTE')"
    ) == []  # fmt: skip
    assert (
        db.rows(
            "SELECT nspname FROM pg_namespace WHERE nspname LIKE 'vectorize%' AND has_schema_privilege('application', oid, 'USAGE')"
        )
        == []
    )


def test_functions_with_the_engines_rights_have_a_fixed_search_path(db: VectorDatabase) -> None:
    db.make_docs(1)
    loose = db.rows(
        "SELECT oid::regprocedure::text FROM pg_proc WHERE pronamespace IN ('vectorize'::regnamespace, 'vectorize_jobs'::regnamespace) AND prosecdef "
        "AND NOT EXISTS (SELECT FROM unnest(proconfig) AS c WHERE c ~ '^search_path=.*pg_temp$')"
    )
    assert loose == []


def test_a_plain_role_that_may_write_the_source_can(db: VectorDatabase) -> None:
    db.make_docs(5, target="table")
    db.work()
    db.execute("GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON docs TO application")
    with db.connect("application") as conn:
        conn.execute("INSERT INTO docs VALUES (100, 'by the application')")
        conn.execute("UPDATE docs SET body = 'changed' WHERE id = 1")
        conn.execute("UPDATE docs SET id = 50 WHERE id = 2")
        conn.execute("DELETE FROM docs WHERE id = 3")
        for statement in (
            b"SELECT * FROM vectorize.job", b"SELECT * FROM vectorize.status", b"CALL vectorize.work()", b"SELECT * FROM vectorize_jobs.change_1",
            b"INSERT INTO vectorize_jobs.change_1 DEFAULT VALUES", b"SELECT vectorize_jobs.read_1('{1}')", b"SELECT vectorize.stop(1, 'x')",
        ):  # fmt: skip
            with pytest.raises(DENIED):
                conn.execute(statement)
    assert db.work()["embedded"] == 3
    assert db.wrong_in_table() == []
    with db.connect("application") as conn:
        conn.execute("TRUNCATE docs")
    db.work()
    assert db.wrong_in_table() == []


def test_only_who_can_act_as_the_owner_defines_a_job(db: VectorDatabase) -> None:
    with db.connect("azuresu") as conn:
        conn.execute("CREATE TABLE docs (id bigint PRIMARY KEY, body text)")
        conn.execute("GRANT ALL ON docs TO deployer")
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="belongs to azuresu"):
        db.define()


@pytest.fixture
def owned_by_application(db: VectorDatabase, server: VectorServer) -> VectorDatabase:
    """A table of the role `application`, which the administrator may act as, and which may do nothing else."""
    with db.connect("azuresu") as conn:
        conn.execute("GRANT application TO deployer WITH INHERIT FALSE, SET TRUE")
        conn.execute("CREATE SCHEMA app AUTHORIZATION application")
        conn.execute("GRANT USAGE ON SCHEMA app TO deployer")
    with db.connect("application") as conn:
        conn.execute("CREATE TABLE app.docs (id bigint PRIMARY KEY, body text)")
        conn.execute("CREATE TABLE app.seen (who text, session text, secret text)")
        conn.execute("INSERT INTO app.docs SELECT g, 'text ' || g FROM generate_series(1, 5) AS g")
    db.execute("CREATE TABLE secret (value text)")
    db.execute("INSERT INTO secret VALUES ('for the administrator only')")
    return db


@pytest.mark.parametrize("target", ["column", "table"])
def test_a_trigger_of_the_source_runs_as_the_sources_owner_and_cannot_become_another(
    owned_by_application: VectorDatabase, target: str
) -> None:
    db = owned_by_application
    db.define("app.docs", target=target)
    table = "app.docs" if target == "column" else "app.docs_embedding"
    with db.connect("application") as conn:
        conn.execute("""
            CREATE FUNCTION app.spy() RETURNS trigger LANGUAGE plpgsql AS $$
            DECLARE
                way text;
                stolen text;
            BEGIN
                FOREACH way IN ARRAY ARRAY['RESET ROLE', 'SET ROLE deployer', 'SET LOCAL ROLE vectorize_owner', 'SET SESSION AUTHORIZATION deployer', 'SELECT 1'] LOOP
                    BEGIN
                        EXECUTE way;
                        SELECT value INTO stolen FROM public.secret;
                    EXCEPTION WHEN OTHERS THEN
                        stolen := coalesce(stolen, sqlstate);
                    END;
                    INSERT INTO app.seen VALUES (current_user, session_user, stolen);
                    stolen := NULL;
                END LOOP;
                RETURN NEW;
            END $$
        """)
        conn.execute(
            f"CREATE TRIGGER spy BEFORE INSERT OR UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION app.spy()".encode()
        )
    db.work()
    with db.connect("application") as conn:
        seen = conn.execute("SELECT DISTINCT who, secret LIKE 'for the%' FROM app.seen").fetchall()
        assert conn.execute(f"SELECT count(*) FROM {table} WHERE embedding IS NOT NULL".encode()).fetchone() == (5,)
    assert seen == [("application", False)]


def test_the_owner_of_a_source_gets_no_right_on_the_engine(owned_by_application: VectorDatabase) -> None:
    db = owned_by_application
    db.define("app.docs")
    with db.connect("application") as conn:
        for statement in (
            b"SELECT vectorize_jobs.read_1('{1}')", b"ALTER FUNCTION vectorize_jobs.write_1(bigint[], vector[]) SECURITY INVOKER",
            b"CREATE FUNCTION vectorize_jobs.mine() RETURNS int LANGUAGE sql AS 'SELECT 1'", b"SELECT * FROM vectorize.job",
        ):  # fmt: skip
            with pytest.raises(DENIED):
                conn.execute(statement)


def test_a_users_cast_does_not_run_when_a_template_is_rendered(db: VectorDatabase) -> None:
    db.execute("CREATE TYPE mood AS ENUM ('sad', 'glad')")
    db.execute(
        "CREATE FUNCTION to_text(mood) RETURNS text LANGUAGE plpgsql AS 'BEGIN RAISE ''ran as %'', current_user; END'"
    )
    db.execute("CREATE CAST (mood AS text) WITH FUNCTION to_text(mood) AS IMPLICIT")
    db.execute("CREATE TABLE docs (id bigint PRIMARY KEY, body mood)")
    db.execute("INSERT INTO docs VALUES (1, 'sad')")
    db.define()
    db.execute("UPDATE docs SET body = 'glad'")
    assert db.work()["embedded"] == 1
    db.execute("CREATE TYPE pair AS (a int, b mood)")
    db.execute("ALTER TABLE docs ADD COLUMN pair pair")
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="no built-in text form"):
        db.define(template="{pair}")


def test_row_security_that_is_forced_needs_a_policy(db: VectorDatabase) -> None:
    db.execute("CREATE TABLE docs (id bigint PRIMARY KEY, body text)")
    db.execute("ALTER TABLE docs ENABLE ROW LEVEL SECURITY")
    db.execute("INSERT INTO docs VALUES (1, 'x')")
    db.execute("ALTER TABLE docs FORCE ROW LEVEL SECURITY")
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="row security is forced"):
        db.define()
    db.execute("CREATE POLICY all_rows ON docs TO deployer USING (true)")
    db.define()
    db.work()
    assert db.wrong() == []


def test_another_administrator_installs_in_another_database_and_works_here(
    db: VectorDatabase, server: VectorServer
) -> None:
    db.make_docs(5)
    with db.connect("azuresu") as conn:
        conn.execute("CREATE ROLE colleague LOGIN CREATEDB CREATEROLE IN ROLE azure_pg_admin")
    with db.connect("colleague") as conn:
        assert conn.execute("CALL vectorize.work()").fetchone() == ({"embedded": 5, "requests": 1},)
        assert conn.execute("SELECT count(*) FROM vectorize.status").fetchone() == (1,)
    with server.connect("postgres", "azuresu") as conn:
        conn.execute("DROP ROLE colleague")
