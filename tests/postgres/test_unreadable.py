# ruff: noqa: E501 - statements read better on one line
"""A row that cannot be read costs itself alone: not its batch, not its job, not the other jobs of the same CALL."""

from __future__ import annotations

from typing import Any

import pytest
from psycopg.types.json import Jsonb

from tests.postgres.vector_server import SUPERUSER, VectorDatabase

SAYS = "reading the row failed: division by zero"


@pytest.fixture
def parts(db_debian: VectorDatabase) -> VectorDatabase:
    """250 parts, declared as a label whose filter divides by a column; none is 0 yet. And another job, of a later number."""
    db = db_debian
    db.execute("CREATE TABLE public.parts (id bigint PRIMARY KEY, name text, qty integer NOT NULL)")
    db.execute("INSERT INTO parts SELECT g, 'part ' || g, 1 FROM generate_series(1, 250) AS g")
    db.execute("CALL vectorize.define_graph('shop')")
    arguments = {"graph": "shop", "label": "Part", "properties": ["name"], "filter": "100 / qty > 5"}
    db.execute(
        "CALL vectorize.define(%s)",
        [Jsonb({"name": "shop.Part", "table": "public.parts", "operation": "vertex", "arguments": arguments})],
    )
    db.make_docs(3)
    return db


def failures(db: VectorDatabase) -> list[tuple[Any, ...]]:
    return db.rows("SELECT job, (key ->> 'id')::int, error FROM vectorize.failures ORDER BY 2")


def vertices(db: VectorDatabase) -> int:
    count: int = db.value('SELECT count(*) FROM shop."Part"')
    return count


@pytest.mark.parametrize("bad", [[7], [2, 3, 101, 250]])
def test_a_row_that_cannot_be_read_is_quarantined_and_nothing_else_is(parts: VectorDatabase, bad: list[int]) -> None:
    parts.execute("UPDATE parts SET qty = 0 WHERE id = ANY (%s)", [bad])
    parts.work()
    assert failures(parts) == [("shop.Part", key, SAYS) for key in bad]
    status = parts.status("shop.Part")
    assert (status["state"], status["quarantined"], status["embedded"], status["pending"]) == (
        "active",
        len(bad),
        250 - len(bad),
        0,
    )
    assert status["last_error"] == SAYS
    assert vertices(parts) == 250 - len(bad)
    assert parts.wrong() == [], "the other job went on"
    assert parts.work() == {"embedded": 0, "requests": 0}


def test_what_was_unreadable_comes_back_when_it_is_mended(parts: VectorDatabase) -> None:
    parts.work()
    assert vertices(parts) == 250
    parts.execute("UPDATE parts SET qty = 0 WHERE id = 7")
    parts.work()
    assert vertices(parts) == 249, "what was there is not what the row says"
    parts.execute("UPDATE parts SET qty = 2 WHERE id = 7")
    parts.work()
    assert (failures(parts), vertices(parts)) == ([], 250)
    assert parts.status("shop.Part")["quarantined"] == 0


@pytest.mark.parametrize("phase", ["source", "receipts"])
def test_a_walk_over_all_rows_gets_past_one_that_cannot_be_read(parts: VectorDatabase, phase: str) -> None:
    parts.work()
    parts.execute("ALTER TABLE parts DISABLE TRIGGER vectorize_1")
    parts.execute("UPDATE parts SET qty = 0 WHERE id IN (120, 121)")
    parts.execute("UPDATE parts SET name = 'renamed' WHERE id IN (119, 122)")
    parts.execute("ALTER TABLE parts ENABLE ALWAYS TRIGGER vectorize_1")
    for _ in range(2):
        with parts.connect(SUPERUSER) as conn:
            conn.execute("SELECT vectorize.restart_sweep(1)")
            conn.execute("UPDATE vectorize_jobs.sweep_1 SET phase = %s", [phase])
        parts.work()
        assert [key for _, key, _ in failures(parts)] == [120, 121]
        status = parts.status("shop.Part")
        assert (status["state"], status["embedded"], status["pending"], status["sweeping"]) == ("active", 248, 0, False)


def test_a_first_row_that_cannot_be_read_does_not_stop_the_job(parts: VectorDatabase) -> None:
    parts.execute("UPDATE parts SET qty = 0 WHERE id = 1")
    parts.work()
    assert failures(parts) == [("shop.Part", 1, SAYS)]
    assert parts.status("shop.Part")["state"] == "active"
    assert vertices(parts) == 249


def test_rows_none_of_which_can_be_read_stop_the_job_and_not_the_others(parts: VectorDatabase) -> None:
    parts.execute("UPDATE parts SET qty = 0")
    parts.work()
    status = parts.status("shop.Part")
    assert status["state"] == "stopped"
    assert "public.parts cannot be read: division by zero" in status["reason"]
    assert parts.wrong() == []
    parts.execute("UPDATE parts SET qty = 1")
    parts.execute("CALL vectorize.resume('shop.Part')")
    parts.work()
    assert (failures(parts), vertices(parts)) == ([], 250)


def test_a_policy_that_raises_for_one_row_costs_a_vector_job_that_row(db: VectorDatabase) -> None:
    """The column's vector stays, since the row cannot be locked for another either."""
    db.make_docs(2000)
    db.execute("UPDATE docs SET n = 1")
    db.execute("ALTER TABLE docs ENABLE ROW LEVEL SECURITY")
    db.execute("ALTER TABLE docs FORCE ROW LEVEL SECURITY")
    db.execute("CREATE POLICY readable ON docs USING (100 / n > 5)")
    db.execute("VACUUM ANALYZE docs")
    db.work()
    with db.connect(SUPERUSER) as conn:
        conn.execute(
            "UPDATE docs SET body = 'changed ' || id, n = CASE id WHEN 1007 THEN 0 ELSE 1 END WHERE id BETWEEN 1000 AND 1010"
        )
    db.work()
    assert failures(db) == [("docs", 1007, SAYS)]
    assert db.status()["last_error"] == SAYS
    with db.connect(SUPERUSER) as conn:
        conn.execute("UPDATE docs SET n = 1 WHERE id = 1007")
    assert [row[0] for row in db.wrong()] == [1007]
    db.execute("CALL vectorize.retry('docs')")
    db.work()
    assert (failures(db), db.wrong()) == ([], [])


def test_a_policy_that_raises_where_the_walk_must_pass_stops_that_job_alone(db: VectorDatabase) -> None:
    db.make_docs(2000)
    db.execute("CREATE TABLE public.notes (id bigint PRIMARY KEY, body text)")
    db.execute("INSERT INTO notes VALUES (1, 'a note')")
    db.define("public.notes", name="notes")
    db.execute("UPDATE docs SET n = CASE id WHEN 1007 THEN 0 ELSE 1 END")
    db.execute("ALTER TABLE docs ENABLE ROW LEVEL SECURITY")
    db.execute("ALTER TABLE docs FORCE ROW LEVEL SECURITY")
    db.execute("CREATE POLICY readable ON docs USING (100 / n > 5)")
    db.execute("VACUUM ANALYZE docs")
    db.work()
    status = db.status()
    assert status["state"] == "stopped"
    assert "public.docs cannot be read: division by zero" in status["reason"]
    assert db.wrong("notes") == []


def test_a_row_whose_reading_kills_its_workers_is_not_read_a_seventh_time(db: VectorDatabase) -> None:
    db.make_docs(5)
    with db.connect(SUPERUSER) as conn:
        conn.execute("SELECT vectorize.ensure_steps(1), vectorize.feed(1, 1000)")
        conn.execute("UPDATE vectorize_jobs.item_1 SET attempts = 6 WHERE k1 = 2")
    db.work()
    assert failures(db) == [("docs", 2, "its workers died six times")]
    assert [row[0] for row in db.wrong()] == [2]
    db.execute("CALL vectorize.retry('docs')")
    db.work()
    assert (failures(db), db.wrong()) == ([], [])
