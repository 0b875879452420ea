"""Sessions with the database: verified TLS always, Entra tokens at call time, waits with limits, errors explained."""

import hashlib
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import certifi
import psycopg
from psycopg import sql

from database import tokens
from database.errors import DatabaseError, UnreachableError, said
from database.progress import Ticker, passing

_BACK_OFF_SECONDS = (1.0, 2.0, 4.0, 8.0)
_LOCK_POLL_SECONDS = 0.1


@dataclass(frozen=True)
class ConnectionSpec:
    """Where and as whom to connect; how long to wait for it, in seconds. With Entra, tokens are for `token_scope`."""

    host: str
    database: str
    user: str
    authentication: str  # "entra" | "password"
    token_scope: str = ""
    password: str | None = field(default=None, repr=False)
    connect_timeout_seconds: int = 15
    parameters: Mapping[str, str] = field(default_factory=dict)  # others of libpq, such as port; they win


@dataclass(frozen=True)
class _Refusal:
    """One way in which a server or the network says no, and what a person can do about it."""

    pattern: str
    advice: str
    transient: bool = False


# Texts of libpq and PostgreSQL, tried against 16.14; what a firewall or a stopped server says follows Microsoft's
# documentation of flexible server (unverified on the real service). The first match counts.
_REFUSALS = (
    _Refusal(
        r"no pg_hba\.conf entry",
        "the server's firewall does not let this address in: add it under `postgres-genai:firewall` (or to the "
        "server's firewall rules) and run again; a rule that was just written can take a minute. One that the config "
        "has and somebody deleted comes back with `pulumi refresh`, then `pulumi up`.",
        transient=True,
    ),
    _Refusal(
        r"password authentication failed|[Aa]ccess token|token .*(expired|invalid)",
        "the server refused the credentials. With Entra, check that the principal is an administrator of the server "
        "(`postgres-genai:authentication`) and that you are signed in as it; with a password, the one in the stack's "
        "state may be old: `pulumi up`, and refresh and destroy with `--run-program`, take the present one.",
    ),
    _Refusal(
        r'role ".*" does not exist|is not permitted to log in',
        "the server does not know this user: add it to `postgres-genai:authentication` and run `pulumi up` again.",
    ),
    _Refusal(
        r'database ".*" does not exist',
        "the server has no database of this name: if it was dropped by hand, `pulumi refresh` and `pulumi up` make it "
        "again.",
    ),
    _Refusal(
        r"certificate verify failed|root certificate|does not match host name|SSL error: .*certificate",
        "the server's certificate could not be verified. Nothing was sent. Set PGSSLROOTCERT only if this server's "
        "certificate comes from a certificate authority of your own.",
    ),
    _Refusal(
        r"server (is|has been) (stopped|disabled)|is not accessible|ServerStopped",
        "the server is stopped: start it (`az postgres flexible-server start`) and run again.",
    ),
    _Refusal(
        r"failed to resolve host|could not translate host name|Name or service not known",
        "the name of the server does not resolve: it may be new (wait a minute), deleted, or private to a network that "
        "this machine is not in.",
        transient=True,
    ),
    _Refusal(
        r"starting up|shutting down|in recovery mode|not yet accepting connections|too many clients|"
        r"remaining connection slots|timeout expired|timed out|[Cc]onnection refused|closed the connection|"
        r"Connection reset|No route to host|Network is unreachable|SSL SYSCALL|[Uu]nexpected eof|lost synchronization",
        "the server did not answer: it may be stopped (`az postgres flexible-server start`), or this machine may not "
        "reach it (firewall rule, public access or private network). Then run again.",
        transient=True,
    ),
)


def connect(
    spec: ConnectionSpec,
    *,
    application_name: str = "postgres-genai",
    autocommit: bool = True,
    pauses: Sequence[float] | None = None,
) -> psycopg.Connection:
    """Open one connection with `sslmode=verify-full`.

    libpq's own PGPORT, PGHOSTADDR and PGSSLROOTCERT decide the rest; without the last, the roots are certifi's.
    Transient failures are tried again after each of `pauses` (15 s in all unless given), in seconds.

    Raises:
        UnreachableError: with what the server said and what to do.
    """
    for pause in (*(_BACK_OFF_SECONDS if pauses is None else pauses), None):
        try:
            return _open(spec, application_name, autocommit)
        except psycopg.OperationalError as error:
            text = _without_secret(str(error), spec)
        refusal = next((r for r in _REFUSALS if re.search(r.pattern, text)), None)
        if pause is None or refusal is None or not refusal.transient:
            raise _refused(spec, text, refusal) from None
        passing(f"{spec.host}: no connection yet, trying again in {pause:.0f} s ({_last_line(text)})")
        time.sleep(pause)
    raise AssertionError("unreachable: the last round returns or raises")


@contextmanager
def session(
    spec: ConnectionSpec, *, lock: str, timeout_seconds: float = 300, lock_timeout_seconds: float = 10
) -> Iterator[psycopg.Connection]:
    """Open a connection that holds the advisory lock named `lock` in its database until the block ends.

    Args:
        spec: where to connect.
        lock: what the block changes, for example "extensions"; two programs never are in it at the same time.
        timeout_seconds: how long to wait for the lock.
        lock_timeout_seconds: how long one statement may wait for a table's lock.

    Raises:
        DatabaseError: no connection, or another session keeps the lock for longer than `timeout_seconds`.
    """
    connection = connect(spec)
    try:
        with explained(f"database {spec.database} on {spec.host}"):
            connection.execute("SET statement_timeout = 0")
            connection.execute(
                sql.SQL("SET lock_timeout = {}").format(sql.Literal(f"{int(lock_timeout_seconds * 1000)}ms"))
            )
            _take_lock(connection, lock, timeout_seconds)
        yield connection
    finally:
        connection.close()  # ends the session, and with it the advisory lock


@contextmanager
def explained(what: str) -> Iterator[None]:
    """Turn a driver's error in the block into a DatabaseError: what was being done, and what the server said."""
    try:
        yield
    except psycopg.Error as error:
        message = f"{what}: {said(error)}"
    else:
        return
    raise DatabaseError(message) from None


def opener(
    spec: ConnectionSpec, *, application_name: str = "postgres-genai", pauses: Sequence[float] | None = None
) -> Callable[[], psycopg.Connection]:
    """Return a function that opens connections without a statement time limit, for workers that CALL for minutes."""

    def open_connection() -> psycopg.Connection:
        connection = connect(spec, application_name=application_name, pauses=pauses)
        connection.execute("SET statement_timeout = 0")
        return connection

    return open_connection


def _open(spec: ConnectionSpec, application_name: str, autocommit: bool) -> psycopg.Connection:
    parameters: dict[str, Any] = {
        "host": spec.host,
        "dbname": spec.database,
        "user": spec.user,
        "password": tokens.token(spec.token_scope) if spec.authentication == "entra" else spec.password,
        "sslmode": "verify-full",
        "connect_timeout": spec.connect_timeout_seconds,
        "application_name": application_name,
        "sslrootcert": os.environ.get("PGSSLROOTCERT") or certifi.where(),
        # A load balancer on Azure drops connections that are silent for 4 minutes; a worker may be silent for longer.
        "keepalives": 1,
        "keepalives_idle": 30,
        "keepalives_interval": 10,
        "keepalives_count": 3,
    }
    return psycopg.connect(autocommit=autocommit, **(parameters | dict(spec.parameters)))


@contextmanager
def locked(connection: psycopg.Connection, lock: str, *, timeout_seconds: float = 300) -> Iterator[None]:
    """Hold the advisory lock named `lock` for the block, on a connection in autocommit that goes on living.

    Raises:
        DatabaseError: another session keeps the lock for longer than `timeout_seconds`.
    """
    _take_lock(connection, lock, timeout_seconds)
    try:
        yield
    finally:
        with suppress(psycopg.Error):  # a session that died has let go
            connection.execute("SELECT pg_advisory_unlock(%s)", [_lock_key(lock)])


def _lock_key(lock: str) -> int:
    return int.from_bytes(hashlib.sha256(f"postgres-genai/{lock}".encode()).digest()[:8], signed=True)


def _take_lock(connection: psycopg.Connection, lock: str, timeout_seconds: float) -> None:
    """Poll a try-lock; a blocking wait would hold a snapshot and deadlock with concurrent index builds."""
    key = _lock_key(lock)
    deadline = time.monotonic() + timeout_seconds
    ticker = Ticker()
    while True:
        row = connection.execute("SELECT pg_try_advisory_lock(%s)", [key]).fetchone()
        if row and row[0]:
            return
        if time.monotonic() >= deadline:
            raise DatabaseError(
                f"another session has been changing {lock} in database {connection.info.dbname} for "
                f"{timeout_seconds:.0f} s: probably another `pulumi up`, or one that was killed and whose provider "
                f"process still runs. Wait for it, or end that session, and run again."
            )
        ticker.tick(f"waiting for another session that is changing {lock}")
        time.sleep(_LOCK_POLL_SECONDS)


def _refused(spec: ConnectionSpec, text: str, refusal: _Refusal | None) -> UnreachableError:
    advice = refusal.advice if refusal else "see the server's log for the reason."
    return UnreachableError(
        f"cannot connect to database {spec.database} on {spec.host} as {spec.user}: {advice} "
        f"The connection said: {_last_line(text)}"
    )


def _last_line(text: str) -> str:
    """Return the line with the reason: libpq puts one line an attempt, the address first and the reason last."""
    lines = [line.strip() for line in text.strip().splitlines() if line.strip()]
    return lines[-1] if lines else "nothing"


def _without_secret(text: str, spec: ConnectionSpec) -> str:
    return text.replace(spec.password, "[secret]") if spec.password else text
