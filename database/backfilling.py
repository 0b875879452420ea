"""A backfill: workers until a job is done, with lines of progress; then its index."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import psycopg

from database import maintenance
from database.catching_up import CatchingUp
from database.connection import explained
from database.errors import DatabaseError
from database.needed_workers import NeededWorkers
from database.progress import Ticker
from database.worker_pool import WorkerPool

if TYPE_CHECKING:
    from database.vectorization import JobStatus

Connect = Callable[[], psycopg.Connection]

_PROGRESS_SECONDS = 2.0
_POLL_SECONDS = 0.2
_MOST_FAILURES = 5  # of one worker, or of the watcher, in a row

# How long a call of the job would wait for the quota now; NULL for a job that calls nothing.
_WAIT = """
SELECT CASE WHEN vectorize.calls_something(j) THEN vectorize.wait_seconds(d) END
FROM vectorize.job AS j JOIN vectorize.deployment AS d ON d.name = j.deployment WHERE j.name = %s
"""


def run(
    open_connection: Connect,
    read: "Callable[[psycopg.Connection], JobStatus]",
    name: str,
    workers: int,
    timeout_seconds: float,
    progress: Callable[[str], None],
) -> None:
    """Work on a job until it has caught up or the time is up, then build its index if that is due.

    Args:
        open_connection: opens a connection in autocommit, straight to the server.
        read: reads the job's status.
        name: the job.
        workers: how many connections work, at most: fewer where the quota feeds no more.
        timeout_seconds: how long to go on.
        progress: gets a line every 2 s.

    Raises:
        DatabaseError: the job stopped or was paused, or no worker can go on.
    """
    deadline = time.monotonic() + timeout_seconds
    pool = WorkerPool(open_connection, name, workers, linger=False, deadline=deadline, most_failures=_MOST_FAILURES)
    needed = NeededWorkers(workers)
    catching_up = CatchingUp()

    def look(conn: psycopg.Connection) -> "JobStatus":
        pool.needed = needed.note(_wait_seconds(conn, name))
        return read(conn)

    def goes_on(found: "JobStatus") -> bool:
        left = found.state == "active" and not catching_up.done(found)
        return left and time.monotonic() < deadline and pool.alive()

    try:
        found = _watch(open_connection, look, goes_on, pool, progress)
    finally:
        pool.stop()
    progress(found.line())
    if found.state != "active":
        raise DatabaseError(
            f"job {found.name} stopped: {found.reason}"
            if found.state == "stopped"
            else f"job {found.name} was paused while it ran; run again to go on."
        )
    if not catching_up.done(found) and time.monotonic() < deadline:
        raise DatabaseError(f"job {found.name}: no worker is left; the last one said: {pool.error}")
    maintenance.run(open_connection, name, lambda: time.monotonic() >= deadline, progress)


def _wait_seconds(conn: psycopg.Connection, name: str) -> float | None:
    with explained(f"job {name}: reading the wait for the quota"):
        row = conn.execute(_WAIT, [name]).fetchone()
    return row[0] if row else None


def _watch(
    open_connection: Connect,
    look: "Callable[[psycopg.Connection], JobStatus]",
    goes_on: "Callable[[JobStatus], bool]",
    pool: WorkerPool,
    progress: Callable[[str], None],
) -> "JobStatus":
    """Return the status once it no longer goes on; the watching connection may die and come back too."""
    ticker = Ticker(_PROGRESS_SECONDS, progress)
    failures = 0
    while True:
        try:
            with open_connection() as conn:
                while goes_on(found := look(conn)):
                    failures = 0
                    ticker.tick(found.line())
                    time.sleep(_POLL_SECONDS)
                return found
        except DatabaseError:
            failures += 1
            if failures >= _MOST_FAILURES or not pool.alive():
                raise
            time.sleep(_POLL_SECONDS)
