"""Q3: what a hybrid search takes against its halves, and what the index on the words spares."""

from __future__ import annotations

import statistics
import time

from benchmarks.outcome import Figure, Outcome, at_most
from benchmarks.quality import loading
from benchmarks.quality.source import TOPICS
from benchmarks.server import BenchDatabase
from benchmarks.suite import Bench

ID = "Q3"
TITLE = "hybrid search against its halves"
SECONDS = 30.0
RUNS = 1

ROWS = 20_000
DIMENSIONS = 256
ROUNDS = 3
WAYS = {"vector": "text_weight => 0", "text": "vector_weight => 0", "hybrid": "k => 10"}
# The same configuration under another name, of which there is no index.
WITHOUT_INDEX = "vector_weight => 0, language => 'public.english_again'"


def run(bench: Bench) -> Outcome:
    """Ask in each way in turn; the query's vector is in the session's memory, so no time is the service's."""
    rows = bench.size(ROWS, 600)
    with loading.searchable(bench, loading.many(rows), dimensions=DIMENSIONS, index="hnsw") as database:
        database.execute("CREATE TEXT SEARCH CONFIGURATION public.english_again (COPY = pg_catalog.english)")
        questions = [topic.question for topic in bench.size(TOPICS, TOPICS[:4])]
        queries = [f"{question} PO-{number * 97 % rows:06}" for number, question in enumerate(questions, start=1)]
        taken: dict[str, list[float]] = {way: [] for way in WAYS}
        with bench.progress.step(f"{len(queries)} queries, {ROUNDS} times", 15):
            for query in queries:
                _seconds(database, query, WAYS["hybrid"])
                for _ in range(ROUNDS):
                    for way, arguments in WAYS.items():
                        taken[way].append(_seconds(database, query, arguments))
            without = [_seconds(database, query, WITHOUT_INDEX) for query in queries[:5]]
    median = {way: statistics.median(seconds) for way, seconds in taken.items()}
    halves = median["vector"] + median["text"]
    return Outcome([
        *(Figure(f"{way}, {rows:,} rows", 1000 * seconds, "ms", None, "median") for way, seconds in median.items()),
        Figure("hybrid against the sum of its halves", median["hybrid"] / halves, "x", at_most(1.2)),
        Figure("words without an index against with it", statistics.median(without) / median["text"], "x"),
    ])  # fmt: skip


def _seconds(database: BenchDatabase, query: str, arguments: str) -> float:
    began = time.perf_counter()
    database.rows(f"SELECT * FROM vectorize.hybrid_search('docs', %s, {arguments})", [query])
    return time.perf_counter() - began
