"""Statements that the engine wants run outside a transaction, such as an index that is built concurrently."""

import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress

import psycopg

from database.connection import explained
from database.errors import DatabaseError, said

Connect = Callable[[], psycopg.Connection]

# What is due for a job, or for any where it is NULL, besides those statements.
_DUE = "FROM vectorize.next_maintenance() WHERE (%s::text IS NULL OR job = %s) AND statement <> ALL (%s::text[])"
_PROGRESS_SECONDS = 2.0
_POLL_SECONDS = 0.2


class MaintenanceError(DatabaseError):
    """Statements failed, each of which was tried once; the others that were due have run.

    Attributes:
        refused: those that this user has no right to run, each with its job.
        only_refused: whether these are all that failed.
    """

    def __init__(self, failures: dict[str, tuple[str, psycopg.Error]]) -> None:
        """Take the statements, each with its job and what the server said."""
        super().__init__(
            "maintenance of " + "; of ".join(f"job {job}: {said(error)}" for job, error in failures.values())
        )
        self.refused = {
            statement: job
            for statement, (job, error) in failures.items()
            if isinstance(error, psycopg.errors.InsufficientPrivilege)
        }
        self.only_refused = len(self.refused) == len(failures)


def due(conn: psycopg.Connection, job: str | None = None, besides: Iterable[str] = ()) -> bool:
    """Tell whether a statement is due, for one job or for any, besides those.

    Raises:
        DatabaseError: the server refused to say.
    """
    with explained("asking for the maintenance that is due"):
        row = conn.execute(f"SELECT EXISTS (SELECT {_DUE})", [job, job, list(besides)]).fetchone()
    return row == (True,)


def run(
    open_connection: Connect,
    job: str | None,
    over: Callable[[], bool],
    progress: Callable[[str], None],
    besides: Iterable[str] = (),
) -> None:
    """Run what is due, for one job or for any, until nothing is; one program at a time, by try-lock and polling.

    A statement that fails is in no other's way: it is not tried again, and reported at the end. A blocking wait for the
    lock would deadlock with the concurrent build of its holder.

    Args:
        open_connection: opens a connection in autocommit without a statement time limit, straight to the server.
        job: the job; any when None.
        over: tells that no more may be begun; what runs is waited for.
        progress: gets a line for each statement, and every 2 s how far the server is with it.
        besides: statements that are left alone.

    Raises:
        MaintenanceError: the server refused statements.
        DatabaseError: it could not be asked.
    """
    failures: dict[str, tuple[str, psycopg.Error]] = {}
    with open_connection() as conn, explained(f"maintenance of {f'job {job}' if job else 'the jobs'}"):
        while not over():
            found = conn.execute(
                f"SELECT job, statement, reason, pg_try_advisory_lock(vectorize.lock_class(), 2) {_DUE} LIMIT 1",
                [job, job, [*besides, *failures]],
            ).fetchone()
            if found is None:
                break
            name, statement, reason, mine = found
            if mine:
                progress(f"{name}: {statement} ({reason})")
                size_build(conn)
                failure = _run_watched(open_connection, conn, name, statement, progress)
                if failure is not None:
                    failures[statement] = (name, failure)
                conn.execute("SELECT pg_advisory_unlock_all()")
            else:
                time.sleep(_POLL_SECONDS)
    if failures:
        raise MaintenanceError(failures)


def size_build(conn: psycopg.Connection) -> None:
    """Give a build as much of the server as its users can spare, for the length of the session.

    An eighth of the memory, of which shared_buffers is a quarter, so that nothing is swapped. Half of the cores, of
    which a general purpose server has one for each GiB of shared_buffers; a build's leader is one of its processes.
    """
    conn.execute(
        "SELECT set_config('maintenance_work_mem', greatest(65536, s.bytes / 2048)::text || 'kB', false), "
        "set_config('max_parallel_maintenance_workers', greatest(0, least(w.most, (s.bytes >> 31) - 1))::text, false) "
        "FROM pg_size_bytes(current_setting('shared_buffers')) AS s (bytes), "
        "CAST(current_setting('max_parallel_maintenance_workers') AS integer) AS w (most)"
    )


def _run_watched(
    open_connection: Connect,
    conn: psycopg.Connection,
    name: str,
    statement: str,
    progress: Callable[[str], None],
) -> psycopg.Error | None:
    """Run one statement in a thread of its own, say every 2 s how far the server is with it, and return its failure."""
    failure: list[psycopg.Error] = []

    def execute() -> None:
        try:
            conn.execute(statement.encode())  # bytes: the engine's own text, no literal to the type checker
        except psycopg.Error as error:
            failure.append(error)

    thread = threading.Thread(target=execute, name=f"{name}-index", daemon=True)
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
    return failure[0] if failure else None
