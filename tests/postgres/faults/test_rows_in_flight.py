# ruff: noqa: E501 - statements read better on one line
"""Rows change in every way while they are embedded: the old vector is never kept, the new text is paid for once."""

from __future__ import annotations

import random

import pytest

from tests.postgres.faults.drill import FaultDatabase, wait_until

CHANGES = {
    "inserted": "INSERT INTO docs SELECT g, 'new ' || g FROM generate_series(1001, 1010) AS g",
    "changed": "UPDATE docs SET body = 'changed ' || id WHERE id % 2 = 0",
    "changed and changed back": "UPDATE docs SET body = 'changed ' || id WHERE id = 1; UPDATE docs SET body = 'text 1' WHERE id = 1",
    "emptied": "UPDATE docs SET body = CASE WHEN id % 2 = 0 THEN NULL ELSE '  ' END WHERE id <= 4",
    "deleted": "DELETE FROM docs WHERE id % 3 = 0",
    "deleted and inserted again": "DELETE FROM docs WHERE id <= 3; INSERT INTO docs SELECT g, 'again ' || g FROM generate_series(1, 3) AS g",
    "re-keyed": "UPDATE docs SET id = id + 5000 WHERE id <= 5",
    "re-keyed in a circle": "UPDATE docs SET id = -id WHERE id <= 2; UPDATE docs SET id = 3 + id WHERE id < 0",
    "truncated": "TRUNCATE docs",
    "truncated and filled": "TRUNCATE docs; INSERT INTO docs SELECT g, 'refilled ' || g FROM generate_series(1, 7) AS g",
    "merged": "MERGE INTO docs USING (VALUES (1::bigint), (2), (9000)) AS v (id) ON docs.id = v.id WHEN MATCHED AND v.id = 1 THEN DELETE "
    "WHEN MATCHED THEN UPDATE SET body = 'merged' WHEN NOT MATCHED THEN INSERT VALUES (v.id, 'merged in')",
}
# The same text under another key is another vector.
PAID_AGAIN = {"re-keyed": 5, "re-keyed in a circle": 2}


@pytest.mark.parametrize("change", CHANGES)
def test_rows_change_while_they_are_embedded(docs: FaultDatabase, dice: random.Random, change: str) -> None:
    gate = dice.choice(["call", "answer", "settle"])
    rows = docs.batch + dice.randint(5, 10)
    docs.execute("INSERT INTO docs SELECT g, 'text ' || g FROM generate_series(1, %s) AS g", [rows])
    worker = docs.worker(gate)
    worker.wait_at(gate)
    with docs.writing(CHANGES[change]):
        worker.open()
    worker.finish()
    docs.end(twice=PAID_AGAIN.get(change, 0))


def test_a_row_that_changes_with_every_call_is_embedded_once_it_rests(docs: FaultDatabase, dice: random.Random) -> None:
    docs.execute("INSERT INTO docs SELECT g, 'text ' || g FROM generate_series(1, %s) AS g", [docs.batch])
    worker = docs.worker("answer")
    worker.wait_at("answer")
    for step in range(dice.randint(2, 5)):
        docs.execute("UPDATE docs SET body = 'step %s of ' || id WHERE id = 1", [step])
        worker.step()
    worker.finish()
    docs.end()


def test_a_row_that_is_locked_for_a_moment_when_the_workers_time_ends_is_paid_for_once(db: FaultDatabase) -> None:
    db.start("column", batch=1, rows=1)
    with db.holding() as user:
        worker = db.worker("answer", seconds=0.5)
        worker.wait_at("answer")
        user.execute("SELECT FROM docs FOR UPDATE")
        wait_until(
            lambda: db.value("SELECT claimed_at < clock_timestamp() - interval '0.7 seconds' FROM vectorize.lease"),
            "its time is over",
        )
        worker.open()
        wait_until(
            lambda: db.superuser(
                "SELECT 1 FROM pg_stat_activity WHERE pid = %s AND wait_event = 'PgSleep'", [worker.pid]
            ),
            "it tries again",
        )
        user.commit()
        assert worker.finish()["embedded"] == 1
    db.end()
