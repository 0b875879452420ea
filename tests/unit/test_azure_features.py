"""The table of what infrastructure code on Azure does: every Y of ours names a test that is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
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
    mark, shown_by = row[-2].strip("*"), row[-1]
    assert mark in {"Y", "P", "N"}
    if mark != "Y":
        assert len(shown_by.split()) >= 2, "say why"
        return
    for test in re.findall(r"`([^`]+)`", shown_by) or [shown_by]:
        path, _, name = test.partition("::")
        assert f"def {name}(" in (ROOT / path).read_text(encoding="utf-8")
