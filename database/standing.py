"""A worker that stays: connections that embed, maintenance when it is due, and an eye on both."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum

import psycopg

from database import health, maintenance, migrations
from database.catching_up import CatchingUp
from database.errors import DatabaseError, said
from database.vectorization import JobStatus, status
from database.worker_log import Log
from database.worker_pool import WorkerPool

Connect = Callable[[], psycopg.Connection]

_LOOK_SECONDS = 2.0
_GRACE_SECONDS = 6.0  # twice as long as a call of the pool lasts when the service answers
_STOP_SECONDS = 9.0  # `docker stop` kills after 10 s
_RETRY_MAINTENANCE_SECONDS = 60.0
_LONGEST_PAUSE_SECONDS = 15.0
_LEFT_TO_OTHERS = "Indexes are left to `pulumi up`, or to a worker that signs in as their tables' owner."


class Exit(IntEnum):
    """The program's exit statuses; docs/workers.md lists them."""

    DONE = 0
    UNREACHABLE = 1
    USAGE = 2
    ENGINE = 3
    JOB = 4


@dataclass(frozen=True, kw_only=True)
class Options:
    """What to work on, how long, and when to give up.

    Attributes:
        job: the job; all when None.
        connections: how many embed; two more look and maintain.
        seconds: when to end; never when None.
        until_done: whether to end when nothing is left to do.
        health_seconds: how often to say how far the jobs are.
        unreachable_seconds: how long the database may be away.
    """

    job: str | None = None
    connections: int = 4
    seconds: float | None = None
    until_done: bool = False
    health_seconds: float = 30.0
    unreachable_seconds: float = 300.0


class WrongEngineError(DatabaseError):
    """The engine in the database is missing, or of another version than this program."""


class UnknownJobError(DatabaseError):
    """There is no job of the name that was asked for."""


def look(conn: psycopg.Connection, job: str | None) -> list[JobStatus]:
    """Return the status of the job, or of all, once it is sure that program and engine fit together.

    Raises:
        WrongEngineError: they do not.
        UnknownJobError: there is no such job.
    """
    why = migrations.mismatch(conn, "vectorize")
    if why is None and not health.installed(conn):
        why = f"database {conn.info.dbname} has no vectorization engine any more: run `pulumi up`."
    if why is not None:
        raise WrongEngineError(why)
    found = status(conn, job)
    if job is not None and not found:
        names = ", ".join(other.name for other in status(conn)) or "none"
        raise UnknownJobError(f"there is no job {job} in database {conn.info.dbname}; jobs: {names}.")
    return found


class Standing:
    """One run of the worker. `run` blocks; `end` may be called from a signal handler."""

    def __init__(self, open_connection: Connect, options: Options, log: Log) -> None:
        """Prepare; nothing is opened yet."""
        self._open = open_connection
        self._options = options
        self._log = log
        self._deadline = time.monotonic() + options.seconds if options.seconds else float("inf")
        self._verdict: tuple[Exit, str] | None = None
        self._over = threading.Event()
        self._pool: WorkerPool | None = None
        self._maintains = True  # until the server says that this user may not ask for what is due
        self._refused: dict[str, str] = {}  # statements that this user may not run, each with its job
        self._maintainer: threading.Thread | None = None
        self._maintenance_due_at = 0.0
        self._maintenance_error: str | None = None
        self._health_at = time.monotonic() + _LOOK_SECONDS  # at the first look no connection is open yet
        self._catching_up: dict[str, CatchingUp] = {}
        self._known: dict[str, str | None] = {}  # what was said last, by what it is about

    def run(self) -> Exit:
        """Work until something ends it, stop cleanly, and return the exit status."""
        watcher = threading.Thread(target=self._watch, name="watcher", daemon=True)
        watcher.start()
        while self._verdict is None:  # no Event here: a signal handler may not set one that its own thread waits for
            if not watcher.is_alive():
                self.end(Exit.UNREACHABLE, "nobody watches the jobs any more; see the error above")
            time.sleep(0.05)
        self._over.set()
        stopping = threading.Thread(target=self._stop, name="stopping", daemon=True)
        stopping.start()
        stopping.join(_STOP_SECONDS)
        if stopping.is_alive():
            self._log.say(
                "trouble", "a call does not end; its batch goes back when the server notices that we are gone"
            )
        code, reason = self._verdict
        self._log.end(code, reason)
        return code

    def end(self, code: Exit, reason: str) -> None:
        """Ask the run to end; the first reason counts."""
        self._verdict = self._verdict or (code, reason)

    def _watch(self) -> None:
        """Look every 2 s; the watching connection may die and come back."""
        reached, failures = time.monotonic(), 0
        while not self._over.is_set():
            try:
                with self._open() as conn:
                    while not self._over.is_set():
                        self._look(conn)
                        reached, failures = time.monotonic(), 0
                        self._over.wait(_LOOK_SECONDS)
            except WrongEngineError as error:
                self.end(Exit.ENGINE, str(error))
                return
            except UnknownJobError as error:
                self.end(Exit.USAGE, str(error))
                return
            except (psycopg.Error, DatabaseError) as error:
                failures += 1
                text = said(error) if isinstance(error, psycopg.Error) else str(error)
                self._say_new("database", text)
                if time.monotonic() - reached >= self._options.unreachable_seconds:
                    limit = f"{self._options.unreachable_seconds:g} s"
                    self.end(Exit.UNREACHABLE, f"the database could not be used for {limit}: {text}")
                self._over.wait(min(_LONGEST_PAUSE_SECONDS, 0.5 * 2 ** min(failures, 10)))

    def _look(self, conn: psycopg.Connection) -> None:
        jobs = look(conn, self._options.job)
        if self._known.pop("database", None):
            self._log.say("recovered", "the database answers again")
        if self._pool is None:
            self._pool = WorkerPool(self._open, self._options.job, self._options.connections, deadline=self._deadline)
        elif not self._pool.alive() and time.monotonic() < self._deadline:
            self.end(Exit.UNREACHABLE, f"no connection works any more: {self._pool.error}")
        due = self._maintain(conn)
        self._say_new("worker", self._pool.error)
        for job in jobs:
            self._say_new(
                f"job {job.name}", f"job {job.name} stopped: {job.reason}" if job.state == "stopped" else None
            )
        if time.monotonic() >= self._deadline:
            self.end(Exit.DONE, "the time is up")
        elif self._options.until_done and not any(self._is_left(job) for job in jobs):
            self._end_if_maintained(jobs, due)
        if time.monotonic() >= self._health_at or self._verdict is not None:
            self._health_at = time.monotonic() + self._options.health_seconds
            self._log.health(jobs, self._pool.connected(), self._pool.error or self._maintenance_error)

    def _is_left(self, job: JobStatus) -> bool:
        """Tell whether workers have to go on with a job: they also switch to a next generation that is complete."""
        maintained = self._maintains and self._maintenance_error is None and job.name not in self._refused.values()
        switching = job.next_generation is not None and maintained
        return job.state == "active" and (
            not self._catching_up.setdefault(job.name, CatchingUp()).done(job) or switching
        )

    def _end_if_maintained(self, jobs: Sequence[JobStatus], due: bool) -> None:
        """End when no statement is due or runs, or when those that are due cannot be run."""
        if self._maintenance_error is None and (due or self._maintaining()):
            return
        stopped = [f"job {job.name} is stopped: {job.reason}" for job in jobs if job.state == "stopped"]
        bad = [*stopped, *([self._maintenance_error] if self._maintenance_error else [])]
        self.end(Exit.JOB if bad else Exit.DONE, " ".join(bad) or "nothing is left to do")

    def _maintaining(self) -> bool:
        return self._maintainer is not None and self._maintainer.is_alive()

    def _maintain(self, conn: psycopg.Connection) -> bool:
        """Run what is due beside the work, after a failure not before a minute has passed; return whether it is due."""
        if not self._maintains:
            return False
        try:
            due = maintenance.due(conn, self._options.job, self._refused)
        except DatabaseError as error:
            self._maintenance_failed(error)
            return False
        if due and not self._maintaining() and time.monotonic() >= self._maintenance_due_at:
            self._maintainer = threading.Thread(target=self._run_maintenance, name="maintenance", daemon=True)
            self._maintainer.start()
        return due

    def _run_maintenance(self) -> None:
        try:
            maintenance.run(
                self._open,
                self._options.job,
                self._over.is_set,
                lambda line: self._log.say("maintenance", line),
                self._refused,
            )
        except maintenance.MaintenanceError as error:
            self._statements_failed(error)
        except DatabaseError as error:
            self._maintenance_failed(error)
        else:
            self._maintenance_error = None

    def _statements_failed(self, error: maintenance.MaintenanceError) -> None:
        """Leave to others what this user has no right to; try the rest again in a minute."""
        self._refused = {**self._refused, **error.refused}
        if not error.only_refused:
            self._maintenance_failed(error)
            return
        self._maintenance_error = None
        self._say_new("maintenance", f"{error} {_LEFT_TO_OTHERS}")

    def _maintenance_failed(self, error: DatabaseError) -> None:
        text = str(error)
        if isinstance(error.__context__, psycopg.errors.InsufficientPrivilege):
            self._maintains = False
            text += f" {_LEFT_TO_OTHERS}"
        else:
            self._maintenance_due_at = time.monotonic() + _RETRY_MAINTENANCE_SECONDS
            self._maintenance_error = text
        self._say_new("maintenance", text)

    def _say_new(self, about: str, text: str | None) -> None:
        if text is not None and text != self._known.get(about):
            self._log.say("trouble", text)
        self._known[about] = text

    def _stop(self) -> None:
        """End the calls; let the engine notice now, and not at the next worker's look, what sessions left behind."""
        if self._pool is None:
            return
        self._pool.stop(_GRACE_SECONDS)
        try:
            with self._open() as conn:
                for job in status(conn, self._options.job):
                    if job.leased:
                        conn.execute("CALL vectorize.work(%s, 0)", [job.name])
        except (psycopg.Error, DatabaseError):
            return  # they are given back all the same, by whoever works next
