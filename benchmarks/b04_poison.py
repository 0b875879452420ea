# ruff: noqa: E501 - statements read better on one line
"""B4: rows that the service refuses, or whose vector cannot be written: how many others they take along."""

from __future__ import annotations

import math

from benchmarks.outcome import Bar, Figure, Outcome, never
from benchmarks.server import BenchDatabase
from benchmarks.suite import Bench
from benchmarks.workers import drain, share_embedded

ID = "B4"
TITLE = "poison rows: rows not embedded for each, and refused requests"
SECONDS = 20.0
RUNS = 3

BATCH = 100
WORKERS = 4
LATENCY = 0.02
EVERY = 400  # every so many rows one is poison, at a place in its batch that differs
ALLOWED_REQUESTS = math.ceil(math.log2(BATCH)) + 1


def run(bench: Bench) -> Outcome:
    """Embed a table with poison at the call, then one with poison at settle."""
    rows = bench.size(10_000, 800)
    with bench.server() as server:
        with server.database() as database:
            database.network(LATENCY, log=True, poison="%poison%")
            database.make_docs(rows)
            database.execute(
                f"UPDATE docs SET body = 'poison ' || body WHERE id % {EVERY} = (id / {EVERY} * 37) % {EVERY}"
            )
            poison = database.value("SELECT count(*) FROM docs WHERE body LIKE 'poison%'")
            missing, _ = _embed(bench, database, rows, "poison at the call", {})
            refused = database.calls("refused")
        with server.database() as database:
            database.network(LATENCY, log=True)
            database.make_docs(rows)
            _poison_at_settle(database)
            bad = database.value(f"SELECT count(*) FROM docs WHERE {_AT_SETTLE}")
            missing_at_settle, paid_twice = _embed(
                bench, database, rows, "poison at settle", {"target": "column", "type": "vector"}
            )
    log2 = f"log2({BATCH}), rounded up, and 1"
    return Outcome(
        [
            Figure("at the call: rows not embedded, a poison row", missing / poison, "", Bar("<=", 1, every_run=True)),
            Figure("at the call: refused requests, a poison row", refused / poison, "", never(ALLOWED_REQUESTS), log2),
            Figure(
                "at settle: rows not embedded, a poison row", missing_at_settle / bad, "", Bar("<=", 1, every_run=True)
            ),
            Figure("at settle: texts paid twice, a poison row", paid_twice / bad, "", never()),
        ]
    )


_AT_SETTLE = f"id % {EVERY} = 123"


def _poison_at_settle(database: BenchDatabase) -> None:
    """Let a trigger of the user's refuse the vector of some rows."""
    database.execute("ALTER TABLE docs ADD COLUMN embedding vector(1536)")
    database.execute(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'not this row'; END $$"
    )
    database.execute(
        f"CREATE TRIGGER refuse BEFORE UPDATE OF embedding ON docs FOR EACH ROW WHEN (NEW.{_AT_SETTLE}) EXECUTE FUNCTION refuse()"
    )


def _embed(bench: Bench, database: BenchDatabase, rows: int, text: str, spec: dict[str, str]) -> tuple[int, int]:
    """Return how many rows have no vector, and how many texts were paid for more than once."""
    with bench.progress.step(text, 8, share_embedded(database, rows)):
        drain(database, WORKERS, lambda: database.define(batch_size=BATCH, **spec))
    status = database.status()
    if status["embedded"] + status["quarantined"] != rows:
        raise RuntimeError(f"{text}: not all rows are done: {status}")
    return rows - int(status["embedded"]), sum(count - 1 for count in database.paid().values())
