"""B8: bytes of WAL for each embedded row, the first time and again, queueing included; queueing apart."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.outcome import Chart, Curve, Figure, Outcome, at_most
from benchmarks.server import BenchDatabase
from benchmarks.suite import Bench
from benchmarks.workers import drain, share_embedded

ID = "B8"
TITLE = "WAL bytes a row"
SECONDS = 20.0
RUNS = 1

WORKERS = 4
LATENCY = 0.02
TARGETS = {"halfvec table": ("table", "halfvec"), "vector column": ("column", "vector")}
BARS = {("halfvec table", "first time"): 4_300, ("halfvec table", "second time"): 7_900}


def run(bench: Bench) -> Outcome:
    """Embed a table twice for each target as a backfill does, which queues its rows as it goes; then queue alone."""
    rows = bench.size(20_000, 1_000)
    figures: list[Figure] = []
    curves: list[Curve] = []
    with bench.server() as server:
        for name, (target, type_) in TARGETS.items():
            with server.database() as database, bench.progress.step(name, 25, share_embedded(database, rows)):
                sizes = _measure(database, rows, target, type_)
            for step, size in sizes.items():
                limit = BARS.get((name, step))
                figures.append(Figure(f"{name}, {step}", size, "bytes a row", at_most(limit) if limit else None))
            curves.append(Curve(name, [(step, size) for step, size in sizes.items()]))
    chart = Chart("wal", "WAL a row of 1,536 dimensions", "", "bytes a row", curves, kind="bars")
    return Outcome(figures, [chart])


def _measure(database: BenchDatabase, rows: int, target: str, type_: str) -> dict[str, float]:
    """Embed all rows, and again, queueing included; then queue them only. Each step starts after a checkpoint."""
    database.network(LATENCY)
    database.make_docs(rows)
    database.define(target=target, type=type_, state="paused")
    sizes: dict[str, float] = {}

    def step(name: str, work: Callable[[], object]) -> None:
        database.checkpoint()
        before = database.value("SELECT pg_current_wal_insert_lsn()")
        work()
        sizes[name] = float(database.value("SELECT pg_current_wal_insert_lsn() - %s::pg_lsn", [before])) / rows

    for when in ("first time", "second time"):
        database.execute("CALL vectorize.resume('docs')")
        step(when, lambda: drain(database, WORKERS))
        if database.status()["embedded"] != rows:
            raise RuntimeError(f"not all rows are embedded: {database.status()}")
        database.execute("CALL vectorize.pause('docs')")
        database.execute("CALL vectorize.reembed('docs')")
    step("queueing alone", lambda: database.execute("CALL vectorize.verify('docs')"))
    return sizes
