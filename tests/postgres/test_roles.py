# ruff: noqa: E501 - statements read better on one line
"""The roles of the engine: what each may do and may not, tried, and how they come into being."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.types.json import Jsonb

from database import migrations
from tests.postgres.vector_server import ADMINISTRATOR, SUPERUSER, Connection, VectorDatabase, VectorServer

DENIED = psycopg.errors.InsufficientPrivilege
WORKER, READER, ADMIN = "vectorize_worker", "vectorize_reader", "vectorize_admin"

CALLS = {
    "SELECT * FROM vectorize.status": {WORKER, READER, ADMIN},
    "SELECT * FROM vectorize.lease": {WORKER, ADMIN},
    "SELECT * FROM vectorize.failures": {READER, ADMIN},
    "SELECT * FROM vectorize.estimate('docs')": {READER, ADMIN},
    "SELECT vectorize.embed_query('docs', 'x')": {READER, ADMIN},
    "SELECT vectorize.search_plan('docs')": {READER, ADMIN},
    "SELECT vectorize.snippet('pg_catalog.simple', 'x', '{}')": {READER, ADMIN},
    "CALL vectorize.work('docs', 0)": {WORKER, ADMIN},
    "SELECT vectorize.stop(0, 'x')": {WORKER, ADMIN},
    "SELECT name FROM vectorize.job": {WORKER, ADMIN},
    "SELECT name FROM vectorize.deployment": {WORKER, ADMIN},
    "SELECT * FROM vectorize.next_maintenance()": {WORKER, ADMIN},
    "SELECT vectorize.wanted_workers()": {WORKER, READER, ADMIN},
    "CALL vectorize.pause('docs')": {ADMIN},
    "CALL vectorize.resume('docs')": {ADMIN},
    "CALL vectorize.retry('docs')": {ADMIN},
    "CALL vectorize.reembed('docs')": {ADMIN},
    "CALL vectorize.verify('docs')": {ADMIN},
    "CALL vectorize.remove('none')": {ADMIN},
    "CALL vectorize.rollback('docs')": {ADMIN},
    "SELECT vectorize.switch('docs')": {ADMIN},
    "CALL vectorize.discard('docs', 7)": {ADMIN},
    "SELECT * FROM vectorize.generations": {READER, ADMIN},
    "SELECT * FROM vectorize.quota": {READER, ADMIN},
    "SELECT * FROM vectorize.quota_minutes": {READER, ADMIN},
    "SELECT * FROM vectorize.recent_failures(1)": {READER, ADMIN},
    "SELECT * FROM vectorize.spend": {READER, ADMIN},
    "SELECT vectorize.sample_texts('docs', 1)": set(),
    "CALL vectorize.define('{}')": {ADMIN},
    "SELECT vectorize.set_deployment('other', 'm', 8, 1, 1, 1)": {ADMIN},
    # Nobody's, whatever the role: what only the engine does, its tables, the sources, and its owner.
    "SELECT vectorize.forget(1)": set(),
    "CALL vectorize.drop_tables(1)": set(),
    "CALL vectorize.grant_rights()": set(),
    "UPDATE vectorize.job SET state = 'paused'": set(),
    "UPDATE vectorize.deployment SET not_before = NULL": set(),
    "DELETE FROM vectorize.delta": set(),
    "SELECT * FROM vectorize.used_minute": set(),
    "SELECT * FROM vectorize_jobs.receipt_1": set(),
    "SELECT * FROM vectorize_jobs.item_1": set(),
    "INSERT INTO vectorize_jobs.change_1 DEFAULT VALUES": set(),
    "SELECT vectorize_jobs.read_1('{1}')": set(),
    "SELECT vectorize_jobs.write_1('{1}', NULL)": set(),
    "CREATE TABLE vectorize.mine ()": set(),
    "CREATE TABLE vectorize_jobs.mine ()": set(),
    "SELECT * FROM docs": set(),
    "UPDATE docs SET body = ''": set(),
    "SELECT * FROM vectorize.search('docs', 'x')": set(),  # without a right on the source
    "SELECT * FROM vectorize.hybrid_search('docs', 'x')": set(),
    "SET ROLE vectorize_owner": set(),
    "GRANT vectorize_owner TO application": set(),
}


@pytest.mark.parametrize("role", [WORKER, READER, ADMIN, "application"])
def test_each_role_may_do_what_it_is_for_and_nothing_else(db: VectorDatabase, role: str) -> None:
    db.make_docs(3)
    db.work()
    wrong = []
    with db.member(role) as conn:
        for statement, allowed in CALLS.items():
            try:
                conn.execute(statement.encode())
                denied = False
            except DENIED:
                denied = True
            except (psycopg.errors.UndefinedFunction, psycopg.errors.WrongObjectType, psycopg.errors.SyntaxError):
                raise  # a call that is not there proves nothing
            except psycopg.Error:
                denied = False  # it may call it, and what it says is another test's matter
            if denied != (role not in allowed):
                wrong.append((statement, "denied" if denied else "allowed"))
    assert wrong == []
    assert db.rows(
        "SELECT p.oid::regprocedure::text FROM pg_proc AS p WHERE p.pronamespace = 'vectorize'::regnamespace AND has_function_privilege(%s, p.oid, 'EXECUTE') "
        "<> EXISTS (SELECT FROM vectorize.rights() AS r WHERE r.role = %s AND r.object = p.oid)", [role, role]
    ) == []  # fmt: skip
    assert (
        db.value("SELECT has_table_privilege(%s, 'vectorize.job', 'INSERT, UPDATE, DELETE, TRUNCATE')", [role]) is False
    )


def test_every_callable_has_a_decision_about_who_calls_it(db: VectorDatabase) -> None:
    """A new routine or view is reached from a name in rights.sql, or is called by another one of the engine's."""
    undecided = db.rows(
        "SELECT p.oid::regprocedure::text FROM pg_proc AS p WHERE p.pronamespace = 'vectorize'::regnamespace "
        "AND p.oid NOT IN (SELECT object FROM vectorize.rights()) AND NOT EXISTS (SELECT FROM pg_proc AS q "
        "WHERE q.pronamespace = p.pronamespace AND q.oid <> p.oid AND q.prosrc ~ ('vectorize\\.' || p.proname || '\\s*\\(')) "
        "UNION ALL SELECT c.oid::regclass::text FROM pg_class AS c WHERE c.relnamespace = 'vectorize'::regnamespace AND c.relkind = 'v' "
        "AND c.oid NOT IN (SELECT object FROM vectorize.rights())"
    )
    assert undecided == []
    unknown = db.rows(
        "SELECT name FROM vectorize.public_names() WHERE to_regclass('vectorize.' || name) IS NULL "
        "AND NOT EXISTS (SELECT FROM pg_proc WHERE pronamespace = 'vectorize'::regnamespace AND proname = name)"
    )
    assert unknown == []


def test_a_workers_role_is_enough_for_all_that_can_happen_to_a_batch(db: VectorDatabase) -> None:
    db.make_docs(60, batch_size=20)
    db.define(name="side", target="table", batch_size=20)
    db.execute("UPDATE docs SET body = '' WHERE id = 9")
    db.fault("error", "azure_openai.create_embeddings: 400: this one", pattern="text 7")
    db.fault("nan", pattern="text 8")
    holder = db.connect()
    holder.autocommit = False
    holder.execute("UPDATE docs SET n = 1 WHERE id = 3")
    with db.member(WORKER) as conn:
        conn.execute("CALL vectorize.work(NULL, 2)")
        holder.commit()
        conn.execute("CALL vectorize.work()")
        db.fault("error", "azure_openai.create_embeddings: 401: no")
        db.execute("UPDATE docs SET body = body || '!' WHERE id = 1")
        conn.execute("CALL vectorize.work()")
    holder.close()
    assert db.status()["state"] == "stopped"
    assert db.rows("SELECT job, key ->> 'id' FROM vectorize.failures ORDER BY 1, 2") == [
        (job, key) for job in ("docs", "side") for key in ("7", "8")
    ]
    assert [row[0] for row in db.wrong()] == [1, 7, 8]


@pytest.fixture
def manager(db: VectorDatabase) -> Iterator[Connection]:
    """A person who is in vectorize_admin, owns a schema with a table, and is no administrator."""
    with db.member(ADMIN) as conn:
        with db.connect(SUPERUSER) as superuser:
            superuser.execute(f"CREATE SCHEMA mine AUTHORIZATION {conn.info.user}".encode())
        conn.execute("CREATE TABLE mine.docs (id bigint PRIMARY KEY, body text)")
        conn.execute("INSERT INTO mine.docs SELECT g, 'text ' || g FROM generate_series(1, 20) AS g")
        yield conn


@pytest.mark.parametrize("target", ["column", "table"])
def test_an_admin_leads_a_job_on_a_table_of_its_own_from_beginning_to_end(
    db: VectorDatabase, manager: Connection, target: str
) -> None:
    spec = {
        "name": "mine",
        "table": "mine.docs",
        "template": "{body}",
        "deployment": "embedding",
        "dimensions": 8,
        "target": target,
        "index": "hnsw",
    }
    manager.execute("CALL vectorize.define(%s)", [Jsonb(spec)])
    manager.execute("CALL vectorize.define(%s)", [Jsonb(spec | {"template": "{id} {body}"})])
    assert manager.execute("SELECT rows FROM vectorize.estimate('mine')").fetchone() == (20,)
    assert manager.execute("CALL vectorize.work()").fetchone() == ({"embedded": 20, "requests": 1},)
    [(_, statement, _)] = manager.execute("SELECT * FROM vectorize.next_maintenance()").fetchall()
    manager.execute(statement.encode())
    assert (
        len(manager.execute("SELECT * FROM vectorize.search('mine', 'text 3', 5, '{\"id\": {\"<\": 10}}')").fetchall())
        == 5
    )
    for call in ("pause", "resume", "retry", "reembed", "verify"):
        manager.execute(f"CALL vectorize.{call}('mine')".encode())
    manager.execute("CALL vectorize.work()")
    manager.execute("CALL vectorize.remove('mine', false)")
    assert db.value("SELECT count(*) FROM pg_class WHERE relnamespace = 'vectorize_jobs'::regnamespace") == 0


def test_an_admin_defines_nothing_on_a_table_that_is_not_its_own(db: VectorDatabase, manager: Connection) -> None:
    db.make_docs(3)
    db.execute(f"GRANT ALL ON docs TO {manager.info.user}")
    spec = {
        "name": "theirs",
        "table": "public.docs",
        "template": "{body}",
        "deployment": "embedding",
        "dimensions": 8,
        "column": "x",
    }
    with pytest.raises(psycopg.errors.InvalidParameterValue, match=r"belongs to deployer, and .* cannot act as it"):
        manager.execute("CALL vectorize.define(%s)", [Jsonb(spec)])
    with pytest.raises(DENIED, match="vectors belong to deployer"):
        manager.execute("CALL vectorize.remove('docs', false)")
    assert db.rows("SELECT name, state FROM vectorize.job") == [("docs", "active")]


def test_a_reader_searches_what_it_may_select(db: VectorDatabase) -> None:
    db.make_docs(5, target="table")
    db.work()
    with db.member(READER) as conn:
        db.execute(f"GRANT SELECT (id, body) ON docs TO {conn.info.user}")
        with pytest.raises(DENIED, match="docs_embedding"):
            conn.execute("SELECT * FROM vectorize.search('docs', 'text 3', 1)")
        db.execute(f"GRANT SELECT ON docs_embedding TO {conn.info.user}")
        assert conn.execute("SELECT key, content FROM vectorize.search('docs', 'text 3', 1)").fetchall() == [
            ({"id": 3}, "text 3")
        ]


@pytest.fixture
def second(server: VectorServer) -> Iterator[str]:
    """Another database of the server, with pgvector and without the engine."""
    server._make_database("second", "template1")
    with server.connect("second", SUPERUSER) as conn:
        conn.execute("CREATE EXTENSION vector")
        conn.execute("CREATE ROLE colleague LOGIN CREATEDB CREATEROLE IN ROLE azure_pg_admin")
    yield "second"
    server.drop("second")
    with server.connect("postgres", SUPERUSER) as conn:
        conn.execute("DROP ROLE colleague")


def install(conn: Connection) -> None:
    for folder in ("vectorize", "search"):
        migrations.apply(conn, folder, say=lambda _: None)


def test_another_administrator_installs_where_the_roles_are_there_already_and_gives_them(
    server: VectorServer, second: str
) -> None:
    with server.connect(second, "colleague") as conn:
        install(conn)
        conn.execute("GRANT vectorize_reader TO application")
    with server.connect(second, "application") as conn:
        assert conn.execute("SELECT * FROM vectorize.status").fetchall() == []
        with pytest.raises(DENIED):
            conn.execute("CALL vectorize.work()")
    with server.connect(second, "colleague") as conn:
        conn.execute("REVOKE vectorize_reader FROM application")
    with server.connect(second, "application") as conn, pytest.raises(DENIED):
        conn.execute("SELECT * FROM vectorize.status")


def test_roles_outlive_a_database_and_the_next_one_uses_them(server: VectorServer, second: str) -> None:
    with server.connect(second) as conn:
        install(conn)
    server.drop(second)
    server._make_database(second, "template1")
    with server.connect(second, SUPERUSER) as conn:
        conn.execute("CREATE EXTENSION vector")
    with server.connect(second) as conn:
        install(conn)
        assert conn.execute("SELECT count(*) FROM vectorize.status").fetchone() == (0,)
    roles = (
        "SELECT rolname, rolcanlogin, rolsuper, rolcreaterole FROM pg_roles WHERE rolname LIKE 'vectorize%' ORDER BY 1"
    )
    with server.connect(second) as conn:
        assert conn.execute(roles).fetchall() == [
            (name, False, False, False) for name in (ADMIN, "vectorize_owner", READER, WORKER)
        ]


def test_a_search_of_three_arguments_is_upgraded_in_place(server: VectorServer, second: str, tmp_path: Path) -> None:
    (tmp_path / "search").mkdir()
    (tmp_path / "search" / "search.sql").write_text(
        "SET LOCAL ROLE vectorize_owner; CREATE OR REPLACE FUNCTION vectorize.search(job text, query text, k integer DEFAULT 10) "
        "RETURNS TABLE (key jsonb, distance float8, content text) LANGUAGE sql AS 'SELECT NULL::jsonb, 0::float8, NULL'; RESET ROLE;"
    )
    with server.connect(second) as conn:
        migrations.apply(conn, "vectorize", say=lambda _: None)
        migrations.apply(conn, "search", root=tmp_path, say=lambda _: None)
        install(conn)
        for folder in ("vectorize", "search"):
            assert migrations.applied(conn, folder) == migrations.folder(folder)
            assert migrations.apply(conn, folder, say=lambda _: None) == []
        with pytest.raises(psycopg.errors.UndefinedObject, match="there is no job docs"):
            conn.execute("SELECT * FROM vectorize.search('docs', 'x', 3)")
        rights = (
            "SELECT has_function_privilege('vectorize_reader', oid, 'EXECUTE') FROM pg_proc WHERE proname = 'search'"
        )
        assert conn.execute(rights).fetchall() == [(True,)]


def test_an_upgrade_that_makes_a_function_anew_gives_its_rights_back(
    server: VectorServer, second: str, tmp_path: Path
) -> None:
    shutil.copytree(migrations.ROOT / "vectorize", tmp_path / "vectorize")
    anew = tmp_path / "vectorize" / "status.sql"
    anew.write_text(anew.read_text().replace(
        "CREATE OR REPLACE FUNCTION vectorize.status_rows()",
        "DROP VIEW vectorize.status; DROP FUNCTION vectorize.status_rows(); CREATE FUNCTION vectorize.status_rows()",
    ))  # fmt: skip
    with server.connect(second, ADMINISTRATOR) as conn:
        migrations.apply(conn, "vectorize", say=lambda _: None)
        migrations.apply(conn, "vectorize", root=tmp_path, say=lambda _: None)
        rights = "SELECT has_function_privilege('vectorize_reader', 'vectorize.status_rows()', 'EXECUTE'), has_table_privilege('vectorize_reader', 'vectorize.status', 'SELECT')"
        assert conn.execute(rights).fetchone() == (True, True)
