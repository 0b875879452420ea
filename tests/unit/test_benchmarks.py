"""The harness of the benchmarks: how runs become one, how bars are judged, what is written and drawn."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from benchmarks import b02_quota, command, corpora, drawing, results
from benchmarks.outcome import Bar, Chart, Curve, Figure, Outcome, at_least, at_most, merge, never, percentile
from benchmarks.progress import Progress
from benchmarks.services import Request
from benchmarks.suite import Bench, Report, all_benchmarks, run_all, run_one

ROOT = Path(__file__).resolve().parents[2]


class Fixed:
    """A benchmark that gives what it is told to, run after run."""

    ID, TITLE, SECONDS, RUNS = "B1", "a benchmark of the tests", 1.0, 1

    def __init__(self, *values: float | Exception) -> None:
        self.values = list(values)

    def run(self, bench: Bench) -> Outcome:
        value = self.values.pop(0)
        if isinstance(value, Exception):
            raise value
        curve = Curve("a line", [(1, value), (2, 2 * value)])
        return Outcome([Figure("speed", value, "x", at_least(5))], [Chart("speed", "Speed", "rows", "x", [curve])])


def report(*values: float | Exception) -> Report:
    return run_one(Fixed(*values), len(values), Bench(Progress(), quick=True))


def test_every_benchmark_of_the_contract_is_there_once() -> None:
    expected = [*(f"B{number}" for number in range(1, 16)), "G1", "G2", "Q1", "Q2", "Q3", "W1"]
    assert [benchmark.ID for benchmark in all_benchmarks()] == expected
    for benchmark in all_benchmarks():
        assert benchmark.TITLE
        assert benchmark.SECONDS > 0
        assert benchmark.RUNS >= 1


def test_the_whole_run_is_planned_for_forty_five_minutes_at_most() -> None:
    assert sum(benchmark.SECONDS * benchmark.RUNS for benchmark in all_benchmarks()) <= 45 * 60


@pytest.mark.parametrize("file", ["docs/benchmarks.md", "Makefile"])
def test_how_long_the_whole_run_is_said_to_take_is_what_is_planned(file: str) -> None:
    (said,) = re.findall(r"about (\d+) to (\d+) minutes", (ROOT / file).read_text(encoding="utf-8"))
    planned = sum(benchmark.SECONDS * benchmark.RUNS for benchmark in all_benchmarks()) / 60
    assert int(said[0]) <= planned <= int(said[1])


def test_several_runs_become_their_median_with_their_spread() -> None:
    entry = results.to_json(report(4.0, 9.0, 6.0), "make bench")
    (row,) = entry["results"]
    assert (row["value"], row["holds"], row["spread"]) == (6.0, True, {"min": 4.0, "median": 6.0, "max": 9.0})
    assert entry["charts"][0]["curves"][0]["points"] == [[1, 6.0], [2, 12.0]]
    assert entry["runs"] == 3


@pytest.mark.parametrize(
    ("bar", "values", "holds"),
    [
        (at_least(5), [4.0, 5.0, 6.0], True),
        (at_least(5), [4.0, 4.9, 6.0], False),
        (at_most(2), [1.0, 2.0, 3.0], True),
        (at_most(2), [1.0, 2.1, 3.0], False),
        (never(), [0.0, 0.0, 0.0], True),
        (never(), [0.0, 1.0, 0.0], False),
    ],
)
def test_a_bar_is_judged_by_the_median_and_a_loss_by_the_worst_run(bar: Bar, values: list[float], holds: bool) -> None:
    merged, _ = merge([Outcome([Figure("x", value, "", bar)]) for value in values])
    assert merged[0].holds is holds


def test_a_figure_that_cannot_be_had_says_why_and_neither_holds_nor_fails() -> None:
    merged, _ = merge([Outcome([Figure("x", None, "s", never(), "not available: no generations")])])
    assert (merged[0].value, merged[0].holds) == (None, None)


def test_the_failure_of_one_benchmark_leaves_the_others(capsys: pytest.CaptureFixture[str]) -> None:
    found = list(run_all([Fixed(RuntimeError("the disk is full")), Fixed(7.0)], None, quick=True))
    assert ["the disk is full" in each.error for each in found] == [True, False]
    assert found[1].results[0].value == 7.0
    assert "failed: RuntimeError: the disk is full" in capsys.readouterr().err


def test_what_was_seen_before_a_failure_is_kept() -> None:
    found = report(6.0, RuntimeError("no more"))
    assert found.runs == 1
    assert found.results[0].values == [6.0]
    assert found.error


def test_a_run_of_some_benchmarks_leaves_the_rest_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    results.save({"B10": results.to_json(report(6.0), "make bench"), "B2": {"title": "kept"}}, file)
    results.save(results.load(file) | {"B10": {"title": "new"}}, file)
    assert list(json.loads(file.read_text())["benchmarks"]) == ["B2", "B10"]
    assert results.load(file) == {"B2": {"title": "kept"}, "B10": {"title": "new"}}


def test_the_page_shows_each_figure_between_its_marks(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- results -->\nearlier figures\n<!-- end of results -->\nafter\n")
    results.write_page({"B1": results.to_json(report(4.0, 6.0, 9.0), "make bench")}, page)
    text = page.read_text()
    assert "| B1 | speed | 6 x | ≥ 5 | yes | 4 to 9 |" in text
    assert "![Speed](images/bench-speed.svg)" in text
    assert "earlier" not in text
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    again = text
    results.write_page({"B1": results.to_json(report(4.0, 6.0, 9.0), "make bench")}, page)
    assert page.read_text() == again


def test_an_unknown_benchmark_is_named_with_those_that_there_are() -> None:
    with pytest.raises(ValueError, match=r"no benchmark B99: there are B1, B2"):
        command.select("B1,B99")
    assert [benchmark.ID for benchmark in command.select("b6, B1")] == ["B1", "B6"]


@pytest.mark.parametrize("kind", ["lines", "bars"])
@pytest.mark.parametrize("log", [False, True])
def test_a_picture_is_svg_with_its_words_and_inside_its_frame(kind: str, log: bool) -> None:
    points: list[tuple[float | str, float]] = [(10, 3.0), (1_000, 40.0), (1_000_000, 700.0)]
    chart = Chart("c", "Cost & benefit", "rows", "ms", [Curve("a < b", points)], kind, log_x=log, log_y=log)
    document = ET.fromstring(drawing.svg(chart))
    texts = {element.text for element in document.iter() if element.text}
    assert {"Cost & benefit", "rows", "ms", "a < b"} <= texts
    for element in document.iter():
        for name in ("x", "cx", "x1", "x2"):
            assert 0 <= float(element.get(name, "0")) <= drawing.WIDTH
        for name in ("y", "cy", "y1", "y2"):
            assert 0 <= float(element.get(name, "0")) <= drawing.HEIGHT


def test_figures_and_pictures_of_the_docs_are_those_of_the_results() -> None:
    entries = results.load()
    for chart in results.charts(entries):
        picture = ROOT / "docs" / "images" / f"bench-{chart.name}.svg"
        assert picture.read_text(encoding="utf-8") == drawing.svg(chart), f"run make bench: {picture.name} is another's"
    if entries:
        assert results.section(entries) in results.PAGE.read_text(encoding="utf-8")
        assert results.section(results.of_searches(entries)) in results.SEARCH_PAGE.read_text(encoding="utf-8")
        of_graphs = results.section(results.of_graph_searches(entries))
        assert of_graphs in results.GRAPH_PAGE.read_text(encoding="utf-8")


def test_what_the_bucket_still_owes_counts_as_not_used() -> None:
    # 6,000 tokens a minute are 100 a second; the bucket starts with 100 and owes 400 after the second request.
    seen = [Request(0.0, 100, True, 0.0), Request(0.0, 400, True, 400.0), Request(0.5, 50, False, 0.0)]
    assert b02_quota.used_tokens(seen, 6, 0.0) == pytest.approx(100)
    assert b02_quota.used_tokens(seen, 6, 2.0) == pytest.approx(300)
    assert b02_quota.used_tokens(seen, 6, 60.0) == pytest.approx(500)


def test_requests_are_counted_in_any_window() -> None:
    seen = [Request(at, 1, True, 0.0) for at in (0.0, 0.9, 1.1, 1.8, 9.0)] + [Request(1.2, 1, False, 0.0)]
    assert b02_quota.most_in_window(seen, 1) == 3
    assert b02_quota.most_in_window(seen, 10) == 5


def test_a_percentile_is_one_of_the_values() -> None:
    assert percentile([5.0, 1.0, 3.0], 0.5) == 3.0
    assert percentile([float(value) for value in range(100)], 0.95) == 95.0


@pytest.mark.parametrize("name", [*corpora.ENGLISH, *corpora.OTHERS])
def test_a_corpus_has_texts_of_a_fitting_length(name: str) -> None:
    texts = (corpora.ENGLISH | corpora.OTHERS)[name]()
    assert len(set(texts)) >= 20
    assert all(20 <= len(text) <= 4_000 for text in texts)
