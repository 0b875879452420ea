"""What becomes of a job when its table changes, and of writers with an older snapshot."""

from __future__ import annotations

import psycopg
import pytest

from tests.postgres.promise import settled
from tests.postgres.vector_server import SUPERUSER, VectorDatabase

# What changes about a table while it has a job


@pytest.mark.parametrize("target", ["column", "table"])
@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE docs RENAME TO papers",
        "CREATE SCHEMA archive; ALTER TABLE docs SET SCHEMA archive",
        "ALTER TABLE docs RENAME TO papers; CREATE TABLE docs (id int PRIMARY KEY, body text)",
    ],
)
def test_a_table_that_is_renamed_or_moved_is_followed_or_said(db: VectorDatabase, statement: str, target: str) -> None:
    """Writes go on; the job goes on too, or stops with a reason that says what to do, and doing that mends it."""
    db.execute("CREATE TABLE docs (id int PRIMARY KEY, body text, n int)")
    db.execute("INSERT INTO docs SELECT g, 'text ' || g, 0 FROM generate_series(1, 9) AS g")
    db.define(target=target)
    db.work()
    db.execute(statement)
    table = db.value("SELECT source::text FROM vectorize.job")
    db.execute(f"UPDATE {table} SET body = 'changed' WHERE id = 1")
    db.execute(f"INSERT INTO {table} VALUES (10, 'new', 0)")
    db.work()
    if db.status()["state"] == "stopped":
        assert "define the job again" in db.status()["reason"]
        db.define(db.value("SELECT vectorize.table_name(source) FROM vectorize.job"), target=target)
        db.work()
    settled(db, table)
    assert len(db.rows("SELECT * FROM vectorize.search('docs', 'new', 20)")) == 10


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE docs RENAME TO papers",
        "ALTER TABLE docs RENAME TO papers; CREATE TABLE papers_embedding (n int)",
        "CREATE SCHEMA archive; ALTER TABLE docs SET SCHEMA archive",
        "ALTER TABLE docs_embedding RENAME TO vectors",
        "ALTER TABLE docs_embedding RENAME TO vectors; CREATE TABLE docs_embedding (n int)",
        "CREATE SCHEMA archive; ALTER TABLE docs_embedding SET SCHEMA archive",
    ],
)
def test_vectors_beside_a_table_stay_where_they_are_when_it_gets_another_name(
    db: VectorDatabase, statement: str
) -> None:
    """The side table is known by itself: no search is without results, and nothing is paid for again."""
    db.make_docs(9, target="table")
    db.work()
    side_table = db.value("SELECT 'docs_embedding'::regclass::oid")
    paid = db.paid().total()
    db.execute(statement)
    table = db.value("SELECT vectorize.table_name(source) FROM vectorize.job")
    db.work()
    assert "define the job again" in db.status()["reason"]
    db.define(table, target="table")
    assert len(db.rows("SELECT * FROM vectorize.search_by('docs', azure_openai.vector_of('text 7', 8), 20)")) == 9
    db.execute(f"UPDATE {table} SET body = 'changed' WHERE id = 1")
    db.work()
    assert db.paid().total() == paid + 1
    assert db.rows("SELECT target_table::oid FROM vectorize.job") == [(side_table,)]
    settled(db, table)
    db.define(table, target="table", dimensions=4)
    db.work()
    assert db.value("SELECT embedded FROM vectorize.generations WHERE generation = 2") == 9
    db.execute("CALL vectorize.remove('docs', false)")
    assert db.value("SELECT count(*) FROM pg_class WHERE oid = %s", [side_table]) == 0


def test_a_side_table_that_is_gone_is_made_again_beside_the_table_as_it_is_called_now(db: VectorDatabase) -> None:
    db.make_docs(5, target="table")
    db.work()
    db.execute("ALTER TABLE docs RENAME TO papers; DROP TABLE docs_embedding")
    db.work()
    assert db.status()["state"] == "stopped"
    db.define("public.papers", target="table")
    db.work()
    settled(db, "papers")
    assert db.value("SELECT count(*) FROM papers_embedding") == 5


def test_rows_that_cannot_be_read_ask_for_one_sweep_a_transaction(db: VectorDatabase) -> None:
    db.make_docs(50)
    db.work()
    db.execute("ALTER TABLE docs RENAME COLUMN body TO content")
    doubts = "SELECT count(*) FROM vectorize.doubt"
    db.execute("UPDATE docs SET content = 'changed ' || id")
    assert db.value(doubts) == 1
    with db.conn.transaction():
        with db.conn.transaction(force_rollback=True):
            db.execute("UPDATE docs SET content = 'taken back' WHERE id < 10")
        db.execute("UPDATE docs SET content = 'stays ' || id WHERE id < 10")
        db.execute("UPDATE docs SET content = 'stays too ' || id WHERE id < 10")
    assert db.value(doubts) == 2
    db.define(template="{content}")
    db.work()
    settled(db, text="content")
    assert db.value(doubts) == 0


def test_a_setting_of_a_session_keeps_no_doubt_away(db: VectorDatabase) -> None:
    db.make_docs(5, target="table")
    db.work()
    with db.connect(options="-c vectorize.doubted_1=true") as conn:
        conn.execute("TRUNCATE docs")
    db.work()
    assert db.value("SELECT count(*) FROM docs_embedding") == 0


def test_a_table_whose_owner_changes_stops_and_goes_on_under_the_new_one(db: VectorDatabase) -> None:
    db.make_docs(5)
    db.work()
    with db.connect(SUPERUSER) as conn:
        conn.execute("ALTER TABLE docs OWNER TO azure_pg_admin; GRANT USAGE, CREATE ON SCHEMA public TO azure_pg_admin")
    db.execute("UPDATE docs SET body = 'meanwhile' WHERE id = 1")
    db.work()
    assert db.status()["state"] == "stopped"
    assert "another owner" in db.status()["reason"]
    db.define()
    db.work()
    settled(db)


def test_row_security_that_is_forced_later_stops_the_job_and_removes_no_vector(db: VectorDatabase) -> None:
    db.make_docs(5, target="table")
    db.work()
    db.execute("ALTER TABLE docs ENABLE ROW LEVEL SECURITY")
    db.execute("ALTER TABLE docs FORCE ROW LEVEL SECURITY")
    with db.connect(SUPERUSER) as conn:
        conn.execute("UPDATE docs SET body = 'new' WHERE id = 1")
    db.work()
    assert "row security is forced on public.docs" in db.status()["reason"]
    assert db.value("SELECT count(*) FROM docs_embedding") == 5
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match="row security is forced"):
        db.execute("CALL vectorize.resume('docs')")
    db.execute("CREATE POLICY engine ON docs USING (true)")
    db.execute("CALL vectorize.resume('docs')")
    db.work()
    settled(db)


@pytest.mark.parametrize("target", ["column", "table"])
@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE docs RENAME COLUMN body TO content",
        "ALTER TABLE docs DROP COLUMN body",
        "ALTER TABLE docs DROP COLUMN body CASCADE",
    ],
)
def test_a_template_column_that_goes_fails_no_writer(db: VectorDatabase, statement: str, target: str) -> None:
    db.execute("CREATE TABLE docs (id int PRIMARY KEY, body text, n int)")
    db.execute("INSERT INTO docs SELECT g, 'text ' || g, 0 FROM generate_series(1, 5) AS g")
    db.define(target=target)
    db.work()
    db.execute(statement)
    db.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON docs TO application")
    with db.connect("application") as conn:
        conn.execute("INSERT INTO docs (id, n) VALUES (10, 1)")
        conn.execute("UPDATE docs SET n = 2")
        conn.execute("DELETE FROM docs WHERE id = 2")
    db.work()
    assert db.status()["state"] == "stopped"
    assert "names body" in db.status()["reason"]


@pytest.mark.parametrize(
    "to",
    ["varchar(5) USING left(body, 5)", "json USING to_json(body)", "bytea USING body::bytea", "int USING length(body)"],
)
def test_a_template_column_of_another_type_is_compared_anew(db: VectorDatabase, to: str) -> None:
    db.make_docs(5, target="table")
    db.work()
    db.execute(f"ALTER TABLE docs ALTER COLUMN body TYPE {to}")
    db.execute("INSERT INTO docs SELECT 100, body FROM docs WHERE id = 1")
    db.work()
    settled(db, text="concat(body)")


DOUBTS = "SELECT count(*) FROM vectorize.doubt"

# A column's type, what it becomes, and a value of that type.
TYPES = {
    "json": ("text", "json USING to_json(body)", "'[1]'"),
    "varchar": ("text", "varchar", "'other'"),
    "an int": ("text", "int USING length(body)", "5"),
    "timestamptz": ("text", "timestamptz USING '2026-01-01 00:00+00'", "'2026-02-01 00:00+00'"),
    "boolean": ("text", "boolean USING body = 'text 1'", "NOT body"),
    "text of an int": ("int", "text", "'other'"),
    "text of a boolean": ("boolean", "text", "'other'"),
}


@pytest.mark.parametrize("target", ["column", "table"])
@pytest.mark.parametrize("kind", TYPES)
def test_a_template_column_of_another_type_raises_no_doubt_once_it_was_seen(
    db: VectorDatabase, kind: str, target: str
) -> None:
    """Its writers are read again, those whose session saw the old type too; what they change costs what it should."""
    before, after, value = TYPES[kind]
    first = {"text": "'text ' || g", "int": "g", "boolean": "g = 1"}[before]
    db.execute(f"CREATE TABLE docs (id bigint PRIMARY KEY, body {before}, n int)")
    db.execute(f"INSERT INTO docs SELECT g, {first}, 0 FROM generate_series(1, 5) AS g")
    db.define(target=target)
    db.work()
    with db.connect() as open_before:
        open_before.execute("UPDATE docs SET n = n + 1")
        db.execute(f"ALTER TABLE docs ALTER COLUMN body TYPE {after}")
        open_before.execute("UPDATE docs SET n = n + 1 WHERE id = 1")
        db.work()
        paid = db.paid()
        for conn in (open_before, db.conn):
            conn.execute("UPDATE docs SET n = n + 1")
            assert db.value(DOUBTS) == 0
            assert db.status()["changes"] == 0
        db.work()
        assert db.paid() == paid
        open_before.execute(f"UPDATE docs SET body = {value} WHERE id = 1".encode())
        open_before.execute("DELETE FROM docs WHERE id = 2")
        open_before.execute("INSERT INTO docs SELECT 100, body FROM docs WHERE id = 3")
        assert db.value(DOUBTS) == 0
    db.work()
    settled(db, text="concat(body)")


def test_a_column_whose_new_type_has_no_text_form_stops_the_job(db: VectorDatabase) -> None:
    db.execute("CREATE TYPE pair AS (a int, b int)")
    db.make_docs(5, target="table")
    db.work()
    db.execute("ALTER TABLE docs ALTER COLUMN body TYPE pair USING row(1, 2)::pair")
    db.work()
    assert db.status()["state"] == "stopped"
    assert "column body of type public.pair has no built-in text form" in db.status()["reason"]


def test_workers_that_see_a_new_type_together_sweep_once(db: VectorDatabase) -> None:
    db.make_docs(50, target="table", batch_size=5)
    db.work()
    db.execute("ALTER TABLE docs ALTER COLUMN body TYPE varchar")
    paid = db.paid()
    db.work_together(4)
    assert db.paid() == paid
    settled(db)


def test_a_session_that_saw_a_type_come_and_go_raises_one_doubt(db: VectorDatabase) -> None:
    """Between two looks of a worker, so that the source looks as it did."""
    db.make_docs(5, target="table")
    db.work()
    with db.connect() as conn:
        db.execute("ALTER TABLE docs ALTER COLUMN body TYPE varchar")
        conn.execute("UPDATE docs SET n = n + 1")
        db.execute("ALTER TABLE docs ALTER COLUMN body TYPE text")
        conn.execute("UPDATE docs SET n = n + 1")
        db.work()
        conn.execute("UPDATE docs SET n = n + 1")
        assert db.value(DOUBTS) == 0
        conn.execute("UPDATE docs SET body = 'changed' WHERE id = 1")
        assert db.status()["changes"] == 1
    db.work()
    settled(db)


POLICY_THAT_FAILS = """
    CREATE FUNCTION refuse(bigint) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN RAISE ''a policy that fails''; END';
    CREATE POLICY one ON docs USING (refuse(id));
    ALTER TABLE docs ENABLE ROW LEVEL SECURITY;
    ALTER TABLE docs FORCE ROW LEVEL SECURITY;
"""


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("REVOKE SELECT ON docs FROM deployer", "permission denied for table docs"),
        (POLICY_THAT_FAILS, "a policy that fails"),
    ],
)
def test_a_source_that_cannot_be_read_stops_its_job_and_no_other(db: VectorDatabase, statement: str, said: str) -> None:
    db.make_docs(5)
    db.execute("CREATE TABLE other (id int PRIMARY KEY, body text)")
    db.execute("INSERT INTO other VALUES (1, 'x')")
    db.define("public.other", name="other")
    db.execute(statement)
    db.work()
    assert (db.status()["state"], db.status("other")["embedded"]) == ("stopped", 1)
    assert said in db.status()["reason"]
    assert "CALL vectorize.resume('docs')" in db.status()["reason"]
    db.execute("GRANT SELECT ON docs TO deployer; ALTER TABLE docs NO FORCE ROW LEVEL SECURITY")
    db.execute("CALL vectorize.resume('docs')")
    db.work()
    settled(db)


def test_a_published_table_that_cannot_tell_its_rows_apart_stops_the_job_and_blames_no_row(db: VectorDatabase) -> None:
    db.execute("CREATE TABLE docs (id bigint NOT NULL UNIQUE, body text)")
    db.execute("INSERT INTO docs SELECT g, 'text ' || g FROM generate_series(1, 5) AS g")
    db.execute("CREATE PUBLICATION news FOR TABLE docs")
    db.define(key=["id"])
    db.work()
    assert "does not have a replica identity" in db.status()["reason"]
    assert db.rows("SELECT * FROM vectorize.failures") == []
    db.execute("ALTER TABLE docs REPLICA IDENTITY FULL")
    db.execute("CALL vectorize.resume('docs')")
    db.work()
    settled(db)


# Writers under other isolation levels


def test_a_snapshot_from_before_a_settle_conflicts_with_a_column_and_not_with_a_table(db: VectorDatabase) -> None:
    """With the column target a vector's write is an update of the row like any other; the table target spares that."""
    db.execute("CREATE TABLE docs (id int PRIMARY KEY, body text, n int)")
    db.execute("INSERT INTO docs SELECT g, 'text ' || g, 0 FROM generate_series(1, 5) AS g")
    for target in ("table", "column"):
        db.define(name=target, target=target)
        for level in (psycopg.IsolationLevel.REPEATABLE_READ, psycopg.IsolationLevel.SERIALIZABLE):
            db.execute("UPDATE docs SET body = body || '.'")
            with db.connect() as conn:
                conn.isolation_level = level
                conn.autocommit = False
                conn.execute("SELECT count(*) FROM docs")
                db.work()
                if target == "table":
                    conn.execute("UPDATE docs SET body = 'under an old snapshot' WHERE id = 1")
                    conn.execute("DELETE FROM docs WHERE id = 2")
                    conn.commit()
                else:
                    with pytest.raises(psycopg.errors.SerializationFailure):
                        conn.execute("UPDATE docs SET n = 1 WHERE id = 1")
                    conn.rollback()
        db.work()
        settled(db, job=target)
