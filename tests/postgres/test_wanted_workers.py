# ruff: noqa: E501 - statements read better on one line
"""How many workers a scaler is told to start: by what waits, by what the quota feeds, and at no cost to speak of."""

from __future__ import annotations

from typing import Any

import pytest

from tests.postgres.vector_server import VectorDatabase


def wanted(db: VectorDatabase, rows_each: int = 10, connections: int = 4) -> int:
    return int(db.value("SELECT vectorize.wanted_workers(%s, %s)", [rows_each, connections]))


def quota(db: VectorDatabase, capacity: int) -> None:
    db.execute("SELECT vectorize.set_deployment('embedding', 'text-embedding-3-small', 1536, %s, %s, 0.02)", [capacity * 1000, capacity * 6])  # fmt: skip


def test_as_many_as_rows_wait_and_none_when_all_is_done(db: VectorDatabase) -> None:
    assert wanted(db) == 0
    db.make_docs(35)
    db.execute("ANALYZE docs")
    assert wanted(db) == 4
    assert wanted(db, rows_each=10_000) == 1
    db.work()
    assert wanted(db) == 0
    db.execute("UPDATE docs SET body = body || '!' WHERE id <= 11")
    assert wanted(db) == 2
    db.execute("CALL vectorize.pause('docs')")
    assert wanted(db) == 0


def test_rows_that_are_being_embedded_keep_their_workers(db: VectorDatabase) -> None:
    """A scaler of jobs takes those that run from what is wanted: what they do is still to be counted."""
    db.make_docs(30, batch_size=10)
    db.execute("UPDATE vectorize_jobs.sweep_1 SET phase = 'done'")
    db.execute("INSERT INTO vectorize.lease (id, job, worker, items, until) VALUES (7, 1, 1, 30, clock_timestamp() + interval '1 minute')")  # fmt: skip
    db.execute("INSERT INTO vectorize.delta (job, queued) VALUES (1, 30)")
    assert (db.status()["pending"], db.status()["leased"]) == (0, 30)
    assert wanted(db) == 3


@pytest.mark.parametrize(("capacity", "most"), [(1, 1), (350, 1), (10_000, 5)])
def test_no_more_than_the_quota_feeds(db: VectorDatabase, capacity: int, most: int) -> None:
    """10,000,000 tokens a minute are 17 calls of 20,000 tokens (100 rows of 200) in two seconds: five times four connections."""
    quota(db, capacity)
    db.make_docs(1000)
    db.execute("ANALYZE docs")
    db.execute("INSERT INTO vectorize.delta (job, at, tokens, embedded) VALUES (1, clock_timestamp() - interval '2 minutes', 200, 1)")  # fmt: skip
    assert wanted(db) == most
    assert wanted(db, connections=64) == 1


def test_none_for_a_service_that_asked_to_wait(db: VectorDatabase) -> None:
    db.make_docs(20)
    assert wanted(db) > 0
    db.execute("SELECT vectorize.back_off('embedding', true, 60)")
    assert wanted(db) == 0


def test_the_cost_does_not_grow_with_the_queue(db: VectorDatabase) -> None:
    """The question is asked every few seconds, by every scaler, whatever there is to do."""

    def pages(rows: int) -> int:
        db.execute("INSERT INTO docs (id, body) SELECT i, 'text ' || i FROM generate_series((SELECT coalesce(max(id), 0) + 1 FROM docs), %s) AS i", [rows])  # fmt: skip
        db.execute("ANALYZE docs")
        wanted(db)
        plan: Any = db.value("EXPLAIN (ANALYZE, BUFFERS, FORMAT json) SELECT vectorize.wanted_workers()")
        return int(plan[0]["Plan"]["Shared Hit Blocks"]) + int(plan[0]["Plan"]["Shared Read Blocks"])

    db.make_docs(0)
    few, many = pages(12_000), pages(60_000)
    assert many < 1.5 * few, (few, many)
