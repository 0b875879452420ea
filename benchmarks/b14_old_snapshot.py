"""B14: rows a second after a million items while an old snapshot stays open, against the same without it."""

from __future__ import annotations

import threading
import time
from contextlib import suppress

import psycopg

from benchmarks.outcome import Figure, Outcome, at_least
from benchmarks.server import BenchDatabase
from benchmarks.suite import Bench
from benchmarks.workers import running, share_embedded

ID = "B14"
TITLE = "rows a second beside an old snapshot"
SECONDS = 150.0
RUNS = 1

# As many after as before: each autovacuum takes seconds of it, wherever it falls.
BEFORE, MEASURED = 1_000_000, 1_000_000
DIMENSIONS = 8  # what is measured is the queue, whose dead rows the snapshot keeps
WORKERS = 2
WAIT_SECONDS = 900.0
LOOK_SECONDS = 0.1  # a look at the status costs as much as fifty rows


def run(bench: Bench) -> Outcome:
    """Embed a million rows, then measure those after them; once with a snapshot from before the first."""
    before, measured = bench.size((BEFORE, MEASURED), (1_000, 15_000))
    rates = {}
    for held in (False, True):
        with bench.database() as database:
            database.make_docs(before + measured, words=3)
            name = "an old snapshot is open" if held else "no old snapshot"
            with bench.progress.step(name, 80, share_embedded(database, before + measured)):
                rates[held] = _rate(database, before, measured, held=held)
    return Outcome(
        [
            Figure(f"rows/s after {before:,} items, no old snapshot", rates[False], "rows/s"),
            Figure(f"rows/s after {before:,} items, beside an old snapshot", rates[True], "rows/s"),
            Figure("beside an old snapshot against without", rates[True] / rates[False], "x", at_least(0.8)),
        ]
    )


def _rate(database: BenchDatabase, before: int, measured: int, *, held: bool) -> float:
    database.define(dimensions=DIMENSIONS)
    with database.connect() as reader:
        if held:
            reader.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            reader.autocommit = False
            reader.execute("SELECT count(*) FROM docs WHERE id = 1")
        try:
            with running(database, WORKERS):
                began, first = _reach(database, before)
                ended, last = _reach(database, before + measured)
        finally:
            with suppress(psycopg.Error):
                reader.rollback()
    return (last - first) / (ended - began)


def _reach(database: BenchDatabase, rows: int) -> tuple[float, int]:
    """Wait until so many rows are embedded; return when that was seen, and how many there were."""
    deadline = time.monotonic() + WAIT_SECONDS
    while (embedded := int(database.status()["embedded"])) < rows:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{rows:,} rows were not embedded within {WAIT_SECONDS:g} s: {database.status()}")
        threading.Event().wait(LOOK_SECONDS)
    return time.perf_counter(), embedded
