"""Server parameters: which ones this PostgreSQL takes, which ones are only shown, which ones are only remembered."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager

import psycopg
from psycopg import sql

from emulator.postgres.backend import BackendError
from emulator.postgres.installation import PRELOADABLE

_log = logging.getLogger(__name__)

Connect = Callable[[], AbstractContextManager[psycopg.Connection[tuple[object, ...]]]]

OWNED = frozenset(
    {
        "archive_command",
        "archive_library",
        "archive_mode",
        "bonjour",
        "config_file",
        "data_directory",
        "dynamic_shared_memory_type",
        "external_pid_file",
        "fsync",
        "hba_file",
        "ident_file",
        "listen_addresses",
        "log_destination",
        "log_directory",
        "log_error_verbosity",
        "log_filename",
        "log_min_error_statement",
        "logging_collector",
        "port",
        "restore_command",
        "ssl",
        "ssl_ca_file",
        "ssl_cert_file",
        "ssl_key_file",
        "ssl_library",
        "unix_socket_directories",
        "unix_socket_group",
        "unix_socket_permissions",
    }
)
"""Parameters that the emulator needs as they are: they can be set through the API and nothing happens."""

_BUILD_MAY_REFUSE = frozenset(
    {"default_toast_compression", "huge_pages", "io_method", "recovery_prefetch", "wal_compression"}
)
"""Parameters some of whose values need a library or a system that the wheel was not built for."""

_LISTS = frozenset(
    {
        "local_preload_libraries",
        "search_path",
        "session_preload_libraries",
        "shared_preload_libraries",
        "temp_tablespaces",
    }
)
"""Parameters that PostgreSQL quotes item by item in ALTER SYSTEM (guc_tables.c, GUC_LIST_QUOTE)."""

_RELOAD_SECONDS = 5.0


def set_parameters(connect: Connect, values: Mapping[str, str]) -> None:
    """Set parameters: at once where PostgreSQL allows it, else from the next restart.

    A name with a dot that no library defines (azure.extensions, pgbouncer.enabled, ...) becomes a placeholder, which
    SHOW shows. A name of the service alone without a dot (require_secure_transport) cannot be one and is left out.

    Raises:
        BackendError: PostgreSQL refuses a value; values before it are set.
    """
    with connect() as connection:
        known = {str(row[0]) for row in connection.execute("SELECT name FROM pg_settings")}
        for name, value in values.items():
            if name in OWNED or (name not in known and "." not in name):
                _log.info("parameter %s is remembered but not applied by the emulator", name)
                continue
            try:
                if name not in known:
                    # ALTER SYSTEM takes a placeholder only where the session has it (PostgreSQL 16).
                    connection.execute("SELECT set_config(%s, %s, false)", [name, value])
                connection.execute(_alter_system(name, value))
            except psycopg.Error as error:
                if name not in _BUILD_MAY_REFUSE:
                    raise BackendError(f"parameter {name}: {_message(error)}") from None
                _log.warning("parameter %s is not applied: %s", name, _message(error))
        _reload(connection, connect)


def _alter_system(name: str, value: str) -> sql.Composed:
    """Return the statement that sets one parameter."""
    target = sql.SQL("ALTER SYSTEM SET {} = ").format(sql.SQL(".").join(map(sql.Identifier, name.split("."))))
    if name not in _LISTS:
        return target + sql.Literal(value)
    items = [item.strip() for item in value.split(",") if item.strip()]
    if name == "shared_preload_libraries":
        items = [item for item in items if item in PRELOADABLE]  # another name would keep the server from starting
    if not items:
        return sql.SQL("ALTER SYSTEM RESET {}").format(sql.Identifier(name))
    return target + sql.SQL(", ").join(map(sql.Literal, items))


def _reload(connection: psycopg.Connection[tuple[object, ...]], connect: Connect) -> None:
    """Make the server read its configuration and wait until new connections have it."""
    row = connection.execute("SELECT pg_conf_load_time(), pg_reload_conf()").fetchone()
    before = row[0] if row else None
    deadline = time.monotonic() + _RELOAD_SECONDS
    while time.monotonic() < deadline:
        with connect() as fresh:
            row = fresh.execute("SELECT pg_conf_load_time()").fetchone()
            if row is not None and row[0] != before:
                return
    raise BackendError(f"PostgreSQL did not read its configuration within {_RELOAD_SECONDS:g} s")


def _message(error: psycopg.Error) -> str:
    """Return PostgreSQL's own message without its context."""
    return error.diag.message_primary or str(error)
