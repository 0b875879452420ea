"""Extensions of one database: create or adopt, update, drop. Nothing here cascades."""

import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass

import psycopg
from psycopg import sql

from database.connection import explained
from database.errors import DatabaseError, said
from database.progress import Ticker, progress

_POLL_SECONDS = 1.0


@dataclass(frozen=True)
class ExtensionState:
    """An extension as the catalog has it; `created` tells whether this call created it."""

    name: str
    version: str
    created: bool


def allowed(conn: psycopg.Connection) -> frozenset[str] | None:
    """Return the allowlist of this connection in lower case, or None where the server has no such parameter."""
    try:
        row = conn.execute("SHOW azure.extensions").fetchone()
    except psycopg.errors.UndefinedObject:
        return None
    return frozenset(item.strip().lower() for item in str(row[0] if row else "").split(",") if item.strip())


def await_allowed(open_connection: Callable[[], psycopg.Connection], name: str, timeout_seconds: float = 60) -> None:
    """Wait until a new connection sees the extension in `azure.extensions`: connections keep the list they began with.

    Raises:
        DatabaseError: the list does not have it when the time is up.
    """
    deadline = time.monotonic() + timeout_seconds
    ticker = Ticker()
    while True:
        with closing(open_connection()) as conn:
            listed = allowed(conn)
        if listed is None or name.lower() in listed:
            return
        if time.monotonic() >= deadline:
            raise DatabaseError(_not_allowed(name, listed))
        ticker.tick(f"waiting for the server parameter azure.extensions to have {name}")
        time.sleep(_POLL_SECONDS)


def read(conn: psycopg.Connection, name: str) -> ExtensionState | None:
    """Return the installed extension, or None when the catalog has none of this name."""
    with explained(f"looking for extension {name}"):
        row = conn.execute("SELECT extversion FROM pg_extension WHERE extname = %s", [name]).fetchone()
    return ExtensionState(name, row[0], created=False) if row else None


def ensure(conn: psycopg.Connection, name: str, version: str | None = None) -> ExtensionState:
    """Create the extension, or adopt the one that is there and update it to `version`.

    Without a version, a new extension gets the server's default and one that is there stays as it is.

    Raises:
        DatabaseError: not available on this server, not allow-listed, no way to that version, or no right to do it.
    """
    installed = read(conn, name)
    if installed is None:
        _check_available(conn, name, version)
        _create(conn, name, version)
    elif version is not None and installed.version != version:
        _update(conn, name, installed.version, version)
    now = read(conn, name)
    if now is None:
        raise DatabaseError(
            f"extension {name} vanished while it was being set up: another session dropped it. Run again."
        )
    return ExtensionState(name, now.version, created=installed is None)


def drop(conn: psycopg.Connection, name: str) -> bool:
    """Drop the extension, RESTRICT; return False, and leave it, when something in the database still needs it."""
    statement = sql.SQL("DROP EXTENSION IF EXISTS {} RESTRICT").format(sql.Identifier(name))
    try:
        conn.execute(statement)
    except psycopg.errors.DependentObjectsStillExist as error:
        needed_by = (error.diag.message_detail or "").splitlines()
        progress(f"extension {name} stays in database {conn.info.dbname}: {'; '.join(needed_by[:5])}")
        return False
    except psycopg.Error as error:
        message = _explain(conn, name, error)
    else:
        return True
    raise DatabaseError(message) from None


def _check_available(conn: psycopg.Connection, name: str, version: str | None) -> None:
    with explained(f"looking for extension {name}"):
        rows = conn.execute("SELECT version FROM pg_available_extension_versions WHERE name = %s", [name]).fetchall()
        versions = sorted(row[0] for row in rows)
        if not versions:
            others = conn.execute("SELECT name FROM pg_available_extensions ORDER BY name").fetchall()
            raise DatabaseError(
                f"extension {name} is not available on {conn.info.host} (PostgreSQL {_server_version(conn)}): take it "
                f"out of `postgres-genai:extensions`, say under `postgres-genai:unavailable` why this stack does "
                f"without it, or choose another server version under `postgres-genai:server`. "
                f"Available: {', '.join(row[0] for row in others)}."
            )
    if version is not None and version not in versions:
        raise DatabaseError(
            f"extension {name} has no version {version} on {conn.info.host}: there are {', '.join(versions)}."
        )


def _create(conn: psycopg.Connection, name: str, version: str | None) -> None:
    statement = sql.SQL("CREATE EXTENSION IF NOT EXISTS {}").format(sql.Identifier(name))
    if version is not None:
        statement += sql.SQL(" VERSION {}").format(sql.Literal(version))
    try:
        conn.execute(statement)
    except psycopg.errors.UniqueViolation:
        return  # another session created it between our look and our statement
    except psycopg.Error as error:
        message = _explain(conn, name, error)
    else:
        return
    raise DatabaseError(message) from None


def _update(conn: psycopg.Connection, name: str, installed: str, version: str) -> None:
    with explained(f"updating extension {name}"):
        row = conn.execute(
            "SELECT 1 FROM pg_extension_update_paths(%s) WHERE source = %s AND target = %s AND path IS NOT NULL",
            [name, installed, version],
        ).fetchone()
    if row is None:
        raise DatabaseError(
            f"extension {name} is at {installed} in database {conn.info.dbname}, and there is no update from there to "
            f"{version}: extensions only go forward. Ask for {installed} or leave the version out."
        )
    statement = sql.SQL("ALTER EXTENSION {} UPDATE TO {}").format(sql.Identifier(name), sql.Literal(version))
    try:
        conn.execute(statement)
    except psycopg.Error as error:
        message = _explain(conn, name, error)
    else:
        return
    raise DatabaseError(message) from None


def _explain(conn: psycopg.Connection, name: str, error: psycopg.Error) -> str:
    # Texts of the service: MicrosoftDocs/azure-databases-docs, "allow extensions" of flexible server.
    text = error.diag.message_primary or ""
    if "not allow-listed" in text:
        return _not_allowed(name, allowed(conn) or frozenset())
    if isinstance(error, psycopg.errors.InsufficientPrivilege):
        return (
            f"{conn.info.user} may not create or change extension {name} in database {conn.info.dbname}: it has to be "
            f"an administrator of the server (member of azure_pg_admin). The server said: {said(error)}"
        )
    return f"extension {name} in database {conn.info.dbname}: {said(error)}"


def _not_allowed(name: str, listed: frozenset[str]) -> str:
    return (
        f"extension {name} is not in the server's allowlist (azure.extensions = "
        f"{','.join(sorted(listed)) or 'empty'}): add it to `postgres-genai:extensions`, which writes that server "
        f"parameter, and run `pulumi up` again. If it is there already, someone changed the parameter elsewhere: "
        f"`pulumi refresh`, then `pulumi up`."
    )


def _server_version(conn: psycopg.Connection) -> str:
    return conn.info.parameter_status("server_version") or str(conn.info.server_version)
