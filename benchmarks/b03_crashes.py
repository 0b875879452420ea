"""B3: what is lost, and what is paid twice, when workers and the server are killed with signal 9."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from benchmarks.outcome import Figure, Outcome, count, never
from benchmarks.server import BenchDatabase, text_of
from benchmarks.suite import Bench
from benchmarks.worker_process import WorkerProcess
from benchmarks.workers import drain, share_embedded

ID = "B3"
TITLE = "kill -9 of workers and of the server: vectors lost, batches paid twice"
SECONDS = 75.0
RUNS = 1

WORKERS = 4
BATCH = 100
LATENCY = 0.5  # so long that a backfill outlasts the 2 s in which the sessions of a killed process notice
WAIT_SECONDS = 60.0


def run(bench: Bench) -> Outcome:
    """Kill a process of workers, then the server, each in the middle of a backfill and more than once."""
    figures: list[Figure] = []
    for name, kill in (("a worker process", _kill_workers), ("the server", _kill_server)):
        with bench.database() as database:
            lost, paid_twice = _measure(bench, database, name, kill)
        times = count(len(paid_twice), "time")
        figures.append(Figure(f"{name} killed, {times}: committed vectors lost", lost, "", never()))
        figures.append(
            Figure(
                f"{name} killed, {times}: batches paid twice, a worker, in the worst of the kills",
                max(paid_twice) / WORKERS,
                "",
                never(1),
                f"{WORKERS} workers; kill by kill {', '.join(f'{batches:g}' for batches in paid_twice)} batches",
            )
        )
    return Outcome(figures)


def _measure(
    bench: Bench, database: BenchDatabase, name: str, kill: Callable[[BenchDatabase, WorkerProcess], WorkerProcess]
) -> tuple[int, list[float]]:
    """Return the vectors lost, and the batches paid twice because of each kill."""
    rows, kills = bench.size((20_000, 4), (1_000, 1))
    share = rows // kills
    database.network(LATENCY, log=True)
    database.make_docs(share)
    database.define(batch_size=BATCH)
    lost = 0
    paid_twice: list[float] = []
    with bench.progress.step(f"{name} is killed", 25, share_embedded(database, rows)):
        process = WorkerProcess(database, WORKERS)
        try:
            for number in range(kills):
                # Every kill has a backfill of its own, so that it is known what was paid twice because of it.
                first = number * share + 1
                if number:
                    added = f"generate_series({first}, {first + share - 1}) AS g"
                    database.execute(f"INSERT INTO docs (id, body) SELECT g, {text_of('g')} FROM {added}")
                _wait_for(database, process, first + share // 5)
                committed = _embedded(database)
                process = kill(database, process)
                lost += len(committed - _embedded(database))
                _drain(database)
                paid = database.paid()
                paid_twice.append((paid.total() - len(paid)) / BATCH - sum(paid_twice))
        finally:
            process.end()
    return lost + database.wrong(), paid_twice


def _drain(database: BenchDatabase) -> None:
    """Work until nothing is left; the sessions of a killed process, and so its leases, end some seconds later."""
    deadline = time.monotonic() + WAIT_SECONDS
    while (found := database.status())["pending"] or found["leased"]:
        if time.monotonic() > deadline:
            raise TimeoutError(f"the job is not done after {WAIT_SECONDS:g} s: {found}")
        drain(database, WORKERS)
        threading.Event().wait(0.1)


def _wait_for(database: BenchDatabase, process: WorkerProcess, rows: int) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while database.value("SELECT count(*) FROM docs_embedding") < rows:
        process.check()
        if time.monotonic() > deadline:
            raise TimeoutError(f"{rows} rows were not embedded within {WAIT_SECONDS:g} s: {database.status()}")
        threading.Event().wait(0.01)


def _embedded(database: BenchDatabase) -> set[int]:
    return {row[0] for row in database.rows("SELECT id FROM docs_embedding")}


def _kill_workers(database: BenchDatabase, process: WorkerProcess) -> WorkerProcess:
    process.kill()
    return WorkerProcess(database, WORKERS)


def _kill_server(database: BenchDatabase, process: WorkerProcess) -> WorkerProcess:
    database.server.kill()
    database.reconnect()
    process.end()
    return WorkerProcess(database, WORKERS)
