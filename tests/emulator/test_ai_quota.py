"""The buckets of a deployment's quota, with a clock of their own; counters that are kept."""

import pytest

from emulator.ai.quota import Quota, Throttled, estimate_tokens
from emulator.ai.usage import Usage


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def served(capacity: int, tokens: int, requests_per_second: float, seconds: int) -> tuple[int, int]:
    """Return the requests that are let through and refused when they come evenly."""
    clock = Clock()
    quota, passed, refused = Quota(clock), 0, 0
    for number in range(int(requests_per_second * seconds)):
        clock.now = 100.0 + number / requests_per_second
        try:
            quota.take("account", "d", capacity, tokens)
            passed += 1
        except Throttled:
            refused += 1
    return passed, refused


def test_requests_are_6_a_minute_for_each_1000_tokens() -> None:
    passed, refused = served(capacity=10, tokens=1, requests_per_second=10, seconds=120)
    assert 118 <= passed <= 122
    assert passed + refused == 1200


def test_tokens_are_1000_a_minute_for_each_unit_of_capacity() -> None:
    passed, _ = served(capacity=60, tokens=5_000, requests_per_second=4, seconds=120)
    assert 24 <= passed <= 25  # 60,000 a minute


def test_a_client_at_exactly_its_rate_is_never_refused() -> None:
    assert served(capacity=10, tokens=100, requests_per_second=1, seconds=300)[1] == 0
    assert served(capacity=350, tokens=150, requests_per_second=35, seconds=60)[1] == 0


def test_a_request_larger_than_the_window_passes_and_is_paid_back() -> None:
    clock = Clock()
    quota = Quota(clock)
    quota.take("account", "d", 60, 10_000)  # 1,000 tokens a second
    clock.now += 1
    with pytest.raises(Throttled) as caught:
        quota.take("account", "d", 60, 1)
    assert caught.value.limit == "token rate limit"
    assert caught.value.seconds == pytest.approx(8, abs=0.01)
    assert (caught.value.whole_seconds, caught.value.milliseconds) == (9, 8001)
    clock.now += caught.value.seconds
    quota.take("account", "d", 60, 1)


def test_the_wait_that_is_told_is_enough() -> None:
    clock = Clock()
    quota = Quota(clock)
    quota.take("account", "d", 1, 1)
    with pytest.raises(Throttled) as caught:
        quota.take("account", "d", 1, 1)
    assert caught.value.limit == "call rate limit"
    assert caught.value.whole_seconds == 10
    clock.now += caught.value.seconds
    quota.take("account", "d", 1, 1)


def test_deployments_do_not_share_and_new_capacity_counts_at_once() -> None:
    clock = Clock()
    quota = Quota(clock)
    quota.take("account", "a", 1, 1)
    quota.take("account", "b", 1, 1)
    quota.take("other", "a", 1, 1)
    clock.now += 0.1
    quota.take("account", "a", 1000, 1)


def test_a_clock_that_goes_back_takes_nothing_away() -> None:
    clock = Clock()
    quota = Quota(clock)
    quota.take("account", "d", 100, 1)
    clock.now -= 3600
    quota.take("account", "d", 100, 1)


def test_tokens_are_estimated_from_characters() -> None:
    assert [estimate_tokens(characters) for characters in (0, 1, 4, 5, 400)] == [1, 1, 1, 2, 100]


def test_counters_survive_being_written() -> None:
    usage = Usage()
    usage.answered("ai", "small", 3, 40)
    usage.answered("ai", "small", 1, 2)
    usage.refused("ai", "large")
    written = usage.to_json()
    assert written["ai"]["small"] == {"requests": 2, "inputs": 4, "tokens": 42, "throttled": 0}
    assert written["ai"]["large"]["throttled"] == 1
    assert Usage.from_json(written).to_json() == written
