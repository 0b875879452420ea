# ruff: noqa: E501 - statements read better on one line
"""B5: texts sent, and tokens booked, for what changes no text, and for texts that occur twice."""

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
    """Count the texts that the service was sent, and the tokens that the engine booked, around each kind of statement."""
    rows = bench.size(10_000, 500)
    with bench.database() as database:
        database.network(0.02, log=True)
        database.make_docs(rows)
        with bench.progress.step("the backfill before", 4):
            drain(database, WORKERS, database.define)
        if (sent := database.paid().total()) != rows:
            raise RuntimeError(f"the log of the service has {sent} texts of a backfill of {rows}: it counts nothing")
        spent = {
            "an update of another column": _spent(database, "UPDATE docs SET n = n + 1"),
            "an update to the same text": _spent(database, "UPDATE docs SET body = body || ''"),
            "an update of the key to itself": _spent(database, "UPDATE docs SET id = id + 0"),
            "deleted rows": _spent(database, "DELETE FROM docs WHERE id <= 100"),
        }
        # One text in every row of the batches: what it costs beyond once a batch is waste.
        requests = database.calls()
        texts, tokens = _spent(
            database,
            f"INSERT INTO docs SELECT {rows} + g, 'one text for many rows', 0 FROM generate_series(1, {SAME_TEXTS}) AS g",
        )
        one = database.value(
            "SELECT vectorize.tokens('one text for many rows', bytes_per_token) FROM vectorize.deployment"
        )
        batches = database.calls() - requests
        if not batches:
            raise RuntimeError("the duplicates were not sent at all")
        spent[f"the {SAME_TEXTS - 1} duplicates in a batch"] = (texts - batches, tokens - one * batches)
    figures = [Figure(f"texts sent for {what}", texts, "", never()) for what, (texts, _) in spent.items()]
    figures += [Figure(f"tokens booked for {what}", tokens, "", never()) for what, (_, tokens) in spent.items()]
    return Outcome(figures)


def _spent(database: BenchDatabase, statement: str) -> tuple[int, int]:
    """Return how many texts the service was sent for a statement, and how many tokens the engine booked."""
    sent, booked = database.paid().total(), database.status()["tokens"]
    database.execute(statement)
    drain(database, 1)
    return database.paid().total() - sent, int(database.status()["tokens"] - booked)
