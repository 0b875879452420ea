"""Connections that embed: threads, each with a session that calls `vectorize.work` again and again."""

import math
import threading
import time
from collections.abc import Callable
from contextlib import suppress

import psycopg

from database.errors import DatabaseError, said

Connect = Callable[[], psycopg.Connection]

_CALL_SECONDS = 3.0  # a call returns at least this often: to notice a stop, and jobs that were declared meanwhile
_POLL_SECONDS = 0.25
_CANCEL_SECONDS = 3.0  # how long a cancelled call may take to end
_LONGEST_PAUSE_SECONDS = 15.0

# Sessions that hold a batch: a worker's number is an advisory lock of its session while it works.
_WITH_A_BATCH = """
SELECT k.pid FROM vectorize.lease AS l JOIN pg_locks AS k
  ON k.locktype = 'advisory' AND k.classid = (vectorize.lock_class() + 1)::oid AND k.objid = l.worker::oid
 AND k.database = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())
"""


class WorkerPool:
    """Threads that work on one job, or on all, until they are stopped; a connection that dies is opened again."""

    def __init__(
        self,
        open_connection: Connect,
        job: str | None,
        count: int,
        *,
        linger: bool = True,
        deadline: float = math.inf,
        most_failures: float = math.inf,
    ) -> None:
        """Start working.

        Args:
            open_connection: opens a connection in autocommit without a statement time limit, straight to the server.
            job: the job; all that are active when None.
            count: how many connections work.
            linger: whether calls stay when nothing is ready and look four times a second, rather than come back.
            deadline: when to end, by the monotonic clock.
            most_failures: in a row, after which a thread gives up.
        """
        self._open = open_connection
        self._job = job
        self._linger = linger
        self._deadline = deadline
        self._most_failures = most_failures
        self._stopping = threading.Event()
        self.needed = max(1, count)
        """How many connections work; the others stay open, and rest between their calls."""
        self._connections: dict[int, psycopg.Connection] = {}
        self._errors: dict[int, str] = {}
        self._threads = [
            threading.Thread(target=self._run, args=(number,), name=f"{job or 'worker'}-{number}", daemon=True)
            for number in range(max(1, count))
        ]
        for thread in self._threads:
            thread.start()

    def alive(self) -> bool:
        """Return whether any thread still works."""
        return any(thread.is_alive() for thread in self._threads)

    def connected(self) -> int:
        """Return how many connections are open."""
        return len(self._connections)

    @property
    def error(self) -> str | None:
        """What went wrong last, on a connection or in a call, in a thread whose last call did not go well."""
        return next(reversed(list(self._errors.values())), None)

    def stop(self, grace_seconds: float = 0) -> None:
        """End all calls and wait for the threads, 3 s at most for a call that does not heed its cancel.

        Calls that hold a batch may finish it for `grace_seconds`; the others are cancelled at once, and these then. A
        batch that is cut off goes back to the queue, because its session ends.
        """
        self._stopping.set()
        if self._join(_POLL_SECONDS):  # those that wait, or are about to come back, need no cancel
            return
        if grace_seconds > 0:
            self._cancel(keep=self._with_a_batch())
            self._join(grace_seconds)
        self._cancel(keep=frozenset())
        self._join(_CANCEL_SECONDS)

    def _with_a_batch(self) -> frozenset[int]:
        """Return the sessions that hold a batch; all of them where that cannot be found out."""
        connections = list(self._connections.values())
        try:
            with self._open() as conn:
                return frozenset(row[0] for row in conn.execute(_WITH_A_BATCH).fetchall())
        except (psycopg.Error, DatabaseError):
            return frozenset(connection.info.backend_pid for connection in connections)

    def _cancel(self, keep: frozenset[int]) -> None:
        end = time.monotonic() + _CANCEL_SECONDS
        for connection in list(self._connections.values()):
            with suppress(psycopg.Error):
                if connection.info.backend_pid not in keep and time.monotonic() < end:
                    connection.cancel_safe(timeout=_CANCEL_SECONDS)

    def _join(self, seconds: float) -> bool:
        end = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))
        return not self.alive()

    def _run(self, number: int) -> None:
        failures = 0
        while self._going_on() and failures < self._most_failures:
            try:
                with self._open() as connection:
                    # A session whose program was killed ends soon, and gives its batch back, rather than work on.
                    connection.execute("SET client_connection_check_interval = '2s'")
                    self._connections[number] = connection
                    while self._going_on():
                        if not self._is_needed(number):
                            self._stopping.wait(_POLL_SECONDS)
                            continue
                        self._call(connection)
                        failures = 0
                        self._errors.pop(number, None)
            except (psycopg.Error, DatabaseError) as error:
                # A connection that died is opened again; an error of the engine's own comes back and is shown.
                if not self._stopping.is_set():
                    failures += 1
                    self._errors.pop(number, None)  # so that the newest comes last
                    self._errors[number] = said(error) if isinstance(error, psycopg.Error) else str(error)
                    self._stopping.wait(min(_LONGEST_PAUSE_SECONDS, 0.1 * 2 ** min(failures, 10)))
            finally:
                self._connections.pop(number, None)

    def _going_on(self) -> bool:
        return not self._stopping.is_set() and time.monotonic() < self._deadline

    def _is_needed(self, number: int) -> bool:
        """Whether this one works: of those that are connected, so that the place of one that died is taken at once."""
        return sum(other < number for other in list(self._connections)) < self.needed

    def _call(self, connection: psycopg.Connection) -> None:
        began = time.monotonic()
        seconds = max(0.1, min(_CALL_SECONDS, self._deadline - began))
        connection.execute("CALL vectorize.work(%s, %s, %s)", [self._job, seconds, self._linger])
        if time.monotonic() - began < _POLL_SECONDS:
            self._stopping.wait(_POLL_SECONDS)  # nothing was ready
