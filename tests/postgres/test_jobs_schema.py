# ruff: noqa: E501 - statements read better on one line
"""The schema of the jobs: what somebody makes in it, or left there, is neither called nor kept."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.postgres.attacker import DENIED, TOOLS, others
from tests.postgres.vector_server import SUPERUSER, Connection, VectorDatabase


def test_tables_that_an_owner_smuggled_into_the_engines_schema_are_not_used(
    db: VectorDatabase, attacker: Connection
) -> None:
    attacker.execute("CREATE TABLE app.docs (id bigint PRIMARY KEY, body text)")
    db.define("app.docs")
    with db.connect(SUPERUSER) as conn:  # a definition that was left open
        conn.execute("GRANT USAGE, CREATE ON SCHEMA vectorize_jobs TO application")
    for table in ("change", "item", "receipt", "failure", "sweep"):
        attacker.execute(f"CREATE TABLE vectorize_jobs.{table}_2 (k1 bigint)".encode())
    db.execute("CREATE TABLE docs (id bigint PRIMARY KEY, body text)")
    with pytest.raises(DENIED, match="tables that are not the engine's"):
        db.define(name="second")


@pytest.fixture
def escalator(db: VectorDatabase) -> Iterator[Connection]:
    """A session of a `vectorize_admin` that owns one table, with a job on it, and the tools of `attacker`."""
    with db.member("vectorize_admin") as conn:
        with db.connect(SUPERUSER) as superuser:
            superuser.execute(f"CREATE SCHEMA app AUTHORIZATION {conn.info.user}".encode())
        conn.execute(TOOLS)
        conn.execute("CREATE TABLE app.docs (id bigint PRIMARY KEY, body text)")
        conn.execute("INSERT INTO app.docs VALUES (1, 'x')")
        spec = {"name": "mine", "table": "app.docs", "template": "{body}", "deployment": "embedding", "dimensions": 8}
        conn.execute("CALL vectorize.define(%s)", [Jsonb(spec)])
        try:
            yield conn
        finally:
            conn.rollback()
            with db.connect(SUPERUSER) as superuser:
                superuser.execute("DROP SCHEMA app CASCADE")  # a cast belongs to nobody, and keeps its function


OPEN = "DO $$ DECLARE j vectorize.job; BEGIN SELECT * INTO j FROM vectorize.job WHERE name = 'mine'; PERFORM vectorize.open_schema(j, current_user::text); END $$"
GUESTS = "SELECT oid::regprocedure::text, prosrc, prosecdef FROM pg_proc WHERE pronamespace = 'vectorize_jobs'::regnamespace AND proowner = %s::regrole"
SPY = "LANGUAGE plpgsql AS $$BEGIN INSERT INTO app.seen VALUES (current_user, 'spy'); END$$"
SPIES = {
    "an overload that an untyped NULL prefers": f"CREATE FUNCTION vectorize_jobs.scan_1(text, integer, boolean) RETURNS SETOF record {SPY}",
    "a function that runs as whoever calls it": f"ALTER FUNCTION vectorize_jobs.scan_1(bigint, integer, boolean) SECURITY INVOKER; CREATE OR REPLACE FUNCTION vectorize_jobs.scan_1(vectorize_a1 bigint, vectorize_most integer, vectorize_texts boolean) RETURNS TABLE (k1 bigint, content text, stored boolean) {SPY}",
    "a result with a cast": "DROP FUNCTION vectorize_jobs.scan_1(bigint, integer, boolean); CREATE CAST (app.mood AS text) WITH FUNCTION app.to_text(app.mood) AS IMPLICIT; CREATE FUNCTION vectorize_jobs.scan_1(vectorize_a1 bigint, vectorize_most integer, vectorize_texts boolean) RETURNS TABLE (k1 bigint, content app.mood, stored boolean) SECURITY DEFINER LANGUAGE sql AS $$SELECT 1::bigint, 'a'::app.mood, true$$",
    "a step of a job to come": f"CREATE FUNCTION vectorize_jobs.fold_2(bigint, bigint, integer, bigint) RETURNS void {SPY}",
}


@pytest.mark.parametrize("spy", list(SPIES.values()), ids=list(SPIES))
@pytest.mark.parametrize("first", ["", "SET CONSTRAINTS ALL IMMEDIATE"])
def test_an_admin_that_opens_the_engines_schema_by_hand_leaves_nothing_in_it(
    db: VectorDatabase, escalator: Connection, spy: str, first: str
) -> None:
    there = set(db.rows(GUESTS, [escalator.info.user]))
    escalator.execute("BEGIN")
    escalator.execute(first.encode())
    escalator.execute(OPEN.encode())
    try:
        escalator.execute(spy.encode())
    except DENIED:  # shut at once
        escalator.execute("ROLLBACK")
    else:
        escalator.execute("COMMIT")
    with pytest.raises(DENIED):
        escalator.execute(spy.encode())
    db.work()
    db.execute("CREATE TABLE docs (id bigint PRIMARY KEY, body text)")
    db.define()
    db.work()
    db.execute("CALL vectorize.verify('docs')")
    assert others(db, escalator.info.user) == []
    assert set(db.rows(GUESTS, [escalator.info.user])) <= there


@pytest.mark.parametrize("how", ["left open", "closed"])
def test_nothing_that_an_admin_makes_in_the_engines_schema_runs_before_it_is_looked_at(
    db: VectorDatabase, escalator: Connection, how: str
) -> None:
    """Not in the transaction that made it either, in which every step can be called."""
    session = "ROW(1, 1, now(), true, NULL, 0, 0, '{}', '{}', 0, 0, 0, NULL, 0, NULL, true)::vectorize.session"
    for call in ("vectorize.feed(1, 10)", "vectorize.check_source(1)", f"vectorize.look_around({session})"):
        escalator.execute("BEGIN")
        escalator.execute(OPEN.encode())
        escalator.execute(SPIES["an overload that an untyped NULL prefers"].encode())
        escalator.execute(SPIES["a function that runs as whoever calls it"].encode())
        if how == "closed":
            escalator.execute(OPEN.replace("open_schema", "close_schema").encode())
        try:
            escalator.execute(f"SELECT {call}".encode())
        except (DENIED, psycopg.errors.UndefinedFunction):
            pass
        else:
            assert escalator.execute("SELECT who FROM app.seen").fetchall() == []
        escalator.execute("ROLLBACK")


def test_a_table_that_an_admin_makes_in_the_engines_schema_is_not_taken_for_a_jobs(
    db: VectorDatabase, escalator: Connection
) -> None:
    escalator.execute("CREATE TABLE app.more (id bigint PRIMARY KEY, body text)")
    spec = {"name": "more", "table": "app.more", "template": "{body}", "deployment": "embedding", "dimensions": 8}
    record = "SELECT vectorize.record_generation(vectorize.full_spec(%s), 'app.more', 'app.more')"
    for statement, parameters in ((record, [Jsonb(spec)]), (OPEN.replace("open_schema", "close_schema"), None)):
        escalator.execute("BEGIN")
        escalator.execute(OPEN.encode())
        escalator.execute("CREATE TABLE vectorize_jobs.item_2 (k1 bigint)")
        with pytest.raises(DENIED):
            escalator.execute(statement.encode(), parameters)
        escalator.execute("ROLLBACK")


def test_tables_that_an_admin_makes_in_the_engines_schema_are_not_committed(
    db: VectorDatabase, escalator: Connection
) -> None:
    escalator.execute("BEGIN")
    escalator.execute(OPEN.encode())
    escalator.execute("CREATE TABLE vectorize_jobs.item_2 (k1 bigint)")
    with pytest.raises(DENIED, match="tables that are not the engine's"):
        escalator.execute("COMMIT")
    assert db.value("SELECT to_regclass('vectorize_jobs.item_2')") is None


@pytest.fixture
def left_open(db: VectorDatabase, attacker: Connection) -> Connection:
    """The attacker's session, with the right on the engine's schema that an older version left behind."""
    with db.connect(SUPERUSER) as conn:
        conn.execute("GRANT USAGE, CREATE ON SCHEMA vectorize_jobs TO application")
    return attacker


@pytest.mark.parametrize("how", ["definition", "upgrade"])
def test_what_somebody_left_in_the_engines_schema_goes_with_the_next(
    db: VectorDatabase, left_open: Connection, how: str
) -> None:
    db.make_docs(3)
    with db.connect(SUPERUSER) as conn:
        conn.execute("GRANT USAGE, CREATE ON SCHEMA vectorize_jobs TO application")
    left_open.execute(SPIES["an overload that an untyped NULL prefers"].encode())
    left_open.execute("CREATE VIEW app.uses AS SELECT vectorize_jobs.scan_1('', 1, true) IS NULL AS x")
    if how == "definition":
        db.define(name="other", column="other")
    else:
        db.execute("CALL vectorize.grant_rights()")
    assert db.rows(GUESTS, ["application"]) == []
    assert (
        db.value(
            "SELECT has_schema_privilege('application', 'vectorize_jobs', 'USAGE') OR has_schema_privilege('application', 'vectorize_jobs', 'CREATE')"
        )
        is False
    )
    assert db.work()["embedded"] == 3 * (2 if how == "definition" else 1)


def test_the_engine_calls_its_functions_with_exact_types_and_no_overload_is_preferred(
    db: VectorDatabase, left_open: Connection
) -> None:
    db.make_docs(3)
    with db.connect(SUPERUSER) as conn:
        conn.execute("GRANT USAGE, CREATE ON SCHEMA vectorize_jobs TO application")
    left_open.execute(SPIES["an overload that an untyped NULL prefers"].encode())
    assert db.work()["embedded"] == 3
    assert others(db) == []


def test_a_step_that_belongs_to_somebody_else_is_made_anew_though_it_reads_the_same(db: VectorDatabase) -> None:
    db.make_docs(3)
    with db.connect(SUPERUSER) as conn:
        conn.execute("ALTER FUNCTION vectorize_jobs.fold_1 OWNER TO application")
    assert db.work()["embedded"] == 3
    assert (
        db.value("SELECT pg_get_userbyid(proowner) FROM pg_proc WHERE oid = 'vectorize_jobs.fold_1'::regproc")
        == "vectorize_owner"
    )
