"""How many rows the tables have and how long their texts are, cheaply: a preview estimates tokens and cost from it."""

from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any

import psycopg
from psycopg import sql

from database.connection import explained

_SMALL_BYTES = 64 * 1024 * 1024  # up to here every row is counted and read: some tens of milliseconds
_SAMPLE_ROWS = 2_000

# Partitions count with their root. Tables of extensions and of this program are left out, as are those that the user
# may not read. reltuples is -1 where the table was never vacuumed or analysed.
_TABLES = """
SELECT n.nspname, c.relname, sum(pg_relation_size(leaf.oid))::bigint,
       CASE WHEN min(leaf.reltuples) >= 0 THEN sum(leaf.reltuples)::bigint END
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
CROSS JOIN LATERAL (
    SELECT p.oid, p.reltuples FROM pg_class p
    WHERE p.oid = c.oid AND c.relkind = 'r'
       OR c.relkind = 'p' AND p.relkind = 'r' AND p.oid IN (SELECT relid FROM pg_partition_tree(c.oid))
) AS leaf
WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence <> 't'
  AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND NOT n.nspname = ANY('{vectorize,migrations,azure_ai,azure_openai,azure_cognitive,azure_ml,cron}')
  AND (%(schemas)s::text[] IS NULL OR n.nspname = ANY(%(schemas)s))
  AND has_table_privilege(c.oid, 'SELECT') AND has_schema_privilege(n.oid, 'USAGE')
  AND NOT EXISTS (
      SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.classid = 'pg_class'::regclass AND d.deptype = 'e')
GROUP BY n.nspname, c.relname ORDER BY 1, 2
"""

# Built-in types only: their output runs no code of a user's.
_COLUMNS = """
SELECT a.attname FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
WHERE a.attrelid = to_regclass(%s) AND a.attnum > 0 AND NOT a.attisdropped
  AND t.typnamespace = 'pg_catalog'::regnamespace AND t.typname <> 'bytea' ORDER BY a.attnum
"""


def missing(conn: psycopg.Connection, tables: Collection[str]) -> list[str]:
    """Return which of some tables, written as in the config, are not there."""
    with explained("looking for the tables of the jobs"):
        rows = conn.execute(
            "SELECT t FROM unnest(%s::text[]) AS t WHERE to_regclass(t) IS NULL ORDER BY t", [sorted(tables)]
        ).fetchall()
    return [row[0] for row in rows]


def collect(conn: psycopg.Connection, schemas: Collection[str] | None = None) -> dict[str, Any]:
    """Return the rows of every table and the average bytes of every column as text, NULL counting as empty.

    Small tables are counted; of large ones the catalog's estimate is taken and some pages are read.

    Returns:
        `{"asOf": ISO time, "tables": {"public.invoices": {"rows": 120, "columns": {"notes": 84.5}}}}`
    """
    with explained("collecting statistics of the tables"):
        found = conn.execute(_TABLES, {"schemas": list(schemas) if schemas else None}).fetchall()
        tables = {
            f"{schema}.{name}": _measure(
                conn, sql.SQL("{}.{}").format(sql.Identifier(schema), sql.Identifier(name)), size, rows
            )
            for schema, name, size, rows in found
        }
    return {"asOf": datetime.now(UTC).isoformat(timespec="seconds"), "tables": tables}


def _measure(conn: psycopg.Connection, table: sql.Composed, size: int, estimate: int | None) -> dict[str, Any]:
    """Measure one table; `estimate` is the catalog's idea of its rows, None where it has none yet."""
    columns = [row[0] for row in conn.execute(_COLUMNS, [table.as_string(conn)]).fetchall()]
    averages = [
        sql.SQL("avg(coalesce(octet_length({}::text), 0))::float8").format(sql.Identifier(column)) for column in columns
    ]
    large = size > _SMALL_BYTES
    source = _sample(table, estimate) if large else table
    row = conn.execute(
        sql.SQL("SELECT {} FROM {}").format(sql.SQL(", ").join([sql.SQL("count(*)"), *averages]), source)
    ).fetchone()
    rows, *lengths = row or (0,)
    if large:
        rows = _count(conn, table) if estimate is None else estimate
    return {"rows": rows, "columns": {c: round(a or 0.0, 1) for c, a in zip(columns, lengths, strict=True)}}


def _sample(table: sql.Composed, estimate: int | None) -> sql.Composed:
    percent = 0.1 if estimate is None else 100 * _SAMPLE_ROWS / max(estimate, _SAMPLE_ROWS)
    return sql.SQL("{} TABLESAMPLE SYSTEM ({})").format(table, sql.Literal(round(percent, 4)))


def _count(conn: psycopg.Connection, table: sql.Composed) -> int:
    row = conn.execute(sql.SQL("SELECT count(*) FROM {}").format(table)).fetchone()
    return int(row[0]) if row else 0
