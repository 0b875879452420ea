"""B10: searches while the job changes to another model: how long their results are missing, wrong or mixed."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from benchmarks.outcome import Figure, Outcome, never, percentile
from benchmarks.server import BenchDatabase, Connection
from benchmarks.suite import Bench
from benchmarks.workers import drain, running

ID = "B10"
TITLE = "seconds without correct search results during a change of model"
SECONDS = 60.0
RUNS = 1

WORKERS = 2
SEARCHERS = 2
LATENCY = 0.02
WAIT_SECONDS = 300.0
JOIN_SECONDS = 30.0
NEXT = "embedding-next"
WITHOUT = "seconds without correct results"


def run(bench: Bench) -> Outcome:
    """Search for texts of the table by themselves, in another model's vectors from some moment on."""
    rows = bench.size(3_000, 200)
    with bench.database() as database:
        if database.value("SELECT to_regclass('vectorize.generations')") is None:
            note = "not available: this checkout has no generations"
            return Outcome([Figure(WITHOUT, None, "s", never(), note)])
        database.network(LATENCY)
        database.make_docs(rows)
        with bench.progress.step("the first model", 15):
            drain(database, WORKERS, lambda: database.define(index="hnsw"))
            database.maintain()
        with searching(database, rows) as before:
            threading.Event().wait(bench.size(3.0, 0.5))
        if before.wrong_seconds():
            raise RuntimeError(f"searches are not right even before the change: {before.said()}")
        database.deployment(NEXT, "text-embedding-3-large")
        work = bench.progress.step("the change of model", 30)
        with searching(database, rows) as searchers, work, running(database, WORKERS):
            began = time.perf_counter()
            database.define(deployment=NEXT, index="hnsw")
            _wait_for_switch(database)
            taken = time.perf_counter() - began
            threading.Event().wait(bench.size(2.0, 0.5))
    return Outcome(
        [
            Figure(WITHOUT, searchers.wrong_seconds(), "s", never(), searchers.said()),
            Figure("seconds that the change took", taken, "s"),
            Figure("p95 of a search during the change", searchers.p95(), "s"),
            Figure("p95 of a search before", before.p95(), "s"),
        ]
    )


def _wait_for_switch(database: BenchDatabase) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while database.value("SELECT deployment FROM vectorize.generations WHERE standing = 'current'") != NEXT:
        if time.monotonic() > deadline:
            raise TimeoutError(f"the new model was not switched to within {WAIT_SECONDS:g} s: {database.status()}")
        database.maintain()
        threading.Event().wait(0.1)


class Searchers:
    """Threads that search all the time, each noting when a search ended, how long it took and whether it was right."""

    def __init__(self, database: BenchDatabase, rows: int) -> None:
        self.errors: list[str] = []
        self._database = database
        self._rows = rows
        self._stop = threading.Event()
        self._seen: list[list[tuple[float, float, bool]]] = [[] for _ in range(SEARCHERS)]
        self._threads = [
            threading.Thread(target=self._search, args=(number,), daemon=True) for number in range(SEARCHERS)
        ]
        for thread in self._threads:
            thread.start()

    def stop(self) -> list[str]:
        """End the threads, and return what is wrong with those that did not search until now."""
        died = [thread for thread in self._threads if not thread.is_alive()]
        self._stop.set()
        for thread in self._threads:
            thread.join(JOIN_SECONDS)
        complaints = []
        for number, (thread, seen) in enumerate(zip(self._threads, self._seen, strict=True)):
            if thread in died:
                complaints.append(f"searcher {number} died")
            elif thread.is_alive():
                complaints.append(f"searcher {number} hangs in a search")
            elif not seen:
                complaints.append(f"searcher {number} made no search")
        return complaints

    def said(self) -> str:
        """Return how many searches there were, and what those said that failed."""
        searches = f"{sum(len(seen) for seen in self._seen):,} searches"
        return f"{searches}, {len(self.errors):,} failed: {self.errors[0]}" if self.errors else searches

    def p95(self) -> float:
        """Return how long 95 % of the searches took at most."""
        return percentile([taken for seen in self._seen for _, taken, _ in seen], 0.95)

    def wrong_seconds(self) -> float:
        """Return the time from each wrong or failed search to the next right one of the same searcher."""
        total = 0.0
        for seen in self._seen:
            wrong_since: float | None = None
            for at, taken, right in seen:
                if right and wrong_since is not None:
                    total += at - wrong_since
                    wrong_since = None
                elif not right and wrong_since is None:
                    wrong_since = at - taken
            if wrong_since is not None:
                total += seen[-1][0] - wrong_since
        return total

    def _search(self, number: int) -> None:
        """Search until told to stop; after an error on a new connection, as an application would."""
        dice = random.Random(number)
        began = time.perf_counter()
        while not self._stop.is_set():
            try:
                with self._database.connect() as conn:
                    while not self._stop.is_set():
                        began = time.perf_counter()
                        self._note(number, began, right=_finds_itself(conn, dice.randint(1, self._rows)))
            except psycopg.Error as error:
                self._note(number, began, right=False)
                self.errors.append(f"{type(error).__name__}: {error}".splitlines()[0])

    def _note(self, number: int, began: float, *, right: bool) -> None:
        ended = time.perf_counter()
        self._seen[number].append((ended, ended - began, right))


def _finds_itself(conn: Connection, key: int) -> bool:
    """Search for a row's own text, and return whether that row is found first, at no distance, among three."""
    found = conn.execute(
        "SELECT s.key, s.distance FROM docs AS d, LATERAL vectorize.search('docs', d.body, 3) AS s WHERE d.id = %s",
        [key],
    ).fetchall()
    # A text's own vector is at distance 0, and in one model's space only; halfvec rounds a little.
    return bool(found) and found[0][0] == {"id": key} and abs(found[0][1]) < 1e-3 and len(found) == 3


@contextmanager
def searching(database: BenchDatabase, rows: int) -> Iterator[Searchers]:
    """Search all the time while the block runs.

    Raises:
        RuntimeError: a searcher died, hangs or made no search, so that what it did not see says nothing.
    """
    searchers = Searchers(database, rows)
    try:
        yield searchers
    finally:
        complaints = searchers.stop()
    if complaints:
        raise RuntimeError(f"{', '.join(complaints)}; {searchers.said()}")
