"""The set by which searches are compared, and the measures."""

from __future__ import annotations

import math
from collections import Counter

import pytest

from benchmarks.quality import generate, hops, loading
from benchmarks.quality.measures import ndcg, recall
from benchmarks.quality.source import TOPICS


def test_the_set_is_what_its_script_makes() -> None:
    for name, text in generate.rendered().items():
        assert (generate.FOLDER / name).read_text(encoding="utf-8") == text, "run python -m benchmarks.quality.generate"


def test_every_query_has_what_it_asks_for() -> None:
    notes = {note["id"]: note["body"] for note in loading.read("documents")}
    asked = loading.read("queries")
    kinds = Counter(query["kind"] for query in asked)
    assert len(notes) >= 300
    assert sum(kinds.values()) >= 50
    assert min(kinds.values()) >= 10
    assert len({query["text"] for query in asked}) == len(asked)
    for query in asked:
        wanted = [int(document) for document, grade in query["grades"].items() if grade == 2]
        assert wanted
        if query["kind"] in ("reference", "name"):
            assert all(query["text"] in notes[document] for document in wanted)


def test_a_perfect_ranking_has_all_and_a_worse_one_less() -> None:
    grades = {1: 2, 2: 1, 3: 1}
    assert ndcg([1, 2, 3], grades) == 1
    assert ndcg([9, 8], grades) == 0
    assert ndcg([9, 1], grades) == pytest.approx(3 / math.log2(3) / (3 + 1 / math.log2(3) + 1 / 2))
    assert ndcg([2, 1, 3], grades) < 1
    assert recall([1, 5], [1, 2]) == 0.5
    assert recall(list(range(20)), list(range(20))) == 1


def test_answers_that_are_hops_away_do_not_say_what_is_asked() -> None:
    papers = hops.papers()
    assert papers == hops.papers()
    by_id = {paper.id: paper for paper in papers}
    asked = hops.questions(papers)
    assert Counter(question.hops for question in asked).keys() == {0, 1, 2}
    topics = {topic.question: topic for topic in TOPICS}
    for question in asked:
        wordings = topics[question.text].wordings
        assert len(question.wanted) == hops.ANSWERS
        for number in question.wanted:
            chain = [by_id[number]]
            while chain[-1].parent:
                chain.append(by_id[chain[-1].parent])
            says = [paper.body.startswith(wordings) for paper in chain]
            assert says == [position == question.hops for position in range(3)]
