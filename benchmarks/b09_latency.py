# ruff: noqa: E501 - statements read better on one line
"""B9: how long a committed write waits for its vector, at 50 writes a second, new rows and changes in turn; quiet, and during a backfill."""

from __future__ import annotations

import random
import threading
import time
from dataclasses import dataclass, field
from typing import NamedTuple

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


class _Write(NamedTuple):
    """A row that was inserted or changed, and when that was committed."""

    key: int
    committed: float


class _Wait(NamedTuple):
    """When a write was committed, from the start on, how long its row waited for a vector, and whether it was a change."""

    at: float
    seconds: float
    is_change: bool


@dataclass
class _Waits:
    """Writes in their order, and how long they waited, by their place in it.

    A row that is changed before the vector of its text is there has one for the later text: the earlier write waits for that.
    """

    writes: list[_Write] = field(default_factory=list)
    waited: dict[int, float] = field(default_factory=dict)
    writing: bool = True


def run(bench: Bench) -> Outcome:
    """Write for a while with an empty queue, then from the start of a backfill until it is done."""
    quiet = _measure(bench, 0, bench.size(20.0, 2.0))
    backfill = _measure(bench, bench.size(100_000, 2_000), None)
    figures = []
    for name, waits in (("quiet", quiet), ("during a backfill", backfill)):
        seconds = [wait.seconds for wait in waits]
        changes = [wait.seconds for wait in waits if wait.is_change]
        figures.append(Figure(f"{name}: p95", percentile(seconds, 0.95), "s", at_most(2), f"{len(seconds):,} writes"))
        figures.append(
            Figure(
                f"{name}: p95 of changed rows", percentile(changes, 0.95), "s", at_most(2), f"{len(changes):,} changes"
            )
        )
        figures.append(Figure(f"{name}: median", percentile(seconds, 0.5), "s"))
        figures.append(Figure(f"{name}: longest", max(seconds), "s"))
    # Writes went on until the last row of the backfill had its vector.
    rows = bench.size(100_000, 2_000)
    figures.append(
        Figure("the backfill beside the writes", rows / backfill[-1].at, "rows/s", note=f"{WORKERS} workers")
    )
    chart = Chart(
        "latency", "Commit to vector, p95 of each second (50 writes a second)", "seconds", "seconds until the vector is there",
        [Curve("quiet", _by_second(quiet)), Curve("during a backfill of 100,000 rows", _by_second(backfill))],
    )  # fmt: skip
    return Outcome(figures, [chart])


def _by_second(waits: list[_Wait]) -> list[tuple[float | str, float]]:
    seconds: dict[int, list[float]] = {}
    for wait in waits:
        seconds.setdefault(int(wait.at), []).append(wait.seconds)
    return [(second, percentile(values, 0.95)) for second, values in sorted(seconds.items())]


def _measure(bench: Bench, rows: int, seconds: float | None) -> list[_Wait]:
    """Return how long each write waited, in their order.

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
    return [
        _Wait(write.committed - began, waits.waited[number], _is_change(number))
        for number, write in enumerate(waits.writes)
    ]


def _is_change(number: int) -> bool:
    return number % 2 == 1


def _write(database: BenchDatabase, waits: _Waits, began: float, seconds: float | None, rows: int) -> None:
    """Insert a new row or change a row of the writer's own, in turn, at a steady rate whatever a write takes."""
    first = 10_000_000
    dice = random.Random(9)
    with database.connect() as conn:
        number = 0
        while True:
            behind = began + number / WRITES_A_SECOND - time.perf_counter()
            threading.Event().wait(max(0.0, behind))
            if _is_change(number):
                statement = f"UPDATE docs SET body = {text_of('%s')} WHERE id = %s"
                key = dice.choice(waits.writes).key
            else:
                statement = f"INSERT INTO docs (body, id) VALUES ({text_of('%s')}, %s)"
                key = first + number
            conn.execute(statement.encode(), [first + number, key])
            waits.writes.append(_Write(key, time.perf_counter()))
            number += 1
            done = number / WRITES_A_SECOND
            if (done >= seconds) if seconds is not None else (number % 25 == 0 and _backfilled(database, rows)):
                break
    waits.writing = False


def _backfilled(database: BenchDatabase, rows: int) -> bool:
    """Return whether the rows that were there before the writer's own are embedded, which are counted only near the end."""
    if database.status()["embedded"] < rows:
        return False
    return bool(database.value("SELECT count(*) FROM docs_embedding WHERE id <= %s", [rows]) == rows)


def _watch(database: BenchDatabase, waits: _Waits) -> None:
    """Note for each write when its row has the vector of its present text."""
    look = (
        "SELECT e.id FROM unnest(%s::bigint[]) AS k (id) JOIN docs AS d USING (id) JOIN docs_embedding AS e USING (id) "
        f"WHERE e.embedding::real[] = azure_openai.vector_of('embedding', d.body, {DIMENSIONS})"
    )
    deadline = float("inf")
    with database.connect() as conn:
        while waits.writing or len(waits.waited) < len(waits.writes):
            missing = [(n, write) for n, write in enumerate(waits.writes) if n not in waits.waited]
            keys = list({write.key for _, write in missing})
            found = {key for (key,) in conn.execute(look.encode(), [keys]).fetchall()} if keys else set()
            now = time.perf_counter()
            waits.waited |= {n: now - write.committed for n, write in missing if write.key in found}
            if waits.writing:
                deadline = time.monotonic() + WAIT_SECONDS
            elif time.monotonic() > deadline:
                raise TimeoutError(f"{len(missing)} writes had no vector after {WAIT_SECONDS:g} s")
            time.sleep(POLL_SECONDS)
