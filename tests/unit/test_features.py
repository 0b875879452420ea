"""The feature table of the docs: every Y of ours names a test that is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROWS = [
    [cell.strip() for cell in line.strip().strip("|").split("|")]
    for line in (ROOT / "docs" / "features.md").read_text().splitlines()
    if re.match(r"\| \d+ \|", line)
]


def test_all_features_are_there() -> None:
    assert [int(row[0]) for row in ROWS] == list(range(1, 26))


@pytest.mark.parametrize("row", ROWS, ids=[row[1] for row in ROWS])
def test_a_yes_is_shown_by_a_test(row: list[str]) -> None:
    mark, shown_by = row[-2].strip("*"), row[-1].strip("`")
    assert mark in {"Y", "P", "N"}
    if mark == "Y":
        path, _, name = shown_by.partition("::")
        assert f"def {name}(" in (ROOT / path).read_text()
