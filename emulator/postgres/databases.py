"""Databases of a server, as the management API makes and drops them."""

from __future__ import annotations

from psycopg import sql

from emulator.postgres.backend import BackendError
from emulator.postgres.roles import Connection

SYSTEM = frozenset({"postgres", "azure_sys", "azure_maintenance", "template0", "template1"})
"""Databases that every server has; the API refuses to drop them."""


def create(connection: Connection, name: str, charset: str, locale: str) -> None:
    """Create a database owned by azure_pg_admin; nothing happens when it exists."""
    if _exists(connection, name):
        return
    encoding = charset.upper()
    if encoding.replace("-", "") != "UTF8" and locale.upper().endswith(("UTF8", "UTF-8")):
        locale = "C"  # the only locale that goes with every character set
    connection.execute(
        sql.SQL("CREATE DATABASE {} OWNER azure_pg_admin TEMPLATE template0 ENCODING {} LOCALE {}").format(
            sql.Identifier(name), sql.Literal(encoding), sql.Literal(locale)
        )
    )


def drop(connection: Connection, name: str) -> None:
    """Drop a database, ending its sessions; nothing happens when there is none.

    Raises:
        BackendError: It is one of the server's own.
    """
    if name in SYSTEM:
        raise BackendError(f"database {name!r} belongs to the server and cannot be dropped")
    connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def _exists(connection: Connection, name: str) -> bool:
    return connection.execute("SELECT FROM pg_database WHERE datname = %s", [name]).fetchone() is not None
