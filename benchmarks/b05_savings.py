# ruff: noqa: E501 - statements read better on one line
"""B5: tokens for what changes no text, and for texts that occur twice."""

from __future__ import annotations

from benchmarks.outcome import Figure, Outcome, never
from benchmarks.server import BenchDatabase
from benchmarks.suite import Bench
from benchmarks.workers import drain

ID = "B5"
TITLE = "tokens for updates of other columns, same-text updates and duplicates in a batch"
SECONDS = 12.0
RUNS = 3

WORKERS = 4
SAME_TEXTS = 50


def run(bench: Bench) -> Outcome:
    """Count tokens, as the engine does, around each kind of statement."""
    rows = bench.size(10_000, 500)
    with bench.database() as database:
        database.network(0.02, log=True)
        database.make_docs(rows)
        with bench.progress.step("the backfill before", 4):
            drain(database, WORKERS, database.define)
        other = _tokens(database, "UPDATE docs SET n = n + 1")
        same = _tokens(database, "UPDATE docs SET body = body || ''")
        rekeyed = _tokens(database, "UPDATE docs SET id = id + 0")
        again = _tokens(
            database, "WITH gone AS (DELETE FROM docs WHERE id <= 100 RETURNING *) SELECT count(*) FROM gone"
        )
        # One text in every row of the batches: what it costs beyond once a batch is waste.
        requests = database.calls()
        duplicates = _tokens(
            database,
            f"INSERT INTO docs SELECT {rows} + g, 'one text for many rows', 0 FROM generate_series(1, {SAME_TEXTS}) AS g",
        )
        one = database.value(
            "SELECT vectorize.tokens('one text for many rows', bytes_per_token) FROM vectorize.deployment"
        )
        batches = database.calls() - requests
    return Outcome(
        [
            Figure("tokens for an update of another column", other, "", never()),
            Figure("tokens for an update to the same text", same, "", never()),
            Figure("tokens for an update of the key to itself", rekeyed, "", never()),
            Figure("tokens for deleted rows", again, "", never()),
            Figure(f"tokens for the {SAME_TEXTS - 1} duplicates in a batch", duplicates - one * batches, "", never()),
        ]
    )


def _tokens(database: BenchDatabase, statement: str) -> int:
    before = database.status()["tokens"]
    database.execute(statement)
    drain(database, 1)
    return int(database.status()["tokens"] - before)
