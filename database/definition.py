"""What the engine says while something is defined: sentences about changes, and mistakes in its own words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from database.connection import explained
from database.errors import DatabaseError


@contextmanager
def defining(conn: psycopg.Connection, what: str) -> Iterator[list[str]]:
    """Gather what the engine says in the block: what changed, a sentence each.

    Args:
        conn: where the block defines something.
        what: what is defined, for errors.

    Raises:
        DatabaseError: the block failed; mistakes in a definition are the engine's own text, so they stand as they are.
    """
    said: list[str] = []

    def note(diagnostic: psycopg.errors.Diagnostic) -> None:
        if diagnostic.severity_nonlocalized == "NOTICE":
            said.append(diagnostic.message_primary or "")

    conn.add_notice_handler(note)
    try:
        with explained(what):
            yield said
    except DatabaseError as error:
        cause = error.__context__
        if isinstance(cause, psycopg.errors.InvalidParameterValue) and cause.diag.message_primary:
            raise DatabaseError(cause.diag.message_primary) from None
        raise
    finally:
        conn.remove_notice_handler(note)
