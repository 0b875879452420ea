"""Administrators of a server: roles with rights as on the service, none of them a superuser."""

from __future__ import annotations

from contextlib import suppress

import psycopg
from psycopg import errors, sql

from emulator.postgres.backend import BackendError
from emulator.postgres.configuration import SUPERUSER

Connection = psycopg.Connection[tuple[object, ...]]

_RESERVED = frozenset(
    {SUPERUSER, "azure_superuser", "azure_pg_admin", "azure_ai_settings_manager", "replication", "public"}
)
_MAXIMUM_BYTES = 63


def set_native_administrator(connection: Connection, login: str, password: str) -> None:
    """Make or change the administrator that logs in with a password.

    The server is sent the SCRAM verifier, never the password.
    """
    verifier = connection.pgconn.encrypt_password(password.encode(), login.encode(), b"scram-sha-256").decode()
    _make(connection, login)
    connection.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(login), sql.Literal(verifier)))


def add_administrator(connection: Connection, principal_name: str) -> None:
    """Make the role of an Entra administrator: it has no password, the gateway checks its token."""
    _make(connection, principal_name)


def remove_administrator(connection: Connection, principal_name: str) -> None:
    """Drop an Entra administrator's role; where it owns something, take its rights and its log-in away instead.

    What the service does with a role that owns objects is unverified.
    """
    _check(principal_name)
    role = sql.Identifier(principal_name)
    exists = connection.execute("SELECT FROM pg_roles WHERE rolname = %s", [principal_name]).fetchone() is not None
    if not exists:
        return
    connection.execute(sql.SQL("ALTER ROLE {} NOLOGIN NOCREATEDB NOCREATEROLE").format(role))
    connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s", [principal_name])
    connection.execute(sql.SQL("REVOKE azure_pg_admin FROM {} CASCADE").format(role))
    with suppress(errors.DependentObjectsStillExist):
        connection.execute(sql.SQL("DROP ROLE {}").format(role))


def principal_of(connection: Connection, role: str) -> str | None:
    """Return the object id of the Entra principal that a role was made for, or None (sql/principals.sql)."""
    found = connection.execute(
        "SELECT objectid FROM pgaadauth_list_principals(false) WHERE rolename = %s", [role]
    ).fetchone()
    return str(found[0]) if found else None


def _make(connection: Connection, name: str) -> None:
    """Make a role an administrator.

    REPLICATION is not given by default (azure-docs #110503). The membership can be passed on, since administrators
    make others by GRANT azure_pg_admin (azure-databases-docs, "Create users").
    """
    _check(name)
    role = sql.Identifier(name)
    if connection.execute("SELECT FROM pg_roles WHERE rolname = %s", [name]).fetchone() is None:
        connection.execute(sql.SQL("CREATE ROLE {}").format(role))
    connection.execute(sql.SQL("ALTER ROLE {} LOGIN CREATEDB CREATEROLE").format(role))
    connection.execute(sql.SQL("GRANT azure_pg_admin TO {} WITH ADMIN OPTION").format(role))


def _check(name: str) -> None:
    """Refuse names that would reach a role of the service itself or that PostgreSQL would cut."""
    if name in _RESERVED or name.startswith("pg_"):
        raise BackendError(f"{name!r} is reserved and cannot be an administrator")
    if not name or "\0" in name or len(name.encode()) > _MAXIMUM_BYTES:
        raise BackendError(f"{name!r} cannot be a role: names have 1 to {_MAXIMUM_BYTES} bytes")
