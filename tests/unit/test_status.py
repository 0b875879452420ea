"""What `make status` says of jobs on which nobody works."""

from __future__ import annotations

import pytest

from tools.commands.status import waiting

IDLE = {"state": "active", "pending": 3, "leased": 0, "rowsPerSecond": "0.0"}


def test_rows_that_wait_for_nobody_are_told_with_what_to_do() -> None:
    [line] = waiting({"line-items": IDLE})
    assert line.startswith("line-items: 3 waiting, and nobody works on it.")
    assert "database.worker" in line


@pytest.mark.parametrize(
    "change", [{"pending": 0}, {"leased": 2}, {"rowsPerSecond": "4.5"}, {"state": "paused"}, {"pending": None}]
)
def test_a_job_that_is_done_or_under_way_or_paused_is_not(change: dict[str, object]) -> None:
    assert waiting({"line-items": IDLE | change}) == []
