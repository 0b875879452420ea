"""A worker dies at each of its steps: nothing is lost, and at most the batch that it held is paid for twice."""

from __future__ import annotations

import itertools
import random
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from tests.postgres.faults.drill import GATES, FaultDatabase, Worker, wait_until
from tests.postgres.vector_server import SUPERUSER, Connection

SMALL = "INSERT INTO docs SELECT g, 'text ' || g FROM generate_series(1, %s) AS g"

Step = Callable[[FaultDatabase, Connection], Worker]


def claimed(db: FaultDatabase, keeper: Connection) -> Worker:
    """Stop a worker after its claim was committed, before it has read a text."""
    # Rendering is the first to look at the receipts; at the source a worker has a look before it claims.
    keeper.execute("LOCK TABLE vectorize_jobs.receipt_1 IN ACCESS EXCLUSIVE MODE")
    worker = db.worker()
    worker.wait_for_table("vectorize_jobs.receipt_1")
    assert db.value("SELECT count(*) FROM vectorize.lease") == 1
    return worker


def rendered(db: FaultDatabase, keeper: Connection) -> Worker:
    """Stop a worker when it has the texts and has sent nothing."""
    worker = db.worker("call")
    worker.wait_at("call")
    return worker


def calling(db: FaultDatabase, keeper: Connection) -> Worker:
    """Stop a worker during a call that the service has been paid for."""
    worker = db.worker("answer")
    worker.wait_at("answer")
    return worker


def called(db: FaultDatabase, keeper: Connection) -> Worker:
    """Stop a worker between the call, which is over, and the first statement that settles."""
    worker = calling(db, keeper)
    keeper.execute("LOCK TABLE vectorize.delta IN SHARE MODE")
    worker.open()
    worker.wait_for_table("vectorize.delta")
    return worker


def settling(db: FaultDatabase, keeper: Connection) -> Worker:
    """Stop a worker while it writes a vector."""
    worker = db.worker("settle")
    worker.wait_at("settle")
    return worker


def settled(db: FaultDatabase, keeper: Connection) -> Worker:
    """Stop a worker when its vectors are written and its lease is not yet ended, whether they are committed or not."""
    worker = calling(db, keeper)
    keeper.execute("SELECT * FROM vectorize.lease FOR UPDATE")
    worker.open()
    worker.wait_for_table("vectorize.lease")
    assert db.value("SELECT count(*) FROM vectorize.lease") == 1
    return worker


PAID: dict[Step, bool] = {claimed: False, rendered: False, calling: True, called: True, settling: True, settled: True}


@pytest.mark.parametrize("kill", ["terminate", "kill"])
@pytest.mark.parametrize("step", PAID, ids=lambda step: step.__name__)
def test_a_worker_killed_at_any_step_costs_at_most_its_batch(
    docs: FaultDatabase, dice: random.Random, step: Step, kill: str
) -> None:
    rows = docs.batch * 2 + dice.randint(1, docs.batch)
    docs.execute(SMALL, [rows])
    with docs.holding(SUPERUSER) as keeper:
        worker = step(docs, keeper)
        had = docs.value("SELECT count(*) FROM vectorize_jobs.receipt_1") if step is not claimed else 0
        getattr(worker, kill)()
    assert isinstance(worker.error, psycopg.OperationalError)
    assert docs.value("SELECT count(*) FROM vectorize_jobs.receipt_1") >= had
    docs.end(twice=docs.batch if PAID[step] else 0)


def test_several_workers_killed_at_random_steps_cost_a_batch_each(docs: FaultDatabase, dice: random.Random) -> None:
    docs.execute(SMALL, [docs.batch * 12])
    workers = [docs.worker(dice.choice([*GATES])) for _ in range(4)]
    for worker in workers:
        wait_until(lambda worker=worker: worker.at() or worker.ended, "the worker is at its gate")  # type: ignore[misc]
        for _ in range(dice.randrange(4)):
            worker.step()
    for worker in workers:
        worker.terminate()
    docs.end(twice=4 * docs.batch)


def test_a_program_killed_while_its_session_works_costs_nothing(docs: FaultDatabase, dice: random.Random) -> None:
    """The session does not notice, works to the end of its CALL, and finds nobody there."""
    docs.execute(SMALL, [docs.batch * 3])
    program = "import psycopg, sys; psycopg.connect(sys.argv[1], autocommit=True).execute('CALL vectorize.work()')"
    with docs.connect(SUPERUSER) as keeper:
        dsn = f"{docs.conn.info.dsn} application_name=program"
        docs.mend(latency=0.05)
        process = subprocess.Popen([sys.executable, "-c", program, dsn])
        wait_until(docs.calls, "the program has called")
        process.kill()
        process.wait()
        sessions = "SELECT 1 FROM pg_stat_activity WHERE application_name = 'program'"
        wait_until(lambda: keeper.execute(sessions).rowcount == 0, "the program's session has ended")
    docs.end(twice=docs.batch, spare=1)


def test_a_worker_killed_with_vectors_in_hand_pays_for_those_rows_alone(db: FaultDatabase, dice: random.Random) -> None:
    db.start("column", batch=dice.randint(5, 40))
    db.execute(SMALL, [db.batch * 2])
    held = dice.randint(1, 4)
    with db.holding() as holder:
        holder.execute("UPDATE docs SET n = 1 WHERE id <= %s", [held])
        worker = db.worker()
        wait_until(lambda: db.status()["embedded"] == db.batch * 2 - held, "all but the held rows are embedded")
        worker.terminate()
    db.end(twice=held)


def test_a_row_that_kills_its_workers_takes_no_other_into_quarantine(docs: FaultDatabase, dice: random.Random) -> None:
    """Three deaths make its batch suspects; from then on each of those rows goes alone, and the others are embedded."""
    rows = docs.batch + dice.randint(1, docs.batch)
    poison = dice.randint(1, rows)
    docs.execute(SMALL, [rows])
    docs.fault("kill", pattern=f"text {poison}")
    deaths = 0
    while docs.status()["pending"] + docs.status()["leased"] > 0:
        worker = docs.worker()
        wait_until(lambda worker=worker: worker.ended, "the worker has ended")  # type: ignore[misc]
        deaths += worker.error is not None
        worker.gone()
        assert deaths <= 5, "it died more often than a row may kill"
    assert docs.rows("SELECT key, error FROM vectorize.failures") == [({"id": poison}, "its workers died five times")]
    assert deaths == 5
    assert docs.status()["embedded"] == rows - 1
    docs.mend()
    docs.execute("CALL vectorize.retry('docs')")
    docs.end(spare=docs.batch)


def test_suspects_get_their_turn_beside_a_writer_who_never_rests(docs: FaultDatabase, dice: random.Random) -> None:
    """Whoever only shared a batch with the row at fault must not wait for a queue that is never empty."""
    docs.execute(SMALL, [docs.batch * 3])
    docs.work()
    docs.execute("UPDATE docs SET body = 'suspect ' || id WHERE id = 1")
    docs.superuser("SELECT vectorize.fold(1, 0, NULL, 1000, NULL)")
    docs.superuser("UPDATE vectorize_jobs.item_1 SET attempts = 3")
    docs.mend(latency=0.05)
    stop = threading.Event()

    def write() -> None:
        with docs.connect() as conn:
            for step in itertools.count():
                if stop.is_set():
                    return
                key = dice.randint(2, docs.batch * 3)
                conn.execute("UPDATE docs SET body = %s WHERE id = %s", [f"step {step}", key])

    with ThreadPoolExecutor(1) as pool:
        writer = pool.submit(write)
        try:
            docs.work(seconds=3)
            assert docs.rows("SELECT 1 FROM vectorize_jobs.item_1 WHERE k1 = 1") == []
        finally:
            stop.set()
        writer.result()
    docs.end(spare=60)  # the writer's rows come one by one, and three seconds have 60 calls of that latency


def test_a_row_that_takes_the_server_down_charges_no_other_suspect(docs: FaultDatabase, dice: random.Random) -> None:
    """Two suspects are never under way at once, so the one at fault reaches its end alone."""
    docs.execute(SMALL, [docs.batch])
    docs.superuser("SELECT vectorize.feed(1, 1000)")
    docs.superuser("SELECT vectorize.ensure_steps(1)")
    docs.superuser("UPDATE vectorize_jobs.item_1 SET attempts = 3")
    workers = [docs.worker("call") for _ in range(3)]
    wait_until(lambda: any(worker.at() for worker in workers), "a suspect is under way")
    leased = docs.rows("SELECT k1 FROM vectorize_jobs.item_1 WHERE lease IS NOT NULL")
    assert len(leased) == 1
    next(worker for worker in workers if worker.at()).kill()
    for worker in workers:
        if not worker.ended:
            worker.end_without_session()
    docs.superuser("SELECT vectorize.reap(1, 0)")
    charged = docs.rows("SELECT k1 FROM vectorize_jobs.item_1 WHERE attempts > 3")
    assert charged in ([], leased)
    docs.end(spare=docs.batch)
