"""When the schedule of a job is due."""

from datetime import UTC, datetime

import pytest

from emulator.executions import matches

MINUTE = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)  # a Sunday


@pytest.mark.parametrize(
    ("expression", "due"),
    [
        ("* * * * *", True),
        ("*/5 * * * *", True),
        ("*/7 * * * *", False),
        ("0,30 12 1 3 0", True),
        ("30 * * * 1", False),
        ("30 11 * * *", False),
        ("30 12 * *", False),
        ("None", False),
    ],
)
def test_a_schedule_is_cron_in_utc(expression: str, due: bool) -> None:
    assert matches(expression, MINUTE) is due
