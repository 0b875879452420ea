"""Q2: which share of the nearest rows an hnsw index finds, and what it spares, by `hnsw.ef_search`."""

from __future__ import annotations

import statistics
import time

from benchmarks.outcome import Chart, Curve, Figure, Outcome
from benchmarks.quality import loading
from benchmarks.quality.measures import recall
from benchmarks.quality.source import TOPICS
from benchmarks.server import BenchDatabase
from benchmarks.suite import Bench

ID = "Q2"
TITLE = "an hnsw index against exact search"
SECONDS = 20.0
RUNS = 1

ROWS = 20_000
DIMENSIONS = 256
EF_SEARCH = (20, 40, 100, 200, 400)  # a search for 10 rows raises less than 20 to that
NOTES = {40: "pgvector's default", 100: "what a hybrid search for 10 rows sets"}
EXACT = "SELECT (key ->> 'id')::int FROM vectorize.search_by('docs', %s, 10, NULL, true)"
BY_INDEX = "SELECT (key ->> 'id')::int FROM vectorize.search_by('docs', %s, 10)"


def run(bench: Bench) -> Outcome:
    """Ask the same vectors exactly and by the index, in turn, and compare rows and times."""
    rows = bench.size(ROWS, 600)
    texts = loading.many(rows)
    with loading.searchable(bench, texts, dimensions=DIMENSIONS, index="hnsw") as database:
        questions = [topic.question for topic in bench.size(TOPICS, TOPICS[:5])]
        vectors = [database.value("SELECT vectorize.embed_query('docs', %s)", [question]) for question in questions]
        with bench.progress.step(f"{len(vectors)} queries, {len(EF_SEARCH)} times", 20):
            truth, exact_seconds = _ask(database, EXACT, vectors)
            figures = [Figure(f"exact, {rows:,} rows", 1000 * exact_seconds, "ms", None, "median of a search")]
            recalls, ratios = Curve("recall@10", []), Curve("times faster than exact", [])
            for ef_search in EF_SEARCH:
                database.execute(f"SET hnsw.ef_search = {ef_search}")
                found, seconds = _ask(database, BY_INDEX, vectors)
                share = statistics.fmean(recall(one, right) for one, right in zip(found, truth, strict=True))
                recalls.points.append((float(ef_search), share))
                ratios.points.append((float(ef_search), exact_seconds / seconds))
                figures.append(Figure(f"ef_search {ef_search}: recall@10", share, "", None, NOTES.get(ef_search, "")))
                figures.append(Figure(f"ef_search {ef_search}: exact against it", exact_seconds / seconds, "x"))
    charts = [
        Chart("recall", f"Recall of hnsw, {rows:,} rows", "hnsw.ef_search", "recall@10", [recalls]),
        Chart("recall-cost", f"Exact search against hnsw, {rows:,} rows", "hnsw.ef_search", "times faster", [ratios]),
    ]
    return Outcome(figures, charts)


def _ask(database: BenchDatabase, statement: str, vectors: list[list[float]]) -> tuple[list[list[int]], float]:
    """Return the ids found for each vector, and the median of the seconds; the first time is to warm up."""
    found, taken = [], []
    for vector in vectors:
        database.rows(statement, [vector])
        began = time.perf_counter()
        rows = database.rows(statement, [vector])
        taken.append(time.perf_counter() - began)
        found.append([row[0] for row in rows])
    return found, statistics.median(taken)
