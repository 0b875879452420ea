"""B13: memory of a process of workers, and how the time of a row grows with the table."""

from __future__ import annotations

import statistics
import time

import psutil

from benchmarks.outcome import Chart, Curve, Figure, Outcome, at_most
from benchmarks.server import SUPERUSER, BenchDatabase
from benchmarks.suite import Bench
from benchmarks.worker_process import WorkerProcess
from benchmarks.workers import share_embedded, timed_job

ID = "B13"
TITLE = "memory of a worker process, growth of the time of a row"
SECONDS = 80.0
RUNS = 1

CONNECTIONS = 8
ROWS = (10_000, 100_000, 1_000_000)
REPEATS = (5, 2, 1)  # a small table is measured more often, since it is over in a second
DIMENSIONS = 64  # the time of a row shall be the engine's own, and a million rows shall fit the machine
WORKERS = 2
WAIT_SECONDS = 120.0
MEGABYTE = 1024 * 1024


def run(bench: Bench) -> Outcome:
    """Watch the memory of a process during a backfill, then embed tables of growing size."""
    process, backends = _memory(bench)
    note = f"{CONNECTIONS} connections, 1,536 dimensions, the most during a backfill"
    figures = [
        Figure("memory of the worker process", process, "MB", at_most(150), note),
        Figure("memory of its backends, without what they share", backends, "MB"),
    ]
    sizes = list(zip(bench.size(ROWS, (500, 2_000)), bench.size(REPEATS, (1, 1)), strict=True))
    points: list[tuple[float | str, float]] = []
    with bench.server() as server:
        for rows, repeats in sizes:
            taken = []
            for _ in range(repeats):
                with server.database() as database:
                    database.make_docs(rows, words=6)
                    name = f"{rows:,} rows"
                    seconds = timed_job(
                        database, bench.progress, name, WORKERS, rows, rows / 12_000, dimensions=DIMENSIONS
                    )
                taken.append(1e6 * seconds / rows)
            points.append((rows, statistics.median(taken)))
    figures += [Figure(f"time of a row, {rows:,} rows", value, "µs") for rows, value in points]
    growth = points[-1][1] / points[0][1]
    what = f"time of a row, {points[-1][0]:,} rows against {points[0][0]:,}"
    figures.append(Figure(what, growth, "x", at_most(1.1), f"{DIMENSIONS} dimensions"))
    chart = Chart(
        "growth", f"Time of a row by size of the table ({DIMENSIONS} dimensions, no latency)", "rows", "µs a row",
        [Curve(f"{WORKERS} workers", points)], log_x=True,
    )  # fmt: skip
    return Outcome(figures, [chart])


def _memory(bench: Bench) -> tuple[float, float]:
    """Return the most megabytes that a process of workers and its backends had."""
    rows = bench.size(60_000, 2_000)
    with bench.database() as database:
        database.network(0.05)
        database.make_docs(rows)
        database.define()
        worker = WorkerProcess(database, CONNECTIONS)
        process = backends = 0
        deadline = time.monotonic() + WAIT_SECONDS
        try:
            with bench.progress.step("memory during a backfill", 15, share_embedded(database, rows)):
                while database.status()["embedded"] < rows:
                    process = max(process, worker.memory())
                    backends = max(backends, _backends(database))
                    if time.monotonic() > deadline:
                        raise TimeoutError(f"the backfill was not done within {WAIT_SECONDS:g} s: {database.status()}")
                    time.sleep(0.1)
        finally:
            worker.end()
    return process / MEGABYTE, backends / MEGABYTE


def _backends(database: BenchDatabase) -> int:
    """Return the bytes that the workers' backends have for themselves."""
    with database.connect(SUPERUSER) as conn:
        pids = conn.execute("SELECT pid FROM pg_stat_activity WHERE query LIKE 'CALL vectorize.work%%'").fetchall()
    total = 0
    for (pid,) in pids:
        try:
            memory = psutil.Process(pid).memory_info()
        except psutil.NoSuchProcess:
            continue
        total += int(memory.rss - getattr(memory, "shared", 0))
    return total
