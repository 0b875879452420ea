"""The feature table of the docs: every Y of ours names tests that are there and run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.unit.cited_tests import ROOT, cited_tests, why_it_does_not_count

ROWS = [
    [cell.strip() for cell in line.strip().strip("|").split("|")]
    for line in (ROOT / "docs" / "features.md").read_text(encoding="utf-8").splitlines()
    if re.match(r"\| \d+ \|", line)
]


def test_all_features_are_there() -> None:
    assert [int(row[0]) for row in ROWS] == list(range(1, 26))


@pytest.mark.parametrize("row", ROWS, ids=[row[1] for row in ROWS])
def test_a_yes_is_shown_by_tests_that_count(row: list[str]) -> None:
    mark, shown_by = row[-2].strip("*"), cited_tests(row[-1])
    assert mark in {"Y", "P", "N"}
    if mark == "Y":
        assert shown_by
        assert [why_it_does_not_count(test) for test in shown_by] == [None] * len(shown_by)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("def test_this(): pass", None),
        ("@pytest.mark.skipif(sys.platform == 'win32', reason='x')\ndef test_this(): pass", None),
        ("def test_this():\n    if not shutil.which('psql'):\n        pytest.skip('x')", None),
        ("def test_this_and_more(): pass\n'def test_this('", "has no test test_this"),
        ("class Helper:\n    def test_this(self): pass", "has no test test_this"),
        ("@pytest.mark.skip(reason='x')\ndef test_this(): pass", "is always skipped"),
        ("@pytest.mark.xfail\ndef test_this(): pass", "is always skipped"),
        ("def test_this():\n    pytest.skip('x')", "is always skipped"),
        ("pytestmark = pytest.mark.skip\ndef test_this(): pass", "is always skipped"),
        ("pytestmark = [pytest.mark.slow, pytest.mark.skip(reason='x')]\ndef test_this(): pass", "is always skipped"),
        ("pytest.skip('x', allow_module_level=True)\ndef test_this(): pass", "is always skipped"),
    ],
)
def test_a_test_that_is_not_there_or_never_runs_does_not_count(tmp_path: Path, source: str, said: str | None) -> None:
    (tmp_path / "test_it.py").write_text(source, encoding="utf-8")
    found = why_it_does_not_count("test_it.py::test_this", tmp_path)
    assert found is None if said is None else said in str(found)
    assert why_it_does_not_count("test_other.py::test_this", tmp_path) == "there is no file test_other.py"
