"""B7: a backfill with its index, built at the end as the engine does, against an index that is there from the start."""

from __future__ import annotations

import time

from benchmarks.outcome import Figure, Outcome
from benchmarks.server import BenchDatabase
from benchmarks.suite import Bench
from benchmarks.workers import drain, share_embedded

ID = "B7"
TITLE = "backfill and HNSW index: index last against index first"
SECONDS = 30.0
RUNS = 1

WORKERS = 4
LATENCY = 0.02


def run(bench: Bench) -> Outcome:
    """Fill a halfvec table and index it, both ways."""
    rows = bench.size(10_000, 300)
    with bench.server() as server:
        with server.database() as database, bench.progress.step("index last", 30, share_embedded(database, rows)):
            last = _index_last(database, rows)
        with server.database() as database, bench.progress.step("index first", 60, share_embedded(database, rows)):
            first = _index_first(database, rows)
    return Outcome(
        [
            Figure(f"{rows:,} rows, index last", last, "s"),
            Figure(f"{rows:,} rows, index first", first, "s"),
            Figure("index first against index last", first / last, "x"),
        ]
    )


def _index_last(database: BenchDatabase, rows: int) -> float:
    database.network(LATENCY)
    database.make_docs(rows)
    began = time.perf_counter()
    drain(database, WORKERS, lambda: database.define(index="hnsw"))
    database.maintain()
    return _ready(database, began)


def _index_first(database: BenchDatabase, rows: int) -> float:
    database.network(LATENCY)
    database.make_docs(rows)
    began = time.perf_counter()
    database.define(index="hnsw", state="paused")
    database.execute("CREATE INDEX ON docs_embedding USING hnsw (embedding halfvec_cosine_ops)")
    drain(database, WORKERS, lambda: database.execute("CALL vectorize.resume('docs')"))
    return _ready(database, began)


def _ready(database: BenchDatabase, began: float) -> float:
    taken = time.perf_counter() - began
    state = database.status()["index_state"]
    if state != "ready":
        raise RuntimeError(f"the index is {state}, not ready")
    return taken
