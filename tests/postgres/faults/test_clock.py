"""The clock jumps: what was noted at another time neither stops the work nor makes it dearer than a batch."""

from __future__ import annotations

import random

import pytest

from tests.postgres.faults.drill import FaultDatabase

JUMPS = ["- interval '3 years'", "- interval '1 hour'", "+ interval '1 hour'", "+ interval '3 years'"]


def fill(db: FaultDatabase, dice: random.Random) -> None:
    rows = db.batch * 2 + dice.randint(1, db.batch)
    db.execute("INSERT INTO docs SELECT g, 'text ' || g FROM generate_series(1, %s) AS g", [rows])


@pytest.mark.parametrize("jump", JUMPS)
def test_a_lease_of_another_time_costs_at_most_its_batch(docs: FaultDatabase, dice: random.Random, jump: str) -> None:
    gate = dice.choice(["call", "answer"])
    fill(docs, dice)
    worker = docs.worker(gate)
    worker.wait_at(gate)
    docs.superuser(f"UPDATE vectorize.lease SET until = until {jump}, claimed_at = claimed_at {jump}")
    docs.work()
    worker.finish()
    docs.end(twice=docs.batch)


@pytest.mark.parametrize("jump", JUMPS)
def test_the_lease_of_a_dead_worker_is_taken_over_whatever_it_says(
    docs: FaultDatabase, dice: random.Random, jump: str
) -> None:
    fill(docs, dice)
    worker = docs.worker("call")
    worker.wait_at("call")
    docs.superuser(f"UPDATE vectorize.lease SET until = until {jump}")
    worker.terminate()
    assert docs.work()["embedded"] == docs.value("SELECT count(*) FROM docs")
    docs.end()


def test_counters_of_another_time_count(docs: FaultDatabase, dice: random.Random) -> None:
    fill(docs, dice)
    docs.work()
    docs.superuser(f"UPDATE vectorize.delta SET at = at {dice.choice(JUMPS)}")
    docs.superuser("SELECT vectorize.fold_counters()")
    docs.execute("UPDATE docs SET body = 'later ' || id WHERE id = 1")
    docs.end()
