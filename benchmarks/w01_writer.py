"""W1: what an application that writes all the time notices of a backfill at the pace of a quota.

The service is elsewhere, as on Azure: a stub that waits. (The drill has the emulator's service on the same two cores.)
The job is paused and resumed in turn, and in the next turn the other way round, so that what else the machine does
counts for both.
"""

from __future__ import annotations

import time

from benchmarks.busy_table import RATE, TABLE, Latencies, writing
from benchmarks.outcome import Figure, Outcome, at_most
from benchmarks.server import BenchDatabase, text_of
from benchmarks.suite import Bench
from benchmarks.workers import running

ID = "W1"
TITLE = "a writer's statements beside a backfill, against the same job paused"
SECONDS = 270.0
RUNS = 1

LATENCY = 0.1
WORKERS = 4
TOKENS_PER_MINUTE = 2_000_000
TURN_SECONDS = 10.0


def run(bench: Bench) -> Outcome:
    """Measure both targets, each in a database of its own."""
    figures: list[Figure] = []
    for target in ("column", "table"):
        with bench.database() as database:
            figures += _measure(bench, database, target)
    return Outcome(figures)


def _measure(bench: Bench, database: BenchDatabase, target: str) -> list[Figure]:
    rows, turns, seconds = bench.size((60_000, 6, TURN_SECONDS), (500, 1, 1.0))
    _make(database, rows, target)
    paused, beside = Latencies(), Latencies()
    order = [("pause", paused), ("resume", beside)]
    work = bench.progress.step(f"{target}: {turns} turns without the backfill and beside it", 2 * turns * seconds)
    with database.connect() as writer, running(database, WORKERS) as errors, work:
        for turn in range(turns):
            for place, (call, seen) in enumerate(order):
                database.execute(f"CALL vectorize.{call}('articles')")
                time.sleep(min(1.0, seconds / 4))  # what was begun before is over
                with writing(rows, seen, writer, 2 * turn + place):
                    time.sleep(seconds)
            order.reverse()  # so that neither is always the first of its turn
    if errors or paused.errors or beside.errors:
        raise RuntimeError(f"statements failed: {[*errors, *paused.errors, *beside.errors][:3]}")
    figures = []
    for name, share, bar in (("p95", 0.95, at_most(1.2)), ("median", 0.5, None)):
        before, after = paused.percentile(share), beside.percentile(share)
        note = f"{1000 * before:.2f} ms while it is paused, {1000 * after:.2f} beside it; {RATE} changes a second"
        figures.append(Figure(f"{target}: {name} of the writer's statements", after / before, "x", bar, note))
    done = database.value("SELECT embedded FROM vectorize.status WHERE name = 'articles'")
    figures.append(
        Figure(
            f"{target}: the backfill beside the writes",
            done / (turns * seconds),
            "rows/s",
            note=f"{WORKERS} workers, {TOKENS_PER_MINUTE:,} tokens a minute",
        )
    )
    return figures


def _make(database: BenchDatabase, rows: int, target: str) -> None:
    database.network(LATENCY)
    database.deployment("embedding", "text-embedding-3-small", TOKENS_PER_MINUTE)
    database.execute(TABLE)
    database.execute(
        "INSERT INTO public.articles (n, title, body, category) "
        f"SELECT g - 1, 'Title of ' || g, {text_of('g')}, 'category ' || mod(g, 20) FROM generate_series(1, %s) AS g",
        [rows],
    )
    database.execute("VACUUM ANALYZE public.articles")
    database.checkpoint()
    database.define(name="articles", table="public.articles", template="{title}\n{body}", target=target, type="vector")
