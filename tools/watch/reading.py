"""What the database says of its jobs, read every second over one connection that is opened again when it dies."""

from __future__ import annotations

import sys
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.rows import dict_row

from database.connection import connect
from database.errors import DatabaseError, said

if TYPE_CHECKING:
    from collections.abc import Callable

    from database.connection import ConnectionSpec

REFRESH_SECONDS = 1.0
ANSWER_SECONDS = 20  # a question that takes longer is broken off; status itself takes milliseconds


@dataclass(frozen=True)
class Snapshot:
    """The jobs at one moment.

    Attributes:
        at: when they were read.
        jobs: rows of vectorize.status, whatever columns this version of the engine has.
        quota: rows of vectorize.quota; none where the engine does not have that view.
        installed: whether the database has the engine.
    """

    at: datetime
    jobs: list[dict[str, Any]] = field(default_factory=list)
    quota: list[dict[str, Any]] = field(default_factory=list)
    installed: bool = True

    def unfinished(self) -> list[dict[str, Any]]:
        """Return the jobs that have rows left; those in quarantine wait for a person and do not count."""
        return [job for job in self.jobs if job["pending"] or job["leased"] or job.get("next_generation")]


def read(connection: psycopg.Connection[Any]) -> Snapshot:
    """Read the jobs and the quota once.

    Raises:
        psycopg.Error: the database does not answer.
    """
    now = datetime.now(UTC)
    with connection.cursor(row_factory=dict_row) as cursor:
        found = cursor.execute(
            "SELECT to_regclass('vectorize.status') IS NOT NULL AS status, "
            "to_regclass('vectorize.quota') IS NOT NULL AS quota"
        ).fetchone()
        if found is None or not found["status"]:
            return Snapshot(now, installed=False)
        jobs = cursor.execute("SELECT * FROM vectorize.status ORDER BY name").fetchall()
        quota = cursor.execute("SELECT * FROM vectorize.quota ORDER BY deployment").fetchall() if found["quota"] else []
    return Snapshot(now, jobs, quota)


class Reader:
    """Reads in a thread of its own, so that a database that does not answer keeps nobody from leaving.

    Attributes:
        latest: the last snapshot, None before the first.
        trouble: why there is no newer one; empty while all is well.
    """

    def __init__(self, spec: ConnectionSpec) -> None:
        self.latest: Snapshot | None = None
        self.trouble = ""
        self._spec = spec
        self._news = threading.Event()
        self._leaving = threading.Event()
        threading.Thread(target=self._run, name="reader", daemon=True).start()

    def wait(self, seconds: float) -> bool:
        """Wait for the next snapshot, or the next trouble; tell whether there was any."""
        came = self._news.wait(seconds)
        self._news.clear()
        return came

    def leave(self) -> None:
        """Read no more; the connection ends with the process at the latest."""
        self._leaving.set()

    def _run(self) -> None:
        while not self._leaving.is_set():
            try:
                with connect(self._spec, application_name="postgres-genai status") as connection:
                    connection.execute(f"SET statement_timeout = '{ANSWER_SECONDS}s'".encode())
                    self._follow(connection)
            except psycopg.Error as error:
                self._tell(f"the database went away ({said(error)}); connecting again")
            except DatabaseError as error:
                self._tell(f"{error} Trying again.")
            self._leaving.wait(REFRESH_SECONDS)

    def _follow(self, connection: psycopg.Connection[Any]) -> None:
        while not self._leaving.is_set():
            self.latest, self.trouble = read(connection), ""
            self._news.set()
            self._leaving.wait(REFRESH_SECONDS)

    def _tell(self, trouble: str) -> None:
        self.trouble = trouble
        self._news.set()


def follow(reader: Reader, seconds: float, take: Callable[[Snapshot], int | None]) -> int:
    """Hand on snapshots as they come, at most one every `seconds`, until `take` returns an exit status.

    Troubles go to standard error, each once.
    """
    last: datetime | None = None
    told = ""
    while True:
        reader.wait(REFRESH_SECONDS)
        snapshot = reader.latest
        if reader.trouble != told:
            told = reader.trouble
            print(told or "The database answers again.", file=sys.stderr, flush=True)
        if snapshot is None or (last and (snapshot.at - last).total_seconds() < max(seconds, 1e-6)):
            continue
        last = snapshot.at
        status = take(snapshot)
        if status is not None:
            return status
