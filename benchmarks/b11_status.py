"""B11: what a look at vectorize.status costs by the length of the queue, and whether its counts are true."""

from __future__ import annotations

import statistics
import time

from benchmarks.outcome import Chart, Curve, Figure, Outcome, at_most, never
from benchmarks.server import BenchDatabase
from benchmarks.suite import Bench
from benchmarks.workers import drain, share_embedded

ID = "B11"
TITLE = "vectorize.status with a long queue"
SECONDS = 50.0
RUNS = 1

LENGTHS = (1_000, 10_000, 100_000, 1_000_000)
LOOKS = 21
DIMENSIONS = 8  # a status looks at no vector; small ones let a million rows be embedded in a minute
WORKERS = 4


def run(bench: Bench) -> Outcome:
    """Queue so many items, look, and, for the longest queue, let workers empty it and compare with real counts."""
    lengths = bench.size(LENGTHS, (100, 2_000))
    points: list[tuple[float | str, float]] = []
    wrong_queued = wrong_quiet = 0
    with bench.server() as server:
        for length in lengths:
            with server.database() as database:
                with bench.progress.step(f"queueing {length:,} items", length / 25_000):
                    database.make_docs(length, words=3)
                    database.define(dimensions=DIMENSIONS, batch_size=1_000, state="paused")
                    database.execute("CALL vectorize.verify('docs')")
                points.append((length, _milliseconds(database)))
                wrong_queued += abs(database.status()["pending"] - length)
                if length == lengths[-1]:
                    with bench.progress.step(f"embedding {length:,} rows", 70, share_embedded(database, length)):
                        database.execute("CALL vectorize.resume('docs')")
                        drain(database, WORKERS)
                    wrong_quiet = _difference(database)
    figures = [
        Figure(f"one look, {length:,} items queued", value, "ms", at_most(50) if length == lengths[-1] else None)
        for length, value in points
    ]
    figures.append(Figure("difference to the true counts, queued", wrong_queued, "rows", never()))
    figures.append(Figure("difference to the true counts, once quiet", wrong_quiet, "rows", never()))
    chart = Chart(
        "status", "One look at vectorize.status by length of the queue", "items queued", "milliseconds",
        [Curve("median of 21 looks", points)], log_x=True,
    )  # fmt: skip
    return Outcome(figures, [chart])


def _milliseconds(database: BenchDatabase) -> float:
    database.execute("VACUUM (ANALYZE) docs")
    taken = []
    for _ in range(LOOKS):
        began = time.perf_counter()
        database.rows("SELECT * FROM vectorize.status")
        taken.append(1000 * (time.perf_counter() - began))
    return statistics.median(taken)


def _difference(database: BenchDatabase) -> int:
    status = database.status()
    rows, vectors = database.rows("SELECT (SELECT count(*) FROM docs), (SELECT count(*) FROM docs_embedding)")[0]
    return int(
        abs(status["rows"] - rows)
        + abs(status["embedded"] - vectors)
        + status["pending"]
        + status["leased"]
        + status["quarantined"]
    )
