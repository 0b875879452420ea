"""Workers that pg_cron runs inside the server: declared, read and removed as jobs of its table `cron.job`.

pg_cron 1.5 or later. Tried on 1.6 with PostgreSQL 17: a job's runs never overlap, so as many jobs are as many workers.
When a run lasts longer than the n seconds of its schedule, the next begins at once; after one that failed, n seconds
later. `unschedule` ends the run that is going on. Jobs run as whoever declared them, and nobody else sees them.
"""

from dataclasses import dataclass

import psycopg
from psycopg import sql

from database.connection import explained
from database.errors import DatabaseError

# Runs end after a minute, so that jobs that were declared meanwhile are seen.
_WORK = "CALL vectorize.work(NULL, 58, true)"
_EVERY = "10 seconds"
_PURGE_EVERY = "17 * * * *"
DEFINITION = f"{_WORK} every {_EVERY}"
"""What a worker's job does, for telling whether jobs were declared by another version of this program."""

# A command is fixed text, and which index is due is not: one job looks, and makes the statement a job of its own until
# it is done; any of those that are due, so that one that fails is in no other's way. No job is taken away while its
# statement builds, for that would end it.
_MAINTAIN_EVERY = "20 seconds"
_STATEMENT_EVERY = "* * * * *"
_MAINTAIN = """
WITH due AS (SELECT statement FROM vectorize.next_maintenance() ORDER BY random() LIMIT 1)
SELECT cron.schedule_in_database({statement}, {every}, due.statement, {database}) FROM due
UNION ALL SELECT cron.unschedule(j.jobid)::int FROM cron.job AS j
WHERE j.jobname = {statement} AND j.username = current_user AND NOT EXISTS (SELECT FROM due)
AND NOT EXISTS (SELECT FROM vectorize.generations WHERE index_state = 'building')
"""

_PURGE = "DELETE FROM cron.job_run_details WHERE {runs} AND start_time < now() - interval '1 day'"
_RUNS = (
    "database = {database} AND (command LIKE 'CALL vectorize.work(%' OR command LIKE '%vectorize.next_maintenance()%' "
    "OR command ~ '^(CREATE|DROP|ALTER) INDEX ')"
)


@dataclass(frozen=True)
class CronJob:
    """One row of `cron.job`."""

    name: str
    schedule: str
    command: str
    database: str
    active: bool = True


def names(database: str, parallel: int, cron_database: str) -> list[str]:
    """Return the names of the jobs that make `parallel` workers for a database, and of those that see to the rest.

    Where pg_cron lives in another database, none of its jobs can see there which index is due.
    """
    rest = ["maintain", "purge"] if cron_database == database else ["purge"]
    return [f"{_prefix(database)}{number}" for number in (*range(1, parallel + 1), *rest)]


def healthy(conn: psycopg.Connection, database: str, parallel: int) -> list[str]:
    """Return the names of the jobs that are there; of those that are wanted, only the ones that are as declared.

    Args:
        conn: to the database that pg_cron lives in.
        database: the database that the workers work in.
        parallel: how many there should be.
    """
    wanted = {job.name: job for job in _wanted(conn, database, parallel)}
    found = [job for job, _ in _found(conn, database)]
    return [name for name in wanted if wanted[name] in found] + [job.name for job in found if job.name not in wanted]


def declare(conn: psycopg.Connection, database: str, parallel: int) -> list[str]:
    """Make the jobs what they should be, and return the names of those that changed.

    Raises:
        DatabaseError: pg_cron is not in this database, or the user may not schedule.
    """
    if not _installed(conn):
        raise DatabaseError(
            f"database {conn.info.dbname} has no pg_cron: add pg_cron to `postgres-genai:extensions`; where it lives "
            f'in another database, `postgres-genai:parameters` names that one under "cron.database_name".'
        )
    wanted = _wanted(conn, database, parallel)
    changed: list[str] = []
    with explained(f"scheduling workers for database {database}"), conn.transaction():
        found = _found(conn, database)
        there = {job.name: job for job, _ in found}
        for job in wanted:
            if there.get(job.name) == job:
                continue
            # What is there under this name is changed, except for `active`.
            conn.execute(
                "SELECT cron.alter_job(cron.schedule_in_database(%s, %s, %s, %s), active => true)",
                [job.name, job.schedule, job.command, job.database],
            )
            changed.append(job.name)
        for extra, number in found:
            if extra.name not in {job.name for job in wanted}:
                conn.execute("SELECT cron.unschedule(%s::bigint)", [number])
                changed.append(extra.name)
    return changed


def remove(conn: psycopg.Connection, database: str) -> None:
    """Take the jobs away with the record of their runs; nothing happens where there are none."""
    if not _installed(conn):
        return
    with explained(f"removing the scheduled workers of database {database}"), conn.transaction():
        for _, number in _found(conn, database, with_statement=True):
            conn.execute("SELECT cron.unschedule(%s::bigint)", [number])
        conn.execute(sql.SQL("DELETE FROM cron.job_run_details WHERE ") + _runs(database))


def statement_timeout(conn: psycopg.Connection) -> str:
    """Return the statement time limit that a new session of this user has in this database; "0" is none."""
    with explained("reading statement_timeout"):
        row = conn.execute("SELECT reset_val FROM pg_settings WHERE name = 'statement_timeout'").fetchone()
    return row[0] if row else "0"


def lift_statement_timeout(conn: psycopg.Connection) -> str | None:
    """Let this user's sessions in this database CALL for minutes.

    A limit counts a whole CALL, and a command of pg_cron cannot set it first: two statements are one transaction, in
    which the engine may not commit.

    Returns:
        What `restore_statement_timeout` needs: the user's own setting for this database until now, empty where there
        was none; None when nothing had to be changed.
    """
    if statement_timeout(conn) == "0":
        return None
    with explained("setting statement_timeout for the scheduled workers"):
        row = conn.execute(
            "SELECT split_part(one, '=', 2) FROM pg_db_role_setting AS s, unnest(s.setconfig) AS one "
            "WHERE s.setrole = (SELECT r.oid FROM pg_roles AS r WHERE r.rolname = current_user) "
            "AND s.setdatabase = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database()) "
            "AND starts_with(one, 'statement_timeout=')"
        ).fetchone()
        conn.execute(_of_this_user(conn, sql.SQL("SET statement_timeout = 0")))
    return str(row[0]) if row else ""


def restore_statement_timeout(conn: psycopg.Connection, before: str) -> None:
    """Take back what `lift_statement_timeout` did; `before` is what it returned."""
    change = sql.SQL("SET statement_timeout = {}").format(sql.Literal(before)) if before else None
    with explained("taking back statement_timeout"):
        conn.execute(_of_this_user(conn, change or sql.SQL("RESET statement_timeout")))


def _of_this_user(conn: psycopg.Connection, change: sql.Composable) -> sql.Composed:
    return sql.SQL("ALTER ROLE CURRENT_USER IN DATABASE {} {}").format(sql.Identifier(conn.info.dbname), change)


def _prefix(database: str) -> str:
    return f"postgres-genai {database} "


def _statement_job(database: str) -> str:
    return f"{_prefix(database)}statement"


def _runs(database: str) -> sql.Composed:
    return sql.SQL(_RUNS).format(database=sql.Literal(database))


def _wanted(conn: psycopg.Connection, database: str, parallel: int) -> list[CronJob]:
    delete = sql.SQL(_PURGE).format(runs=_runs(database)).as_string(conn)
    maintain = sql.SQL(_MAINTAIN).format(
        statement=sql.Literal(_statement_job(database)),
        every=sql.Literal(_STATEMENT_EVERY),
        database=sql.Literal(database),
    )
    jobs = {
        "maintain": (_MAINTAIN_EVERY, maintain.as_string(conn).strip(), database),
        "purge": (_PURGE_EVERY, delete, conn.info.dbname),
    }
    return [
        CronJob(name, *jobs.get(name.removeprefix(_prefix(database)), (_EVERY, _WORK, database)))
        for name in names(database, parallel, conn.info.dbname)
    ]


def _found(conn: psycopg.Connection, database: str, *, with_statement: bool = False) -> list[tuple[CronJob, int]]:
    """Return this user's jobs for a database, each with its number; none where there is no pg_cron.

    The job of a statement that is due comes and goes by itself, and is left out unless asked for.
    """
    if not _installed(conn):
        return []
    with explained(f"reading the scheduled workers of database {database}"):
        rows = conn.execute(
            "SELECT jobname, schedule, command, database, active, jobid FROM cron.job WHERE starts_with(jobname, %s) "
            "AND username = current_user ORDER BY jobid",
            [_prefix(database)],
        ).fetchall()
    return [
        (CronJob(*values), number)
        for *values, number in rows
        if with_statement or values[0] != _statement_job(database)
    ]


def _installed(conn: psycopg.Connection) -> bool:
    with explained("looking for pg_cron"):
        return conn.execute("SELECT to_regclass('cron.job') IS NOT NULL").fetchone() == (True,)
