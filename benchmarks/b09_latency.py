# ruff: noqa: E501 - statements read better on one line
"""B9: how long a committed write waits for its vector, at 50 writes a second; quiet, and while a backfill runs."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field

from benchmarks.outcome import Chart, Curve, Figure, Outcome, at_most, percentile
from benchmarks.server import DIMENSIONS, BenchDatabase, text_of
from benchmarks.suite import Bench
from benchmarks.workers import running, side_by_side

ID = "B9"
TITLE = "commit to vector at 50 writes a second"
SECONDS = 80.0
RUNS = 1

WRITES_A_SECOND = 50
WORKERS = 4
LATENCY = 0.1
POLL_SECONDS = 0.02  # the vectors are looked for this often, which makes a wait look longer and never shorter
WAIT_SECONDS = 60.0


@dataclass
class _Waits:
    """Writes, by key: when they were committed, and how long they waited."""

    committed: dict[int, float] = field(default_factory=dict)
    waited: dict[int, float] = field(default_factory=dict)
    writing: bool = True


def run(bench: Bench) -> Outcome:
    """Write for a while with an empty queue, then from the start of a backfill until it is done."""
    quiet = _measure(bench, 0, bench.size(20.0, 2.0))
    backfill = _measure(bench, bench.size(100_000, 2_000), None)
    figures = []
    for name, waits in (("quiet", quiet), ("during a backfill", backfill)):
        seconds = [waited for _, waited in waits]
        figures.append(Figure(f"{name}: p95", percentile(seconds, 0.95), "s", at_most(2), f"{len(seconds):,} writes"))
        figures.append(Figure(f"{name}: median", percentile(seconds, 0.5), "s"))
        figures.append(Figure(f"{name}: longest", max(seconds), "s"))
    # Writes went on until the last row of the backfill had its vector.
    rows = bench.size(100_000, 2_000)
    figures.append(
        Figure("the backfill beside the writes", rows / backfill[-1][0], "rows/s", note=f"{WORKERS} workers")
    )
    chart = Chart(
        "latency", "Commit to vector, p95 of each second (50 writes a second)", "seconds", "seconds until the vector is there",
        [Curve("quiet", _by_second(quiet)), Curve("during a backfill of 100,000 rows", _by_second(backfill))],
    )  # fmt: skip
    return Outcome(figures, [chart])


def _by_second(waits: list[tuple[float, float]]) -> list[tuple[float | str, float]]:
    seconds: dict[int, list[float]] = {}
    for at, waited in waits:
        seconds.setdefault(int(at), []).append(waited)
    return [(second, percentile(values, 0.95)) for second, values in sorted(seconds.items())]


def _measure(bench: Bench, rows: int, seconds: float | None) -> list[tuple[float, float]]:
    """Return of each write when it was committed, from the start, and how long it waited.

    Args:
        bench: the run.
        rows: how many rows are there to be backfilled.
        seconds: how long to write; until the backfill is done where None.
    """
    with bench.database() as database:
        database.network(LATENCY)
        database.make_docs(rows)
        text = f"writes, {f'a backfill of {rows:,} rows' if rows else 'quiet'}"
        waits = _Waits()
        with bench.progress.step(text, seconds or 35):
            began = time.perf_counter()
            database.define()
            with running(database, WORKERS):
                side_by_side([lambda: _write(database, waits, began, seconds, rows), lambda: _watch(database, waits)])
    return sorted((committed - began, waits.waited[key]) for key, committed in waits.committed.items())


def _write(database: BenchDatabase, waits: _Waits, began: float, seconds: float | None, rows: int) -> None:
    """Insert a new row or change a row of the writer's own, in turn, at a steady rate whatever a write takes."""
    first = 10_000_000
    with database.connect() as conn:
        number = 0
        while True:
            behind = began + number / WRITES_A_SECOND - time.perf_counter()
            threading.Event().wait(max(0.0, behind))
            key = first + number
            conn.execute(f"INSERT INTO docs (id, body) VALUES (%s, {text_of('%s')})".encode(), [key, key])
            waits.committed[key] = time.perf_counter()
            number += 1
            done = number / WRITES_A_SECOND
            if (done >= seconds) if seconds is not None else (number % 25 == 0 and _backfilled(database, rows)):
                break
    waits.writing = False


def _backfilled(database: BenchDatabase, rows: int) -> bool:
    return bool(database.status()["embedded"] >= rows)


def _watch(database: BenchDatabase, waits: _Waits) -> None:
    """Note for each write when the vector of its text is there."""
    look = (
        "SELECT e.id FROM unnest(%s::bigint[]) AS k (id) JOIN docs AS d USING (id) JOIN docs_embedding AS e USING (id) "
        f"WHERE e.embedding::real[] = azure_openai.vector_of('embedding', d.body, {DIMENSIONS})"
    )
    deadline = float("inf")
    with database.connect() as conn:
        while waits.writing or len(waits.waited) < len(waits.committed):
            missing = [key for key in list(waits.committed) if key not in waits.waited]
            for (key,) in conn.execute(look.encode(), [missing]).fetchall() if missing else ():
                waits.waited[key] = time.perf_counter() - waits.committed[key]
            if waits.writing:
                deadline = time.monotonic() + WAIT_SECONDS
            elif time.monotonic() > deadline:
                raise TimeoutError(f"{len(missing)} writes had no vector after {WAIT_SECONDS:g} s")
            time.sleep(POLL_SECONDS)
