"""Workers: threads that each hold a connection and call `vectorize.work`, as the Python worker and `pulumi up` do."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

import psycopg

from benchmarks.progress import Progress
from benchmarks.server import BenchDatabase, Connection

_FOREVER_SECONDS = 3600.0
_CALL_SECONDS = 10.0  # as the Python worker calls


def side_by_side(functions: Sequence[Callable[[], None]]) -> None:
    """Run functions in threads, and raise the first error that one of them had.

    The threads are daemons and are waited for in short steps, so that an interrupt ends the run: what they wait for
    ends with the server.
    """
    errors: list[BaseException] = []

    def guarded(function: Callable[[], None]) -> None:
        try:
            function()
        except BaseException as error:  # noqa: BLE001 - it is raised again by the caller's thread
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(function,), daemon=True) for function in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        while thread.is_alive():
            thread.join(0.2)
    if errors:
        raise errors[0]


def call_work(conn: Connection, seconds: float = _FOREVER_SECONDS, *, linger: bool = False) -> None:
    """Work on all jobs until nothing is ready, or with `linger` until the time is up."""
    conn.execute("CALL vectorize.work(NULL, %s, %s)", [seconds, linger])


def drain(database: BenchDatabase, workers: int, before: Callable[[], object] | None = None) -> float:
    """Let workers, already connected, work until nothing is ready; return the seconds, those of `before` included.

    Args:
        database: whose jobs.
        workers: how many connections.
        before: what starts the clock, such as defining the job.
    """
    connections = [database.connect(application_name="worker") for _ in range(workers)]
    try:
        began = time.perf_counter()
        if before is not None:
            before()
        side_by_side([lambda conn=conn: call_work(conn) for conn in connections])  # type: ignore[misc]
        return time.perf_counter() - began
    finally:
        for conn in connections:
            conn.close()


@contextmanager
def running(database: BenchDatabase, count: int) -> Iterator[list[str]]:
    """Let workers linger until the block ends; one that dies comes back. Yields what they said when they failed.

    A session that was killed, or a server that is starting again, is no failure.
    """
    stop = threading.Event()
    errors: list[str] = []
    connections: dict[int, Connection] = {}

    def work(number: int) -> None:
        while not stop.is_set():
            try:
                with database.connect(application_name="worker") as conn:
                    connections[number] = conn
                    while not stop.is_set():
                        call_work(conn, _CALL_SECONDS, linger=True)
            except (psycopg.OperationalError, psycopg.InterfaceError):
                stop.wait(0.05)
            except psycopg.Error as error:
                errors.append(str(error))
                stop.wait(0.05)

    threads = [threading.Thread(target=work, args=(number,), daemon=True) for number in range(count)]
    for thread in threads:
        thread.start()
    try:
        yield errors
    finally:
        stop.set()
        for conn in list(connections.values()):
            with suppress(psycopg.Error):
                conn.cancel_safe(timeout=5)
        for thread in threads:
            thread.join(10)


def share_embedded(database: BenchDatabase, rows: int) -> Callable[[], float]:
    """Return a function that tells which share of the rows is embedded, on a connection of its own."""
    conn: list[Connection] = []

    def done() -> float:
        if not conn:
            conn.append(database.connect())
        found = conn[0].execute("SELECT embedded FROM vectorize.status WHERE name = 'docs'").fetchone()
        return float(found[0]) / rows if found else 0.0

    return done


def timed_job(
    database: BenchDatabase, progress: Progress, text: str, workers: int, rows: int, seconds: float, **spec: object
) -> float:
    """Define the job `docs`, let workers embed its rows, check that they did, and return the seconds since `define`."""
    with progress.step(text, seconds, share_embedded(database, rows)):
        taken = drain(database, workers, lambda: database.define(**spec))
    embedded = database.status()["embedded"]
    if embedded != rows:
        raise RuntimeError(f"{text}: {embedded} of {rows} rows are embedded: {database.status()}")
    return taken
