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


@pytest.mark.parametrize("jump", JUMPS)
def test_a_wait_of_another_time_is_not_waited_for(docs: FaultDatabase, dice: random.Random, jump: str) -> None:
    """No wait is longer than ten minutes, so one that seems to be was noted before the clock went back."""
    fill(docs, dice)
    docs.superuser(f"UPDATE vectorize.deployment SET not_before = clock_timestamp() {jump}")
    assert docs.work(seconds=5)["embedded"] == docs.value("SELECT count(*) FROM docs")
    docs.end()


def test_a_refusal_of_another_time_still_stops_the_job_in_the_end(docs: FaultDatabase, dice: random.Random) -> None:
    """Before the first success a refusal is tried again for ten minutes, by a clock that may jump meanwhile."""
    fill(docs, dice)
    docs.fault("error", "azure_openai.create_embeddings: 401: Access denied.")
    docs.work_until(lambda: docs.calls("refused"))
    docs.superuser(
        f"UPDATE vectorize.deployment SET refused_since = refused_since {dice.choice(JUMPS[2:])}, not_before = NULL"
    )
    docs.work_until(lambda: docs.calls("refused") > 1)
    docs.superuser(
        "UPDATE vectorize.deployment SET refused_since = refused_since - interval '11 minutes', not_before = NULL"
    )
    docs.work_until(lambda: docs.status()["state"] == "stopped")
    docs.end(state="stopped", refused=3)
