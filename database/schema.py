"""Vector columns on tables that exist: added without a rewrite and with brief locks, or adopted when they are there."""

import time
from dataclasses import dataclass

import psycopg
from psycopg import sql

from database.connection import explained
from database.errors import DatabaseError, said
from database.progress import Ticker, progress

_LOCK_TIMEOUT = "2s"
_PAUSE_SECONDS = 1.0

_TABLE = """
SELECT n.nspname, c.relname, c.relkind::text, pg_has_role(c.relowner, 'USAGE'), pg_get_userbyid(c.relowner)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = to_regclass(%s)
"""
_COLUMN = """
SELECT t.typname, a.atttypmod FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
WHERE a.attrelid = to_regclass(%s) AND a.attname = %s AND a.attnum > 0 AND NOT a.attisdropped
"""
_TYPE_SCHEMA = """
SELECT n.nspname FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'vector'
"""
_HOLDERS = """
SELECT DISTINCT a.pid, coalesce(nullif(a.application_name, ''), 'unnamed'), a.state,
       extract(epoch FROM now() - a.xact_start)::integer
FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
WHERE l.relation = to_regclass(%s) AND l.granted AND l.pid <> pg_backend_pid() ORDER BY 4 DESC NULLS LAST LIMIT 3
"""


@dataclass(frozen=True)
class VectorColumn:
    """A column of pgvector's type `type` (vector or halfvec) with that many dimensions."""

    table: str
    column: str
    type: str
    dimensions: int

    @property
    def declared(self) -> str:
        """The type as SQL writes it, for example vector(1536)."""
        return f"{self.type}({self.dimensions})"


@dataclass(frozen=True)
class _Table:
    schema: str
    name: str

    @property
    def quoted(self) -> sql.Composed:
        return sql.SQL("{}.{}").format(sql.Identifier(self.schema), sql.Identifier(self.name))


def read(conn: psycopg.Connection, table: str, column: str) -> VectorColumn | None:
    """Return the column as the catalog has it; None when the table or the column is not there."""
    with explained(f"looking for column {table}.{column}"):
        row = conn.execute(_COLUMN, [table, column]).fetchone()
    if row is None:
        return None
    return VectorColumn(table, column, row[0], max(row[1], 0))  # -1: declared without dimensions


def ensure(conn: psycopg.Connection, wanted: VectorColumn, *, timeout_seconds: float = 120) -> bool:
    """Add the column, nullable and without a default, or adopt the one that is there; return whether it was adopted.

    Raises:
        DatabaseError: the table is missing or not a table, the column has another type, the user does not own the
            table, or no lock on it was to be had in time.
    """
    table = _find(conn, wanted.table)
    found = read(conn, wanted.table, wanted.column)
    if found is not None:
        _refuse_other_type(found, wanted)
        return True
    with explained("looking for the type vector"):
        schema = conn.execute(_TYPE_SCHEMA).fetchone()
    if schema is None:
        raise DatabaseError(
            f"extension vector is not enabled in database {conn.info.dbname}: add vector to "
            f"`postgres-genai:extensions` and run `pulumi up` again."
        )
    statement = sql.SQL("ALTER TABLE {} ADD COLUMN IF NOT EXISTS {} {}.{}({})").format(
        table.quoted,
        sql.Identifier(wanted.column),
        sql.Identifier(schema[0]),
        sql.Identifier(wanted.type),
        sql.Literal(wanted.dimensions),
    )
    _alter(conn, wanted, statement, timeout_seconds)
    return False


def drop(conn: psycopg.Connection, table: str, column: str, *, timeout_seconds: float = 120) -> None:
    """Drop the column and what is in it, RESTRICT; nothing happens when the table or the column is gone already."""
    found = read(conn, table, column)
    if found is None:
        return
    statement = sql.SQL("ALTER TABLE {} DROP COLUMN IF EXISTS {} RESTRICT").format(
        _find(conn, table).quoted, sql.Identifier(column)
    )
    _alter(conn, found, statement, timeout_seconds)


def _find(conn: psycopg.Connection, table: str) -> _Table:
    with explained(f"looking for table {table}"):
        row = conn.execute(_TABLE, [table]).fetchone()
    if row is None:
        raise DatabaseError(
            f"table {table} does not exist in database {conn.info.dbname}: create it first, or correct its name (with "
            f"its schema, for example public.invoices)."
        )
    schema, name, kind, owned, owner = row
    if kind not in {"r", "p"}:
        raise DatabaseError(f"{table} is not a table: only a table, partitioned or not, can get a vector column.")
    if not owned:
        raise DatabaseError(
            f"{conn.info.user} does not own table {table}, so it cannot change it: `GRANT {owner} TO "
            f"{conn.info.user}`, or let {owner} add the column; it is adopted then."
        )
    return _Table(schema, name)


def _refuse_other_type(found: VectorColumn, wanted: VectorColumn) -> None:
    if found.type == wanted.type and found.dimensions == wanted.dimensions:
        return
    has = found.declared if found.dimensions else found.type
    raise DatabaseError(
        f"{wanted.table}.{wanted.column} is there already as {has}, and the stack asks for {wanted.declared}. Nothing "
        f"was changed, since its values would be lost: choose another column name, or {has} in the stack, or drop the "
        f"column by hand."
    )


def _alter(conn: psycopg.Connection, column: VectorColumn, statement: sql.Composed, timeout_seconds: float) -> None:
    """Try again and again with a short lock_timeout: a long wait for this lock makes every other query wait too."""
    what = f"changing {column.table}.{column.column}"
    deadline = time.monotonic() + timeout_seconds
    ticker = Ticker()
    while not _altered(conn, column, statement):
        holders = _holders(conn, column.table)
        if time.monotonic() >= deadline:
            raise DatabaseError(
                f"{what}: no lock on the table within {timeout_seconds:.0f} s; held by {holders}. End or wait for that "
                f"session and run `pulumi up` again; nothing was changed."
            )
        ticker.tick(f"waiting for a lock on {column.table}, held by {holders}")
        time.sleep(_PAUSE_SECONDS)


def _altered(conn: psycopg.Connection, column: VectorColumn, statement: sql.Composed) -> bool:
    try:
        with conn.transaction():
            conn.execute(sql.SQL("SET LOCAL lock_timeout = {}").format(sql.Literal(_LOCK_TIMEOUT)))
            conn.execute(statement)
    except psycopg.errors.LockNotAvailable:
        return False
    except psycopg.errors.DependentObjectsStillExist as error:
        needed_by = "; ".join((error.diag.message_detail or "").splitlines()[:5])
        progress(f"{column.table}.{column.column} stays: {needed_by}")
        return True
    except psycopg.Error as error:
        message = f"changing {column.table}.{column.column}: {said(error)}"
    else:
        return True
    raise DatabaseError(message) from None


def _holders(conn: psycopg.Connection, table: str) -> str:
    rows = conn.execute(_HOLDERS, [table]).fetchall()
    return ", ".join(f"pid {pid} ({name}, {state}, {age} s)" for pid, name, state, age in rows) or "another session"
