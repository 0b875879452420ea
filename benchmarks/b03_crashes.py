"""B3: what is lost, and what is paid twice, when workers and the server are killed with signal 9."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from benchmarks.outcome import Figure, Outcome, count, never
from benchmarks.server import BenchDatabase
from benchmarks.suite import Bench
from benchmarks.worker_process import WorkerProcess
from benchmarks.workers import drain, share_embedded

ID = "B3"
TITLE = "kill -9 of workers and of the server: vectors lost, batches paid twice"
SECONDS = 60.0
RUNS = 1

WORKERS = 4
BATCH = 100
LATENCY = 0.2
WAIT_SECONDS = 60.0


def run(bench: Bench) -> Outcome:
    """Kill a process of workers, then the server, each in the middle of a backfill and more than once."""
    figures: list[Figure] = []
    for name, kill in (("a worker process", _kill_workers), ("the server", _kill_server)):
        with bench.database() as database:
            lost, paid_twice, kills = _measure(bench, database, name, kill)
        figures.append(Figure(f"{name} killed, {count(kills, 'time')}: committed vectors lost", lost, "", never()))
        figures.append(
            Figure(
                f"{name} killed, {count(kills, 'time')}: batches paid twice, a worker and kill",
                paid_twice / (WORKERS * kills),
                "",
                never(1),
                f"{WORKERS} workers; {paid_twice:g} batches in all",
            )
        )
    return Outcome(figures)


def _measure(
    bench: Bench, database: BenchDatabase, name: str, kill: Callable[[BenchDatabase, WorkerProcess], WorkerProcess]
) -> tuple[int, float, int]:
    """Return the vectors lost, the batches paid twice, and the number of kills."""
    rows, kills = bench.size((20_000, 4), (2_000, 1))
    database.network(LATENCY, log=True)
    database.make_docs(rows)
    database.define(batch_size=BATCH)
    lost = 0
    with bench.progress.step(f"{name} is killed", 25, share_embedded(database, rows)):
        process = WorkerProcess(database, WORKERS)
        try:
            for number in range(kills):
                _wait_for(database, process, rows * (number + 1) // (kills + 2))
                committed = _embedded(database)
                process = kill(database, process)
                lost += len(committed - _embedded(database))
            process.end()
            _drain(database)
        finally:
            process.end()
    lost += database.wrong()
    paid_twice = sum(count - 1 for count in database.paid().values()) / BATCH
    return lost, paid_twice, kills


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
