"""The console's way to the database: one connection that cannot write, and for each action another one that can."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

import psycopg

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

READ_SECONDS = 5  # a page takes milliseconds; what takes longer than this has met a lock or a server in trouble
SEARCH_SECONDS = 40  # the engine gives the service 30 s to embed a query
ACTION_SECONDS = 60

# What the page may tell the engine to do, and the button's name.
ACTIONS = {"pause": "Pause", "resume": "Resume", "retry": "Retry"}


class Database:
    """Asks one question at a time, whichever thread asks.

    Args:
        open_connection: opens a connection in autocommit; raises a DatabaseError where it cannot.
    """

    def __init__(self, open_connection: Callable[[], psycopg.Connection[Any]]) -> None:
        self._open = open_connection
        self._turn = threading.Lock()
        self._connection: psycopg.Connection[Any] | None = None

    def read(self, question: Callable[[psycopg.Connection[Any]], T], seconds: int = READ_SECONDS) -> T:
        """Return what a question answers, asked in a transaction that cannot write.

        Args:
            question: asks over the connection that it is given, and keeps nothing of it.
            seconds: how long each of its statements may take.

        Raises:
            psycopg.Error: the database refuses, or goes away twice.
            DatabaseError: it cannot be reached.
        """
        with self._turn:
            try:
                return self._ask(question, seconds)
            except psycopg.OperationalError:
                if self._connection is not None and not self._connection.closed:
                    raise  # a statement was refused or took too long, on a connection that lives
                return self._ask(question, seconds)

    def call(self, action: str, job: str) -> str:
        """Let the engine do one of ACTIONS with a job, and return what it said about it.

        Raises:
            psycopg.Error: the engine refuses.
            DatabaseError: the database cannot be reached.
        """
        if action not in ACTIONS:
            raise ValueError(action)
        said: list[str] = []
        with self._open() as connection:
            connection.add_notice_handler(lambda notice: said.append(notice.message_primary or ""))
            connection.execute(f"SET statement_timeout = '{ACTION_SECONDS}s'".encode())
            connection.execute(f"CALL vectorize.{action}(%s)".encode(), [job])
        return "; ".join(said)

    def close(self) -> None:
        """End the connection; a question that is still out ends with it."""
        if self._connection is not None:
            with suppress(psycopg.Error):
                self._connection.cancel_safe(timeout=2)
            with self._turn:
                self._connection.close()

    def _ask(self, question: Callable[[psycopg.Connection[Any]], T], seconds: int) -> T:
        if self._connection is None or self._connection.closed:
            self._connection = self._open()
        with self._connection.transaction():
            self._connection.execute(f"SET TRANSACTION READ ONLY; SET LOCAL statement_timeout = '{seconds}s'".encode())
            return question(self._connection)
