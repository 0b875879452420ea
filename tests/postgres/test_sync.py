# ruff: noqa: E501 - statements read better on one line
"""Rows that change later: what costs an item, and that no user's statement fails because of the engine."""

from __future__ import annotations

import psycopg
import pytest

from tests.postgres.vector_server import VectorDatabase, digest

QUEUED = "SELECT (SELECT count(*) FROM vectorize_jobs.change_1) + (SELECT count(*) FROM vectorize_jobs.item_1)"


@pytest.fixture
def docs(db: VectorDatabase) -> VectorDatabase:
    db.make_docs(20, target="table")
    db.work()
    return db


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE docs SET n = n + 1",
        "UPDATE docs SET body = body",
        "UPDATE docs SET body = body || '', n = 3",
        "UPDATE docs SET id = id",
        "ALTER TABLE docs ADD COLUMN more text DEFAULT 'x'",
        "BEGIN; UPDATE docs SET body = 'other'; ROLLBACK",
        "DO $$ BEGIN UPDATE docs SET body = 'other'; RAISE division_by_zero; EXCEPTION WHEN division_by_zero THEN NULL; END $$",
    ],
)
def test_what_changes_no_text_costs_no_item_and_no_token(docs: VectorDatabase, statement: str) -> None:
    calls = docs.calls()
    docs.execute(statement)
    assert docs.value(QUEUED) == 0
    assert docs.work() == {"embedded": 0, "requests": 0}
    assert docs.calls() == calls


@pytest.mark.parametrize(
    ("statement", "embedded"),
    [
        ("UPDATE docs SET body = 'new' || id WHERE id <= 3", 3),
        ("UPDATE docs SET body = upper(body)", 20),
        ("INSERT INTO docs VALUES (100, 'more'), (101, 'and more')", 2),
        ("INSERT INTO docs VALUES (1, 'again') ON CONFLICT (id) DO UPDATE SET body = excluded.body", 1),
        ("MERGE INTO docs USING (VALUES (1::bigint), (50)) AS v (id) ON docs.id = v.id WHEN MATCHED THEN UPDATE SET body = 'merged' WHEN NOT MATCHED THEN INSERT VALUES (v.id, 'new')", 2),
        ("UPDATE docs SET id = id + 1000 WHERE id > 15", 5),
        ("DELETE FROM docs WHERE id < 5", 0),
        ("UPDATE docs SET body = NULL WHERE id < 5", 0),
        ("UPDATE docs SET body = '  ' WHERE id < 5", 0),
        ("TRUNCATE docs", 0),
        ("BEGIN; TRUNCATE docs; INSERT INTO docs VALUES (1, 'text 1'), (2, 'other'); COMMIT", 1),
        ("DELETE FROM docs WHERE id = 7; INSERT INTO docs VALUES (7, 'text 7')", 0),
    ],
)  # fmt: skip
def test_a_change_is_followed(docs: VectorDatabase, statement: str, embedded: int) -> None:
    docs.execute(statement)
    assert docs.work()["embedded"] == embedded
    assert docs.wrong_in_table() == []
    status = docs.status()
    assert status["pending"] == status["leased"] == status["changes"] == 0
    assert status["embedded"] == docs.value("SELECT count(*) FROM docs_embedding")
    assert status["rows"] == docs.value("SELECT count(*) FROM docs")


def test_rows_that_were_inserted_count_before_anybody_queues_them(docs: VectorDatabase) -> None:
    docs.execute("INSERT INTO docs SELECT g, 'text ' || g FROM generate_series(21, 25) AS g")
    docs.execute("UPDATE docs SET body = body || ', changed' WHERE id IN (3, 22)")
    status = docs.status()
    assert (status["rows"], status["embedded"], status["pending"]) == (25, 20, 7)
    docs.work()
    status = docs.status()
    assert (status["rows"], status["embedded"], status["pending"]) == (25, 25, 0)


def test_a_column_that_was_dropped_stops_the_job_and_fails_nobody(docs: VectorDatabase) -> None:
    docs.execute("ALTER TABLE docs RENAME COLUMN body TO content")
    docs.execute("INSERT INTO docs VALUES (100, 'written while the template was wrong')")
    docs.execute("UPDATE docs SET content = 'changed then' WHERE id = 3")
    docs.execute("DELETE FROM docs WHERE id = 4")
    docs.work()
    status = docs.status()
    assert status["state"] == "stopped"
    assert "names body" in status["reason"]
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match="names body"):
        docs.execute("CALL vectorize.resume('docs')")
    docs.execute("ALTER TABLE docs RENAME COLUMN content TO body")
    docs.execute("CALL vectorize.resume('docs')")
    assert docs.work()["embedded"] == 2
    assert docs.wrong_in_table() == []


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("ALTER TABLE docs DROP COLUMN body", "template names body"),
        ("ALTER TABLE docs RENAME COLUMN id TO key", "the key"),
        ("ALTER TABLE docs ALTER COLUMN id TYPE integer", "the key"),
        ("ALTER TABLE docs DROP CONSTRAINT docs_pkey", "the key"),
        ("ALTER TABLE docs DISABLE TRIGGER vectorize_1", "triggers"),
        ("DROP TRIGGER vectorize_1 ON docs", "triggers"),
        ("DROP TABLE docs_embedding", "for the vectors is gone"),
        ("DROP TABLE docs", "source table is gone"),
    ],
)
def test_a_source_that_no_longer_fits_stops_the_job_with_a_reason(
    docs: VectorDatabase, statement: str, said: str
) -> None:
    docs.execute(statement)
    docs.work()
    status = docs.status()
    assert status["state"] == "stopped"
    assert said in status["reason"]


def test_a_lost_trigger_is_mended_by_defining_again(docs: VectorDatabase) -> None:
    docs.execute("DROP TRIGGER vectorize_1 ON docs")
    docs.execute("UPDATE docs SET body = 'unseen' WHERE id = 5")
    docs.execute("DELETE FROM docs WHERE id = 6")
    docs.define(target="table")
    assert docs.work()["embedded"] == 1
    assert docs.wrong_in_table() == []


def test_a_column_of_another_type_is_compared_anew(docs: VectorDatabase) -> None:
    docs.execute("ALTER TABLE docs ALTER COLUMN body TYPE varchar(6) USING left(body, 6)")
    docs.work()
    assert docs.status()["state"] == "active"
    assert docs.wrong_in_table() == []


def test_verify_finds_what_was_done_behind_the_triggers(docs: VectorDatabase) -> None:
    docs.execute("ALTER TABLE docs DISABLE TRIGGER vectorize_1")
    docs.execute("INSERT INTO docs VALUES (100, 'unseen')")
    docs.execute("UPDATE docs SET body = 'unseen too' WHERE id <= 2")
    docs.execute("DELETE FROM docs WHERE id BETWEEN 3 AND 5")
    docs.execute("ALTER TABLE docs ENABLE ALWAYS TRIGGER vectorize_1")
    docs.execute("DELETE FROM docs_embedding WHERE id = 9")
    report = docs.value("CALL vectorize.verify('docs')")
    assert report == {"missing": 1, "stale": 3, "orphaned": 3}
    assert docs.work()["embedded"] == 4
    assert docs.wrong_in_table() == []
    assert docs.value("CALL vectorize.verify('docs')") == {"missing": 0, "stale": 0, "orphaned": 0}


def test_rows_of_logical_replication_count(docs: VectorDatabase) -> None:
    with docs.connect("azuresu") as conn:
        conn.execute("SET session_replication_role = replica")
        conn.execute("UPDATE docs SET body = 'replicated' WHERE id = 1")
        conn.execute("INSERT INTO docs VALUES (200, 'replicated')")
    assert docs.work()["embedded"] == 2
    assert docs.paid()[digest("replicated")] == 1
    assert docs.wrong_in_table() == []


def test_text_is_compared_byte_by_byte_and_rendered_under_fixed_settings(db: VectorDatabase) -> None:
    db.execute("CREATE TABLE docs (id bigint PRIMARY KEY, body text, at timestamptz, price numeric, extra json)")
    db.execute("INSERT INTO docs VALUES (1, 'Late', '2026-07-01 12:00+00', 1.0, '{}'), (2, NULL, NULL, NULL, NULL)")
    db.define(template="{body}|{at}|{price}|{extra}")
    db.work()
    for statement in ("UPDATE docs SET body = 'late' WHERE id = 1", "UPDATE docs SET price = 1.00 WHERE id = 1"):
        db.execute(statement)
        assert db.work()["embedded"] == 1
    with db.connect(options="-c timezone=Asia/Tokyo -c datestyle=german") as conn:
        conn.execute("UPDATE docs SET at = at")
        assert conn.execute("SELECT count(*) FROM vectorize_jobs.change_1").fetchone() == (0,)
        conn.execute("CALL vectorize.work()")
    assert digest("late|2026-07-01 12:00:00+00|1.00|{}") in db.paid()
    assert digest("|||") in db.paid()
    db.execute("CALL vectorize.verify('docs')")
    assert db.notices[-1].endswith("0 missing, 0 stale, 0 orphaned")


@pytest.mark.parametrize(
    ("change", "key", "text"),
    [
        ("ALTER COLUMN id TYPE text", "id", "body"),
        ("RENAME COLUMN id TO key", "key", "body"),
        ("RENAME COLUMN body TO content", "id", "content"),
        ("ALTER COLUMN body TYPE json USING to_json(body)", "id", "body"),
        ("ALTER COLUMN body TYPE bytea USING convert_to(body, 'UTF8')", "id", "body"),
    ],
)
def test_no_statement_fails_on_a_table_that_no_longer_fits(
    docs: VectorDatabase, change: str, key: str, text: str
) -> None:
    docs.execute(f"ALTER TABLE docs {change}")
    new_key = "'no number'" if "TYPE text" in change else "77"
    docs.execute(f"INSERT INTO docs SELECT {new_key}, {text} FROM docs LIMIT 1")
    docs.execute(f"UPDATE docs SET {text} = (SELECT {text} FROM docs WHERE {key} = '3') WHERE {key} = '4'")
    docs.execute("UPDATE docs SET n = n + 1")
    docs.execute(f"UPDATE docs SET {key} = '9000' WHERE {key} = '5'")
    docs.execute(f"DELETE FROM docs WHERE {key} IN ('6', {new_key})")


@pytest.mark.parametrize(
    ("before", "after", "queued"),
    [
        ("NULL, 'body'", "'', 'body'", 0),
        ("'', 'body'", "NULL, 'body'", 0),
        ("'ab', 'c'", "'a', 'bc'", 0),
        ("'a', NULL", "'A', NULL", 1),
        ("NULL, NULL", "'', ''", 0),
    ],
)
def test_only_another_text_counts_whichever_columns_it_comes_from(
    db: VectorDatabase, before: str, after: str, queued: int
) -> None:
    db.execute("CREATE TABLE docs (id bigint PRIMARY KEY, title text, body text)")
    db.execute(f"INSERT INTO docs VALUES (1, {before})")
    db.define(template="{title}{body}", target="table")
    db.work()
    db.execute(f"UPDATE docs SET (title, body) = ROW ({after})")
    assert db.value("SELECT count(*) FROM vectorize_jobs.change_1") == queued


def test_a_vector_is_of_the_columns_joined_by_the_template(db: VectorDatabase) -> None:
    db.execute("CREATE TABLE docs (id bigint PRIMARY KEY, title text, year integer, body text)")
    db.execute("INSERT INTO docs VALUES (1, 'Anvil', 1990, 'forged'), (2, 'Bolt', NULL, 'cast')")
    db.define(template="{title} ({year}): {{{body}}}")
    joined = "concat(title, ' (', year, '): {', body, '}')"
    db.work()
    assert set(db.paid()) == {digest("Anvil (1990): {forged}"), digest("Bolt (): {cast}")}
    assert db.wrong(text=joined) == []
    db.execute("UPDATE docs SET year = 1991 WHERE id = 1")
    db.work()
    assert digest("Anvil (1991): {forged}") in db.paid()
    assert db.wrong(text=joined) == []
