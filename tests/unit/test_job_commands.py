"""What `estimate` adds up, and what `calibrate` sends."""

from __future__ import annotations

import pytest

from tools.commands.calibrate import MOST_OF_ONE, MOST_TOKENS, fitting
from tools.commands.jobs import total


def test_jobs_of_one_deployment_share_its_quota_and_deployments_work_side_by_side() -> None:
    small, large = ("small", 1000, 100), ("large", 500, 10)
    rows = [
        ("a", 10, 3000, 5, 0.5, 3.0, *small),
        ("b", 20, 2000, 5, 0.25, 2.0, *small),
        ("c", 5, 100, 60, 0.1, 6.0, *large),
    ]
    assert total(rows) == {
        "job": "in sum", "rows": 35, "tokens": 5100, "requests": 70, "costUsd": 0.85, "minutes": 6.0,
    }  # fmt: skip
    assert total(rows[:2])["minutes"] == pytest.approx(5.0)
    assert total([])["minutes"] == 0


def test_a_sample_stays_within_the_limits_of_one_request() -> None:
    texts, tokens = fitting([("long", MOST_OF_ONE + 1), ("a", 5000), ("b", 3)])
    assert (texts, tokens) == (["a", "b"], 5003)
    texts, tokens = fitting([(str(number), 5000) for number in range(100)])
    assert tokens == MOST_TOKENS
    assert len(texts) == 10
