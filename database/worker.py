"""The standing worker: `python -m database.worker` embeds what is queued until it is told to stop.

It needs this package, the folder sql/vectorize/ (to know the engine's version) and what requirements/worker.in names.
"""

import argparse
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from types import FrameType

import psycopg
from psycopg.conninfo import conninfo_to_dict

from database.connection import ConnectionSpec, opener
from database.errors import DatabaseError, said
from database.standing import Exit, Options, Standing, UnknownJobError, WrongEngineError, look
from database.worker_log import Log

APPLICATION_NAME = "postgres-genai worker"

Connect = Callable[[], psycopg.Connection]

_POOLER_PORT = "6432"
_EXITS = """\
exit statuses:
  0  stopped by SIGTERM or SIGINT, the time was up, or (--until-done) nothing was left
  1  the database could not be used for longer than --unreachable-seconds
  2  a mistake in the arguments or the environment, or no such job
  3  the engine is not in the database, or is of another version than this program
  4  (--until-done) what is left needs a person: a job is stopped, or its index cannot be built
"""


class UsageError(Exception):
    """The arguments or the environment do not say where to connect."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program and return its exit status."""
    given = _parser().parse_args(arguments)
    log = Log(as_json=given.json)
    try:
        spec = connection_spec(given.dsn, os.environ, entra=given.entra, token_scope=given.token_scope)
    except UsageError as error:
        log.end(Exit.USAGE, str(error))
        return Exit.USAGE
    open_connection = opener(spec, application_name=APPLICATION_NAME, pauses=())
    if given.check:
        return _check(open_connection, given.job, log)
    options = Options(
        job=given.job,
        connections=given.connections,
        seconds=given.seconds,
        until_done=given.until_done,
        health_seconds=given.health_seconds,
        unreachable_seconds=given.unreachable_seconds,
    )
    standing = Standing(open_connection, options, log)

    def stop(number: int, _frame: FrameType | None) -> None:
        standing.end(Exit.DONE, f"stopped by {signal.Signals(number).name}")

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    log.say(
        "start",
        f"{options.connections} connections to database {spec.database} on {spec.host} as {spec.user}, "
        f"{f'job {options.job}' if options.job else 'all jobs'}",
    )
    return standing.run()


def connection_spec(
    dsn: str, environment: Mapping[str, str], *, entra: bool = False, token_scope: str = ""
) -> ConnectionSpec:
    """Return where to connect: what the connection string says, else libpq's own variables.

    Raises:
        UsageError: host, database or user is missing, the string cannot be read, or it leads to PgBouncer; with Entra,
            the scope is missing.
    """
    if entra and not token_scope:
        raise UsageError(
            "a token for which cloud? Not set: WORKER_TOKEN_SCOPE, or --token-scope; it is `tokenScope` in the stack's "
            "output `connection`."
        )
    try:
        said_there = {name: str(value) for name, value in conninfo_to_dict(dsn).items() if value is not None}
    except psycopg.ProgrammingError:
        raise UsageError("--dsn is no connection string of PostgreSQL.") from None  # not shown: it may hold a password
    names = {"host": "PGHOST", "dbname": "PGDATABASE", "user": "PGUSER", "port": "PGPORT", "sslmode": "PGSSLMODE"}
    for name, variable in {**names, "password": "PGPASSWORD"}.items():
        if name not in said_there and environment.get(variable):
            said_there[name] = environment[variable]
    missing = [names[name] for name in ("host", "dbname", "user") if not said_there.get(name)]
    if missing:
        raise UsageError(f"where to connect? Not set, and not said by --dsn either: {', '.join(missing)}.")
    if _POOLER_PORT in said_there.get("port", "").split(","):
        raise UsageError(
            f"port {_POOLER_PORT} is PgBouncer's, whose transactions take a worker's session away: name the port of "
            "the server itself (5432)."
        )
    host, database, user = said_there.pop("host"), said_there.pop("dbname"), said_there.pop("user")
    password = said_there.pop("password", None)
    return ConnectionSpec(
        host=host,
        database=database,
        user=user,
        authentication="entra" if entra else "password",
        password=None if entra else password,
        parameters=said_there,
        token_scope=token_scope,
    )


def _check(open_connection: Connect, job: str | None, log: Log) -> Exit:
    """Say how far the jobs are, once; for the probe of a container."""
    try:
        with open_connection() as conn:
            log.health(look(conn, job), 1, None)
    except WrongEngineError as error:
        code, reason = Exit.ENGINE, str(error)
    except UnknownJobError as error:
        code, reason = Exit.USAGE, str(error)
    except DatabaseError as error:
        code, reason = Exit.UNREACHABLE, str(error)
    except psycopg.Error as error:
        code, reason = Exit.UNREACHABLE, said(error)
    else:
        return Exit.DONE
    log.end(code, reason)
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m database.worker",
        description="Embeds what is queued, from as many connections as told. Where to connect is said by libpq's "
        "variables (PGHOST, PGDATABASE, PGUSER, PGPASSWORD, PGPORT, PGSSLROOTCERT ...) or by --dsn; TLS is verified "
        "(sslmode=verify-full) unless one of them says otherwise.",
        epilog=_EXITS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--dsn", default="", help="connection string; a password is better in PGPASSWORD, where no process list has it")
    # By the environment too, so that the probe of an image signs in as its worker does.
    add(
        "--entra",
        action="store_true",
        default=os.environ.get("WORKER_ENTRA") == "true",
        help="sign in with an Entra token of this environment's identity (or WORKER_ENTRA=true)",
    )
    add(
        "--token-scope",
        default=os.environ.get("WORKER_TOKEN_SCOPE", ""),
        help="scope of that token, `tokenScope` in the stack's output `connection` (or WORKER_TOKEN_SCOPE)",
    )
    add("--job", help="work on this job alone (default: all)")
    add("--connections", type=_whole(1, 64), default=4, help="how many embed at the same time (default: %(default)s)")
    add("--seconds", type=_positive, help="end after this time (default: never)")
    add("--until-done", action="store_true", help="end when nothing is left to do")
    add("--json", action="store_true", help="print lines of JSON")
    add("--health-seconds", type=_positive, default=30.0, help="say how far the jobs are every (default: %(default)g)")
    add(
        "--unreachable-seconds",
        type=_positive,
        default=300.0,
        help="end when the database could not be used for this long (default: %(default)g)",
    )
    add("--check", action="store_true", help="say how far the jobs are, once, and end: for the probe of a container")
    return parser


def _whole(low: int, high: int) -> Callable[[str], int]:
    def convert(text: str) -> int:
        if not text.isdecimal() or not low <= int(text) <= high:
            raise argparse.ArgumentTypeError(f"{text!r} is no whole number from {low} to {high}")
        return int(text)

    return convert


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds above 0")
    return value


if __name__ == "__main__":
    sys.exit(main())
