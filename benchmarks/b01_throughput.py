# ruff: noqa: E501 - statements read better on one line
"""B1: rows a second against the documented way, by workers, batch and target; with a stub, and over HTTP."""

from __future__ import annotations

import time
from collections.abc import Callable

from benchmarks.outcome import Bar, Chart, Curve, Figure, Outcome, at_least, count
from benchmarks.server import BenchDatabase, BenchServer
from benchmarks.services import running_services
from benchmarks.suite import Bench
from benchmarks.workers import timed_job

ID = "B1"
TITLE = "rows a second against UPDATE t SET e = create_embeddings(d, body), 100 ms a request"
SECONDS = 120.0
RUNS = 3

LATENCY = 0.1
# Workers, batch, rows: enough for about eight seconds each.
LOADS = ((1, 100, 6_000), (4, 100, 24_000), (8, 100, 48_000), (16, 100, 80_000), (8, 500, 80_000))
QUICK_LOADS = ((1, 100, 300), (2, 100, 600))
BARS = {("column", 8): 500, ("column", 16): 650, ("table", 8): 700, ("table", 16): 1_100}
TARGETS = {"column": {"target": "column", "type": "vector"}, "table": {"target": "table", "type": "halfvec"}}


def run(bench: Bench) -> Outcome:
    """Measure the documented statement, then each load for both targets, then both ways over HTTP."""
    figures: list[Figure] = []
    curves: dict[str, list[tuple[float | str, float]]] = {target: [] for target in TARGETS}
    with bench.server() as server:
        documented = documented_rows_per_second(bench, server, bench.size(150, 5))
        figures.append(Figure("the documented UPDATE", documented, "rows/s"))
        for target, spec in TARGETS.items():
            for workers, batch, rows in bench.size(LOADS, QUICK_LOADS):
                with server.database() as database:
                    database.network(LATENCY)
                    database.make_docs(rows)
                    name = f"{target}, {count(workers, 'worker')}, batch {batch}"
                    taken = timed_job(database, bench.progress, name, workers, rows, 8, batch_size=batch, **spec)
                ratio = rows / taken / documented
                figures.append(Figure(name, ratio, "x", _bar(target, workers, batch)))
                curves[target].append((f"{workers} x {batch}", ratio))
    figures += over_http(bench)
    chart = Chart(
        "throughput", "Throughput against the documented UPDATE (100 ms a request)", "workers x batch", "times as many rows a second",
        [Curve({"column": "vector column", "table": "halfvec table"}[target], points) for target, points in curves.items()],
        kind="bars",
    )  # fmt: skip
    return Outcome(figures, [chart])


def _bar(target: str, workers: int, batch: int) -> Bar | None:
    limit = BARS.get((target, workers)) if batch == 100 else None
    return at_least(limit) if limit else None


def documented_rows_per_second(
    bench: Bench, server: BenchServer, rows: int, prepare: Callable[[BenchDatabase], None] | None = None
) -> float:
    """Return how many rows a second the statement of the service's documentation embeds."""
    with server.database() as database:
        if prepare is None:
            database.network(LATENCY)
        else:
            prepare(database)
        database.make_docs(rows)
        database.execute("ALTER TABLE docs ADD COLUMN embedding vector(1536)")
        with bench.progress.step(f"the documented UPDATE of {rows} rows", rows * LATENCY * 1.05):
            began = time.perf_counter()
            database.execute("UPDATE docs SET embedding = azure_openai.create_embeddings('embedding', body)::vector")
            return rows / (time.perf_counter() - began)


def over_http(bench: Bench) -> list[Figure]:
    """Measure the documented statement and 8 workers against the emulator's AI service, whose quota is out of the way."""
    figures: list[Figure] = []
    rows, workers = bench.size((8_000, 8), (300, 2))
    with (
        running_services(capacity=1_000_000, latency_seconds=LATENCY) as services,
        bench.server(services.addresses()) as server,
    ):
        documented = documented_rows_per_second(bench, server, bench.size(60, 3), services.configure)
        figures.append(Figure("over HTTP: the documented UPDATE", documented, "rows/s"))
        for target, spec in TARGETS.items():
            with server.database() as database:
                services.configure(database)
                database.make_docs(rows)
                name = f"over HTTP: {target}, {workers} workers, batch 100"
                taken = timed_job(database, bench.progress, name, workers, rows, 10, **spec)
            note = "one machine is database and service: 100 x 1,536 numbers a request are made and read on it"
            figures.append(Figure(name, rows / taken / documented, "x", note=note))
    return figures
