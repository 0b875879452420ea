"""A job is defined anew, paused, embedded again or removed while workers hold batches of it."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.postgres.faults.drill import FaultDatabase, wait_until

GATES = ["call", "answer", "settle"]


def fill(db: FaultDatabase, dice: random.Random) -> None:
    rows = db.batch + dice.randint(1, db.batch)
    db.execute("INSERT INTO docs SELECT g, 'text ' || g FROM generate_series(1, %s) AS g", [rows])


@pytest.mark.parametrize("gate", GATES[:2])
@pytest.mark.parametrize("sweeps", [True, False], ids=["swept meanwhile", "swept later"])
def test_a_new_template_counts_for_batches_that_are_out(
    docs: FaultDatabase, dice: random.Random, gate: str, sweeps: bool
) -> None:
    fill(docs, dice)
    worker = docs.worker(gate)
    worker.wait_at(gate)
    docs.define(target=docs.target, template="new: {body}", batch_size=docs.batch)
    if sweeps:
        docs.work()
    worker.finish()
    docs.end(text="('new: ' || body)")


def test_a_new_template_waits_for_a_batch_that_is_being_written(docs: FaultDatabase, dice: random.Random) -> None:
    """Else the walk for the new template could pass its rows as queued, and they would be settled by the old one."""
    fill(docs, dice)
    worker = docs.worker("settle")
    worker.wait_at("settle")
    with ThreadPoolExecutor(1) as pool:
        defined = pool.submit(docs.define, target=docs.target, template="new: {body}", batch_size=docs.batch)
        wait_until(lambda: defined.done() or docs.waits(docs.conn.info.backend_pid), "the definition is done, or waits")
        assert not defined.done()
        worker.finish()
        defined.result()
    docs.end(text="('new: ' || body)")


def test_a_batch_waits_for_a_new_template_that_is_being_written(docs: FaultDatabase, dice: random.Random) -> None:
    """Else its texts could be those of the old template under the fingerprint of the new one."""
    fill(docs, dice)
    with docs.holding() as definer:
        definer.execute("SELECT vectorize.change_definition(1)")
        worker = docs.worker()
        wait_until(lambda: docs.waits(worker.pid), "the worker waits")
        assert docs.calls() == 0
    worker.finish()
    docs.end()


def test_a_new_batch_size_and_distance_change_nothing_for_batches_that_are_out(
    docs: FaultDatabase, dice: random.Random
) -> None:
    fill(docs, dice)
    workers = [docs.worker(GATES[0])]
    workers[0].wait_at(GATES[0])  # before the others come: there may be no more than two batches
    workers += [docs.worker(gate) for gate in GATES[1:]]
    size = dice.randint(1, 50)
    docs.define(target=docs.target, batch_size=size, distance="l2")
    docs.batch = min(docs.batch, size)
    for worker in workers:
        worker.finish()
    docs.end()


@pytest.mark.parametrize("gate", GATES)
def test_a_pause_lets_a_batch_that_is_out_be_settled(docs: FaultDatabase, dice: random.Random, gate: str) -> None:
    fill(docs, dice)
    worker = docs.worker(gate)
    worker.wait_at(gate)
    docs.execute("CALL vectorize.pause('docs')")
    worker.finish()
    assert docs.calls() == 1
    assert docs.status()["embedded"] == docs.batch
    docs.end(state="paused")


@pytest.mark.parametrize("gate", GATES)
def test_verify_and_reembed_meet_batches_that_are_out(docs: FaultDatabase, dice: random.Random, gate: str) -> None:
    fill(docs, dice)
    worker = docs.worker(gate)
    worker.wait_at(gate)
    again = dice.choice([True, False])
    with docs.writing(f"CALL vectorize.{'reembed' if again else 'verify'}('docs')"):
        if gate != "settle" and dice.choice([True, False]):
            docs.work()
        worker.open()
    worker.finish()
    docs.end(twice=docs.value("SELECT count(*) FROM docs") if again else 0)


@pytest.mark.parametrize("gate", GATES[:2])
def test_a_job_that_is_removed_ends_its_workers_and_comes_back_whole(
    docs: FaultDatabase, dice: random.Random, gate: str
) -> None:
    fill(docs, dice)
    worker = docs.worker(gate)
    worker.wait_at(gate)
    docs.execute("CALL vectorize.remove('docs')")
    worker.open()
    worker.gone()
    docs.execute("UPDATE docs SET body = 'changed without a job ' || id WHERE id = 1")
    docs.define(target=docs.target, batch_size=docs.batch)
    docs.end(twice=docs.batch)


def test_definitions_come_while_workers_run(docs: FaultDatabase, dice: random.Random) -> None:
    docs.execute("INSERT INTO docs SELECT g, 'text ' || g FROM generate_series(1, %s) AS g", [docs.batch * 10])
    docs.mend(latency=0.005)
    workers = [docs.worker() for _ in range(3)]
    steps = dice.randint(2, 5)
    for step in range(steps):
        size = dice.randint(2, 40)
        docs.define(target=docs.target, template=f"{step} {{body}}", batch_size=size)
        docs.batch = min(docs.batch, size)
    for worker in workers:
        worker.finish()
    # A batch that is out while the last definition comes is embedded in vain.
    docs.end(text=f"('{steps - 1} ' || body)", twice=3 * 40)
