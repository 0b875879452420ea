"""Conditions of `make search`, as people type them."""

from __future__ import annotations

import pytest

from tools.commands.search import as_filter
from tools.failure import Failure


def test_conditions_become_one_filter() -> None:
    assert as_filter(["status=late", "year>=2020", "year < 2022", "note=a<b", "kind<>x"]) == {
        "status": {"=": "late"},
        "year": {">=": "2020", "<": "2022"},
        "note": {"=": "a<b"},
        "kind": {"<>": "x"},
    }
    assert as_filter([]) == {}


@pytest.mark.parametrize("condition", ["late", "=late", ""])
def test_what_compares_nothing_is_refused(condition: str) -> None:
    with pytest.raises(Failure, match="compares nothing"):
        as_filter([condition])


def test_one_comparison_is_given_once() -> None:
    with pytest.raises(Failure, match="year by = twice"):
        as_filter(["year=1", "year=2"])
