"""Q1: how good searches by words, by vectors and by both are, on a set with judgements (benchmarks/quality)."""

from __future__ import annotations

import statistics
from typing import Any

from benchmarks.outcome import Chart, Curve, Figure, Outcome, at_least
from benchmarks.quality import loading
from benchmarks.quality.measures import ndcg, recall
from benchmarks.server import BenchDatabase
from benchmarks.suite import Bench

ID = "Q1"
TITLE = "quality of searches by words, by vectors and by both"
SECONDS = 20.0
RUNS = 1

WAYS = {
    "text": "vector_weight => 0",
    "vector": "text_weight => 0, exact => true",
    "hybrid": "exact => true",
    "hybrid, ranked again": "exact => true, rerank => true",
}
HALVES = ("text", "vector")


def run(bench: Bench) -> Outcome:
    """Ask every query in every way, and hold what is found against the grades."""
    notes = [(note["id"], note["body"]) for note in loading.read("documents")]
    asked = loading.read("queries")
    asked = bench.size(asked, asked[::8])
    with loading.searchable(bench, notes) as database, bench.progress.step(f"{len(asked)} queries", len(asked) / 15):
        found = [
            {way: _found(database, query["text"], arguments) for way, arguments in WAYS.items()} for query in asked
        ]
    figures: list[Figure] = []
    kinds = list(dict.fromkeys(query["kind"] for query in asked))
    curves = {way: Curve(way, []) for way in WAYS}
    for name, scored in (("nDCG@10", _ndcg), ("recall@10", _recall)):
        scores = [
            {way: scored(query, ids) for way, ids in ways.items()} for query, ways in zip(asked, found, strict=True)
        ]
        means = {way: statistics.fmean(score[way] for score in scores) for way in WAYS}
        note = f"{len(asked)} queries, {len(notes)} documents"
        figures += [Figure(f"{name}, {way}", mean, "", None, note) for way, mean in means.items()]
        better = max(means[half] for half in HALVES)
        figures.append(Figure(f"{name}, hybrid against the better half", means["hybrid"] / better, "x", at_least(1)))
        if name == "nDCG@10":
            for kind in kinds:
                of_kind = [score for score, query in zip(scores, asked, strict=True) if query["kind"] == kind]
                for way, curve in curves.items():
                    mean = statistics.fmean(score[way] for score in of_kind)
                    curve.points.append((kind, mean))
                    figures.append(Figure(f"{name}, {kind}: {way}", mean, "", None, f"{len(of_kind)} queries"))
    chart = Chart("quality", "nDCG@10 by kind of query", "kind of query", "nDCG@10", list(curves.values()), kind="bars")
    return Outcome(figures, [chart])


def _found(database: BenchDatabase, query: str, arguments: str) -> list[int]:
    rows = database.rows(f"SELECT (key ->> 'id')::int FROM vectorize.hybrid_search('docs', %s, {arguments})", [query])
    return [row[0] for row in rows]


def _grades(query: dict[str, Any]) -> dict[int, int]:
    return {int(document): grade for document, grade in query["grades"].items()}


def _ndcg(query: dict[str, Any], found: list[int]) -> float:
    return ndcg(found, _grades(query))


def _recall(query: dict[str, Any], found: list[int]) -> float:
    """Return the recall of what is wanted itself, without what is only near."""
    return recall(found, [document for document, grade in _grades(query).items() if grade == 2])
