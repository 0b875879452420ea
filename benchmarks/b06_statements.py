# ruff: noqa: E501 - statements read better on one line
"""B6: how much slower users' own statements are on a table that has a job, against the same table without one.

A third table has a row trigger that does nothing: less than that no engine that notes changes by triggers can cost.
"""

from __future__ import annotations

import statistics
import time

from benchmarks.outcome import Bar, Figure, Outcome, at_most
from benchmarks.server import BenchDatabase, text_of
from benchmarks.suite import Bench
from benchmarks.workers import drain

ID = "B6"
TITLE = "slowdown of users' statements, table target with its index live"
SECONDS = 80.0
RUNS = 3  # one run moves by 0.03, and the bar of the first kind of statement is that near

ROUNDS = 21
DIMENSIONS = 256  # the vectors are in a table of their own, which users' statements do not touch
TABLES = {
    # What a table of documents usually has; the bars are judged on it.
    "wide": """CREATE TABLE {name} (id bigint PRIMARY KEY, title text NOT NULL, body text NOT NULL, author integer NOT NULL, status text NOT NULL,
        price numeric(10, 2) NOT NULL, tags text[] NOT NULL, details jsonb NOT NULL, created_at timestamptz NOT NULL, updated_at timestamptz NOT NULL,
        n integer NOT NULL DEFAULT 0)""",
    # The least that has a text: every cost of a statement but the engine's own is as small as it gets.
    "narrow": "CREATE TABLE {name} (id bigint PRIMARY KEY, body text NOT NULL, n integer NOT NULL DEFAULT 0)",
}
INDEXES = {"wide": ("author, created_at", "status", "updated_at"), "narrow": ()}
COLUMNS = {
    "wide": "g, 'Title of ' || g, {text}, g % 500, (ARRAY['draft', 'public', 'archived'])[1 + g % 3], g % 10000 / 100.0, ARRAY['a' || g % 50, 'b' || g % 7], "
    "jsonb_build_object('views', g % 1000, 'source', 'import', 'language', 'en', 'checked', g % 2 = 0), now() - g * interval '1 minute', now(), 0",
    "narrow": "g, {text}, 0",
}
# Who keeps a time of change sets it with every update.
OTHER_COLUMNS = {"wide": "n = n + 1, updated_at = clock_timestamp()", "narrow": "n = n + 1"}
TABLE_NAMES = ("plain", "empty", "docs")
EMPTY_TRIGGER = """CREATE OR REPLACE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
    CREATE TRIGGER nothing AFTER INSERT OR UPDATE OR DELETE ON empty FOR EACH ROW EXECUTE FUNCTION nothing()"""
BARS = {"update of another column": 1.2, "insert": 1.8, "update of the text": 3.0}


def run(bench: Bench) -> Outcome:
    """Measure each kind of statement, with and without the job in turn, on a wide and on a narrow table."""
    figures: list[Figure] = []
    for width in TABLES:
        with bench.database() as database:
            figures += _measure(bench, database, width)
    return Outcome(figures)


def _measure(bench: Bench, database: BenchDatabase, width: str) -> list[Figure]:
    rows, rounds = bench.size((10_000, ROUNDS), (500, 2))
    for name in TABLE_NAMES:
        _make(database, name, width, rows)
    database.execute(EMPTY_TRIGGER)
    with bench.progress.step(f"{width} table: the backfill and the index before", 25):
        drain(database, 4, lambda: database.define(dimensions=DIMENSIONS, index="hnsw"))
        database.maintain()
    if database.status()["index_state"] != "ready":
        raise RuntimeError(f"the index is not live: {database.status()}")
    statements = {
        "update of another column": f"UPDATE {{name}} SET {OTHER_COLUMNS[width]} WHERE id <= {rows}",
        "insert": "INSERT INTO {name} SELECT * FROM fresh",
        "update of the text": f"UPDATE {{name}} SET body = 'x' || body WHERE id <= {rows}",
    }
    taken: dict[tuple[str, str], list[float]] = {(kind, name): [] for kind in statements for name in TABLE_NAMES}
    with bench.progress.step(f"{width} table: {rounds} rounds of statements", 65):
        for number in range(rounds + 1):
            _make(database, "fresh", width, rows, first=(number + 1) * 1_000_000)
            for kind, statement in statements.items():
                for name in TABLE_NAMES if number % 2 else reversed(TABLE_NAMES):
                    began = time.perf_counter()
                    database.execute(statement.replace("{name}", name))
                    if number:  # the first round only warms up
                        taken[kind, name].append(time.perf_counter() - began)
            for name in TABLE_NAMES:
                database.execute(f"VACUUM {name}")
    figures = []
    for kind in statements:
        what, plain = f"{width} table: {kind}", taken[kind, "plain"]
        bar: Bar | None = at_most(BARS[kind]) if width == "wide" else None
        figures += [
            _figure(f"{what}, {rows:,} rows", rows, plain, taken[kind, "docs"], bar),
            _figure(f"{what}: a trigger that does nothing", rows, plain, taken[kind, "empty"], None),
        ]
    return figures


def _figure(what: str, rows: int, plain: list[float], other: list[float], bar: Bar | None) -> Figure:
    per_row, other_per_row = (1e6 * statistics.median(seconds) / rows for seconds in (plain, other))
    # Of the two statements of a round, so that what else the machine does meanwhile counts for both.
    ratio = statistics.median(after / before for before, after in zip(plain, other, strict=True))
    return Figure(what, ratio, "x", bar, f"{per_row:.1f} µs a row without it, {other_per_row:.1f} with it")


def _make(database: BenchDatabase, name: str, width: str, rows: int, first: int = 0) -> None:
    database.execute(f"DROP TABLE IF EXISTS {name}")
    database.execute(TABLES[width].replace("{name}", name))
    for columns in INDEXES[width] if name != "fresh" else ():
        database.execute(f"CREATE INDEX ON {name} ({columns})")
    columns = COLUMNS[width].replace("{text}", text_of("g"))
    database.execute(f"INSERT INTO {name} SELECT {columns} FROM generate_series({first} + 1, {first} + {rows}) AS g")
    database.execute(f"VACUUM (ANALYZE) {name}")
