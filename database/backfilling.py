"""Workers for a backfill: threads that each hold a connection and call `vectorize.work`; then the index."""

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

import psycopg

from database.connection import explained
from database.errors import DatabaseError, said
from database.progress import Ticker

if TYPE_CHECKING:
    from database.vectorization import JobStatus

Connect = Callable[[], psycopg.Connection]

_CALL_SECONDS = 10.0  # a call returns at least this often, so that a worker notices that it is to stop
_PROGRESS_SECONDS = 2.0
_POLL_SECONDS = 0.2
_MOST_FAILURES = 5  # of one worker, or of the watcher, in a row


def run(
    open_connection: Connect,
    read: "Callable[[psycopg.Connection], JobStatus]",
    name: str,
    workers: int,
    timeout_seconds: float,
    progress: Callable[[str], None],
) -> None:
    """Work on a job until it is done or the time is up, then build its index if that is due.

    Args:
        open_connection: opens a connection in autocommit, straight to the server.
        read: reads the job's status.
        name: the job.
        workers: how many connections work.
        timeout_seconds: how long to go on.
        progress: gets a line every 2 s.

    Raises:
        DatabaseError: the job stopped or was paused, or no worker can go on.
    """
    pool = _Workers(open_connection, name, workers, time.monotonic() + timeout_seconds)
    try:
        _watch(pool, read, progress)
    finally:
        pool.stop()
    _build_index(open_connection, name, pool.deadline, progress)


class _Workers:
    """Threads that work on one job until they are stopped; a connection that dies is opened again."""

    def __init__(self, open_connection: Connect, name: str, count: int, deadline: float) -> None:
        self.open_connection = open_connection
        self.name = name
        self.deadline = deadline
        self.error: str | None = None
        self._stopping = threading.Event()
        self._connections: dict[int, psycopg.Connection] = {}
        self._threads = [
            threading.Thread(target=self._run, args=(number,), name=f"{name}-{number}", daemon=True)
            for number in range(max(1, count))
        ]
        for thread in self._threads:
            thread.start()

    def alive(self) -> bool:
        """Return whether any worker still works."""
        return any(thread.is_alive() for thread in self._threads)

    def stop(self) -> None:
        """Cancel what runs and wait for the threads; their leases go back when their sessions end."""
        self._stopping.set()
        for connection in list(self._connections.values()):
            with suppress(psycopg.Error):
                connection.cancel_safe(timeout=5)
        for thread in self._threads:
            thread.join()

    def _run(self, number: int) -> None:
        failures = 0
        while self._going_on() and failures < _MOST_FAILURES:
            try:
                with self.open_connection() as connection:
                    self._connections[number] = connection
                    while self._going_on():
                        self._call(connection)
                        failures = 0
            except (psycopg.Error, DatabaseError) as error:
                # A connection that died is opened again; an error of the engine's own comes back and ends the worker.
                failures += 1
                self.error = said(error) if isinstance(error, psycopg.Error) else str(error)
                self._stopping.wait(0.1 * 2**failures)
            finally:
                self._connections.pop(number, None)

    def _going_on(self) -> bool:
        return not self._stopping.is_set() and time.monotonic() < self.deadline

    def _call(self, connection: psycopg.Connection) -> None:
        began = time.monotonic()
        seconds = max(0.1, min(_CALL_SECONDS, self.deadline - began))
        connection.execute("CALL vectorize.work(%s, %s)", [self.name, seconds])
        if time.monotonic() - began < _POLL_SECONDS:
            self._stopping.wait(_POLL_SECONDS)  # nothing was ready


def _watch(pool: _Workers, read: "Callable[[psycopg.Connection], JobStatus]", progress: Callable[[str], None]) -> None:
    """Wait until the job is done or the time is up; the watching connection may die and come back too."""
    ticker = Ticker(_PROGRESS_SECONDS, progress)
    failures = 0
    while True:
        try:
            with pool.open_connection() as conn:
                while _goes_on(pool, found := read(conn)):
                    failures = 0
                    ticker.tick(found.line())
                    time.sleep(_POLL_SECONDS)
        except DatabaseError:
            failures += 1
            if failures >= _MOST_FAILURES or not pool.alive():
                raise
            time.sleep(_POLL_SECONDS)
        else:
            break
    progress(found.line())
    if found.state != "active":
        raise DatabaseError(
            f"job {found.name} stopped: {found.reason}"
            if found.state == "stopped"
            else f"job {found.name} was paused while it ran; run again to go on."
        )
    if not found.done and time.monotonic() < pool.deadline:
        raise DatabaseError(f"job {found.name}: no worker is left; the last one said: {pool.error}")


def _goes_on(pool: _Workers, found: "JobStatus") -> bool:
    return found.state == "active" and not found.done and time.monotonic() < pool.deadline and pool.alive()


def _build_index(open_connection: Connect, name: str, deadline: float, progress: Callable[[str], None]) -> None:
    """Run the maintenance that is due for a job; one program at a time, by try-lock and polling.

    A blocking wait for the lock would deadlock with the concurrent build of its holder.
    """
    with open_connection() as conn, explained(f"building the index of job {name}"):
        while True:
            due = conn.execute(
                "SELECT statement, reason, pg_try_advisory_lock(vectorize.lock_class(), 2) "
                "FROM vectorize.next_maintenance() WHERE job = %s LIMIT 1",
                [name],
            ).fetchone()
            if due is None or time.monotonic() >= deadline:
                return
            statement, reason, mine = due
            if mine:
                progress(f"{name}: {statement} ({reason})")
                # As much memory as a build may use without swapping: shared_buffers is a quarter of a server's memory.
                conn.execute(
                    "SELECT set_config('maintenance_work_mem', greatest(65536, "
                    "pg_size_bytes(current_setting('shared_buffers')) / 2048)::text || 'kB', false)"
                )
                _run_watched(open_connection, conn, name, statement, progress)
                conn.execute("SELECT pg_advisory_unlock_all()")
            else:
                time.sleep(_POLL_SECONDS)


def _run_watched(
    open_connection: Connect, conn: psycopg.Connection, name: str, statement: str, progress: Callable[[str], None]
) -> None:
    """Run one statement in a thread of its own and say every 2 s how far the server is with it."""
    failure: list[psycopg.Error] = []

    def run() -> None:
        try:
            conn.execute(statement.encode())  # bytes: the engine's own text, no literal to the type checker
        except psycopg.Error as error:
            failure.append(error)

    thread = threading.Thread(target=run, name=f"{name}-index", daemon=True)
    thread.start()
    try:
        with open_connection() as watcher:
            thread.join(_PROGRESS_SECONDS)
            while thread.is_alive():
                row = watcher.execute(
                    "SELECT phase, CASE WHEN blocks_total > 0 THEN 100 * blocks_done / blocks_total END "
                    "FROM pg_stat_progress_create_index WHERE pid = %s",
                    [conn.info.backend_pid],
                ).fetchone()
                if row:
                    progress(f"{name}: index, {row[0]}" + (f", {row[1]} %" if row[1] is not None else ""))
                thread.join(_PROGRESS_SECONDS)
    except BaseException:
        with suppress(psycopg.Error):
            conn.cancel_safe(timeout=5)
        raise
    finally:
        thread.join()
    if failure:
        raise failure[0]
