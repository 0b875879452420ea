"""How many workers a backfill uses, against a quota that refills and calls that take their time."""

from __future__ import annotations

import statistics

import pytest

from database.needed_workers import NeededWorkers

POLL_SECONDS = 0.2


class Quota:
    """Workers that call as the engine does: they stand in line for their turn, then call, then come back."""

    def __init__(self, turn_seconds: float, call_seconds: float, most: int) -> None:
        self.now = 0.0
        self.calls = 0
        self._turn = turn_seconds
        self._call = call_seconds
        self._free_at = 0.0  # when the next call may go
        self._back_at = [0.0] * most

    def run(self, seconds: float, needed: NeededWorkers) -> int:
        """Go on for a while, and return how many were used for most of the time."""
        used = []
        end = self.now + seconds
        while self.now < end:
            look_at = self.now + POLL_SECONDS
            while self.now < look_at:
                for number in range(needed.count):
                    self._come_back(number)
                self.now += 0.01
            used.append(needed.note(self._wait_seconds()))
        return statistics.mode(used)

    def _wait_seconds(self) -> float:
        return max(0.0, self._free_at - self.now)

    def _come_back(self, number: int) -> None:
        # One that is ahead of its turn by more than a second does not claim yet (work_round.sql).
        if self._back_at[number] <= self.now and self._wait_seconds() <= 1:
            goes_at = max(self._free_at, self.now)
            self._free_at = max(self._free_at, self.now - 0.5) + self._turn
            self._back_at[number] = goes_at + self._call
            self.calls += 1


def settled(turn_seconds: float, call_seconds: float, most: int = 4) -> tuple[int, float]:
    """Return how many are used in the end, and how much of the quota they use."""
    quota = Quota(turn_seconds, call_seconds, most)
    needed = NeededWorkers(most, lambda: quota.now)
    quota.run(60, needed)
    before = quota.calls
    used = quota.run(120, needed)
    return used, (quota.calls - before) * turn_seconds / 120


@pytest.mark.parametrize(
    ("turn_seconds", "call_seconds", "workers"),
    [(0.4, 0.15, 1), (0.4, 1.0, 3), (0.3, 1.0, 4), (0.05, 1.0, 4)],
    ids=["one is enough", "three are needed", "four are needed", "the quota is out of the way"],
)
def test_as_many_as_the_quota_feeds_and_none_of_it_is_left_unused(
    turn_seconds: float, call_seconds: float, workers: int
) -> None:
    count, used = settled(turn_seconds, call_seconds)
    assert count == workers
    possible = min(1.0, 4 * turn_seconds / call_seconds)
    assert used >= 0.97 * possible


def test_one_that_is_missing_is_back_when_the_quota_is_raised() -> None:
    quota = Quota(0.4, 0.15, most=4)
    needed = NeededWorkers(4, lambda: quota.now)
    quota.run(60, needed)
    assert needed.count == 1
    for _ in range(60):  # nobody waits any more
        quota.now += POLL_SECONDS
        needed.note(0.0)
    assert needed.count == 4


def test_what_calls_nothing_has_all_its_workers() -> None:
    quota = Quota(0.4, 0.15, most=4)
    needed = NeededWorkers(4, lambda: quota.now)
    for _ in range(60):
        quota.now += POLL_SECONDS
        assert needed.note(None) == 4


def test_nothing_is_judged_between_two_calls_that_are_far_apart() -> None:
    """A quota of few requests: the wait falls for ten seconds, and says nothing of how long a turn is."""
    clock = 0.0
    needed = NeededWorkers(4, lambda: clock)
    for _ in range(45):
        clock += POLL_SECONDS
        assert needed.note(10.0 - clock) == 4
