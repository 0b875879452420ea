"""The table of what infrastructure code on Azure does: every Y of ours names tests that are there and run."""

from __future__ import annotations

import re

import pytest

from tests.unit.cited_tests import ROOT, cited_tests, why_it_does_not_count

ROWS = [
    [cell.strip() for cell in line.strip().strip("|").split("|")]
    for line in (ROOT / "docs" / "azure-features.md").read_text(encoding="utf-8").splitlines()
    if re.match(r"\| \d+ \|", line)
]


def test_all_rows_are_there_with_every_column() -> None:
    assert [int(row[0]) for row in ROWS] == list(range(1, 44))
    assert {len(row) for row in ROWS} == {12}


@pytest.mark.parametrize("row", ROWS, ids=[row[1] for row in ROWS])
def test_a_yes_is_shown_by_a_test_and_anything_else_says_why(row: list[str]) -> None:
    mark, cell = row[-2].strip("*"), row[-1]
    assert mark in {"Y", "P", "N"}
    if mark != "Y":
        assert len(cell.split()) >= 2, "say why"
        return
    assert cited_tests(cell)
    assert [why_it_does_not_count(test) for test in cited_tests(cell)] == [None] * len(cited_tests(cell))
