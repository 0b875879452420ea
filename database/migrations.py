"""Versioned SQL folders: `NNNN_name.sql` runs once, in order; any other `name.sql` again whenever its text changed.

A third kind, `after_name.sql`, runs at the end whenever any file of the folder ran: it makes nothing, and gives back
what replaced objects lose, such as grants. All that is due in a folder runs in one transaction, so a folder is never
half applied. The history is the table `migrations.applied`; beside each file it keeps the objects that the file made,
so that a drop by hand is found.
"""

import hashlib
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import psycopg

from database.connection import explained, locked
from database.errors import DatabaseError, said
from database.progress import passing

# A deadlock, a lock that was not given in time: by then a worker, or a user's statement, may be out of the way.
_PASSING = ("40P01", "55P03")
# Beside a writer who never rests a lock is given or not by chance, and nobody waits for one for long.
_TRIES = 20
_LONGEST_PAUSE_SECONDS = 2.0

ROOT = Path(__file__).resolve().parent.parent / "sql"
_NUMBERED = re.compile(r"^\d{4}_[a-z0-9_]+\.sql$")
_NAME = re.compile(r"^[a-z][a-z0-9_]*$")
_CREATED = re.compile(r"^CREATE TABLE (?:IF NOT EXISTS )?([\w.]+)", re.MULTILINE | re.IGNORECASE)

_HISTORY = """
CREATE SCHEMA IF NOT EXISTS migrations;
CREATE TABLE IF NOT EXISTS migrations.applied (
    folder     text NOT NULL,
    name       text NOT NULL,
    sha256     text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now(),
    objects    text[] NOT NULL DEFAULT '{}',
    PRIMARY KEY (folder, name)
);
DO $$
BEGIN
    -- On flexible server every administrator is a member: whoever comes next may go on where another one stopped.
    IF to_regrole('azure_pg_admin') IS NOT NULL THEN
        GRANT USAGE, CREATE ON SCHEMA migrations TO azure_pg_admin;
        GRANT SELECT, INSERT, UPDATE, DELETE ON migrations.applied TO azure_pg_admin;
    END IF;
END $$;
"""

# A worker has to know whether it fits the engine that is installed. After the files, since one of them makes the role.
_READERS = """
DO $$
BEGIN
    IF to_regrole('vectorize_worker') IS NOT NULL THEN
        GRANT USAGE ON SCHEMA migrations TO vectorize_worker;
        GRANT SELECT ON migrations.applied TO vectorize_worker;
    END IF;
END $$;
"""

# Every catalog row that carries this transaction's id was made, or replaced, by the file that just ran.
_MADE = """
SELECT 'schema ' || quote_ident(nspname) FROM pg_namespace WHERE xmin = pg_current_xact_id()::xid AND nspname !~ '^pg_'
UNION ALL
SELECT 'relation ' || c.oid::regclass FROM pg_class c
WHERE c.xmin = pg_current_xact_id()::xid AND c.relkind IN ('r', 'v', 'm', 'S', 'p') AND c.relpersistence <> 't'
  AND c.relnamespace <> 'pg_toast'::regnamespace
UNION ALL
SELECT 'routine ' || p.oid::regprocedure FROM pg_proc p
WHERE p.xmin = pg_current_xact_id()::xid AND NOT pg_is_other_temp_schema(p.pronamespace)
  AND p.pronamespace <> pg_my_temp_schema()
ORDER BY 1
"""

_MISSING = """
SELECT object FROM unnest(%s::text[]) AS object
WHERE CASE split_part(object, ' ', 1)
    WHEN 'schema' THEN to_regnamespace(substr(object, 8)) IS NULL
    WHEN 'relation' THEN to_regclass(substr(object, 10)) IS NULL
    ELSE to_regprocedure(substr(object, 9)) IS NULL END
ORDER BY object
"""


@dataclass(frozen=True)
class SqlFile:
    """One file of a folder, by name and digest of its text."""

    name: str
    sha256: str

    @property
    def once(self) -> bool:
        """Whether it runs once (`NNNN_name.sql`), rather than whenever its text changed."""
        return bool(_NUMBERED.match(self.name))

    @property
    def last(self) -> bool:
        """Whether it runs at the end of every run (`after_name.sql`)."""
        return self.name.startswith("after_")

    @property
    def place(self) -> tuple[bool, bool, str]:
        """What files are sorted by to run in order."""
        return (self.last, not self.once, self.name)


@dataclass(frozen=True)
class _Row:
    sha256: str
    objects: list[str]


class _InTheWayError(DatabaseError):
    """Another session was in the way, and may be gone a moment later."""


def folder(name: str, root: Path = ROOT) -> list[SqlFile]:
    """Return the files of one folder of `sql/` in the order in which they run: numbered ones first, `after_` ones last.

    Raises:
        DatabaseError: there is no such folder, or it holds no SQL.
    """
    if not _NAME.match(name) or not (root / name).is_dir():
        known = ", ".join(sorted(path.name for path in root.iterdir() if path.is_dir()))
        raise DatabaseError(f"there is no SQL folder named {name}: the folders are {known}.")
    paths = list((root / name).glob("*.sql"))
    if not paths:
        raise DatabaseError(f"the SQL folder {name} holds no .sql file.")
    files = [SqlFile(path.name, hashlib.sha256(path.read_bytes()).hexdigest()) for path in paths]
    return sorted(files, key=lambda file: file.place)


def tables_of(name: str, root: Path = ROOT) -> frozenset[str]:
    """Return the tables that a folder of `sql/` creates, by schema and name as its files write them."""
    texts = [(root / name / file.name).read_text(encoding="utf-8") for file in folder(name, root)]
    return frozenset(table.lower() for text in texts for table in _CREATED.findall(text))


def digest(name: str, root: Path = ROOT) -> str:
    """Return one digest of all files of a folder: another one means that some of its text is another."""
    return hashlib.sha256("".join(file.sha256 for file in folder(name, root)).encode()).hexdigest()


def applied(conn: psycopg.Connection, name: str) -> list[SqlFile] | None:
    """Return what the database has of a folder, without the files whose objects were dropped since; None if nothing.

    A file is left out as soon as one of its objects is gone, so that the next `apply` deals with it.
    """
    with explained(f"reading the history of SQL folder {name}"):
        rows = _history(conn, name)
        intact = [SqlFile(file, row.sha256) for file, row in rows.items() if not _missing(conn, row.objects)]
    return sorted(intact, key=lambda file: file.place) or None


def apply(
    conn: psycopg.Connection,
    name: str,
    *,
    root: Path = ROOT,
    say: Callable[[str], None] = passing,
    timeout_seconds: float = 300,
) -> list[str]:
    """Run what is due of a folder, in one transaction, and return the names of the files that ran.

    An advisory lock keeps two programs from applying at the same time. Where workers or users are in the way, it is
    tried again: what a try did is taken back as a whole.

    Args:
        conn: in autocommit.
        name: the folder.
        root: where the folder is.
        say: gets a line before files run.
        timeout_seconds: how long to wait for another program that is applying SQL to this database.

    Raises:
        DatabaseError: an applied numbered file was edited, the database is newer than this checkout, some of what a
            numbered file made was dropped by hand, the SQL failed, or another program keeps applying. Nothing is
            changed then.
    """
    files = folder(name, root)
    with explained(f"applying SQL folder {name}"), locked(conn, "migrations", timeout_seconds=timeout_seconds):
        for attempt in range(1, _TRIES + 1):
            try:
                return _apply(conn, name, files, root, say)
            except _InTheWayError as error:
                if attempt == _TRIES:
                    raise
                say(f"{error} Trying again.")
                time.sleep(min(attempt / 2, _LONGEST_PAUSE_SECONDS))
    raise AssertionError("the last try returns or raises")


def _apply(
    conn: psycopg.Connection, name: str, files: Sequence[SqlFile], root: Path, say: Callable[[str], None]
) -> list[str]:
    with conn.transaction():
        if not _has_history(conn):
            conn.execute(_HISTORY)
        due = _due(conn, name, files)
        if due:
            say(f"sql/{name}: applying {', '.join(file.name for file in due) if len(due) < 4 else f'{len(due)} files'}")
        for file in due:
            _run(conn, name, file, root)
        _forget_replaced(conn, name, files, prune=bool(due))
        if due:
            conn.execute(_READERS)
    return [file.name for file in due]


def mismatch(conn: psycopg.Connection, name: str, *, root: Path = ROOT) -> str | None:
    """Say why this program and a folder in the database do not fit together, or None where they do.

    Only the numbered files count: the others may differ in their text and still be called the same way.
    """
    files = folder(name, root)
    with explained(f"reading the history of SQL folder {name}"):
        rows = _history(conn, name)
    newer = _newer(files, rows)
    if newer:
        return _newer_sentence(name, newer, "program")
    missing = [file.name for file in files if file.once and file.name not in rows]
    if not rows:
        return f"database {conn.info.dbname} has nothing of sql/{name}: run `pulumi up` first."
    if missing:
        return (
            f"the database lacks {', '.join(missing)} of sql/{name}: it was brought up by an older version of this "
            f"program. Run `pulumi up` with this version first."
        )
    return None


def _due(conn: psycopg.Connection, name: str, files: Sequence[SqlFile]) -> list[SqlFile]:
    rows = _history(conn, name)
    _refuse_newer(name, files, rows)
    due = {file.name for file in files if _is_due(conn, name, file, rows.get(file.name))}
    return [file for file in files if file.name in due or (due and file.last)]


def _is_due(conn: psycopg.Connection, name: str, file: SqlFile, row: _Row | None) -> bool:
    if row is None:
        return True
    missing = _missing(conn, row.objects)
    if not file.once:
        return file.sha256 != row.sha256 or bool(missing)
    if file.sha256 != row.sha256:
        raise DatabaseError(
            f"sql/{name}/{file.name} was edited after it was applied to database {conn.info.dbname} (applied "
            f"{row.sha256[:12]}, now {file.sha256[:12]}): bring its old text back and put the change into a "
            f"new numbered file."
        )
    if missing and len(missing) < len(row.objects):
        raise DatabaseError(
            f"{', '.join(missing)} of sql/{name}/{file.name} was dropped by hand, and the rest of that file is still "
            f"there, so it cannot run again: restore what was dropped, or drop the rest too "
            f"({', '.join(o for o in row.objects if o not in missing)}) and run again."
        )
    return bool(missing)


def _refuse_newer(name: str, files: Sequence[SqlFile], rows: dict[str, _Row]) -> None:
    newer = _newer(files, rows)
    if newer:
        raise DatabaseError(_newer_sentence(name, newer, "checkout"))


def _newer(files: Sequence[SqlFile], rows: dict[str, _Row]) -> list[str]:
    here = {file.name for file in files}
    return sorted(file for file in rows if _NUMBERED.match(file) and file not in here)


def _newer_sentence(name: str, newer: Sequence[str], here: str) -> str:
    return (
        f"the database has {', '.join(newer)} of sql/{name}, which this {here} does not have: it was brought up "
        f"by a newer version of this program. Use that version; going back is not possible."
    )


def _run(conn: psycopg.Connection, name: str, file: SqlFile, root: Path) -> None:
    text = (root / name / file.name).read_bytes()  # bytes: a file's text is no literal string to the type checker
    with explained(f"sql/{name}/{file.name}"):
        before = set(_made(conn))
        _execute(conn, f"sql/{name}/{file.name}", text)
        conn.execute("RESET ROLE")
        made = [made for made in _made(conn) if made not in before and not file.last]
        conn.execute(
            "INSERT INTO migrations.applied (folder, name, sha256, objects) VALUES (%s, %s, %s, %s) "
            "ON CONFLICT (folder, name) DO UPDATE "
            "SET sha256 = excluded.sha256, applied_at = now(), objects = excluded.objects",
            [name, file.name, file.sha256, made],
        )


def _forget_replaced(conn: psycopg.Connection, name: str, files: Sequence[SqlFile], *, prune: bool) -> None:
    """Keep of every file's objects those that exist now: a later file may rightly have dropped what an earlier made."""
    for file, row in _history(conn, name).items():
        missing = set(_missing(conn, row.objects)) if prune else set()
        if missing:
            conn.execute(
                "UPDATE migrations.applied SET objects = %s WHERE folder = %s AND name = %s",
                [[made for made in row.objects if made not in missing], name, file],
            )
    conn.execute(
        "DELETE FROM migrations.applied WHERE folder = %s AND NOT name = ANY(%s)", [name, [file.name for file in files]]
    )


def _execute(conn: psycopg.Connection, where: str, text: bytes) -> None:
    try:
        conn.execute("SET LOCAL search_path TO DEFAULT")
        conn.execute(text)
    except psycopg.Error as error:
        position = int(error.diag.statement_position or 0)
        line = text.decode()[:position].count("\n") + 1
        message = f"{where}{f', line {line}' if position else ''}: {said(error)} Nothing of this run was kept."
        kind = _InTheWayError if error.sqlstate in _PASSING else DatabaseError
    else:
        return
    raise kind(message) from None


def _has_history(conn: psycopg.Connection) -> bool:
    return conn.execute("SELECT to_regclass('migrations.applied') IS NOT NULL").fetchone() == (True,)


def _history(conn: psycopg.Connection, name: str) -> dict[str, _Row]:
    if not _has_history(conn):
        return {}
    rows = conn.execute("SELECT name, sha256, objects FROM migrations.applied WHERE folder = %s", [name]).fetchall()
    return {file: _Row(sha256, objects) for file, sha256, objects in rows}


def _missing(conn: psycopg.Connection, objects: list[str]) -> list[str]:
    return [row[0] for row in conn.execute(_MISSING, [objects]).fetchall()]


def _made(conn: psycopg.Connection) -> list[str]:
    conn.execute("SET LOCAL search_path TO ''")  # so that every name is printed with its schema
    return [row[0] for row in conn.execute(_MADE).fetchall()]
