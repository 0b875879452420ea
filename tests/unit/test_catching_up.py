"""When a run on a busy table may end."""

from __future__ import annotations

from dataclasses import replace

from database.catching_up import CatchingUp
from tests.unit.test_worker_arguments import JOB

BUSY = replace(JOB, pending=50, leased=10, caught_up=True, changes=5, pending_seconds=0.4)


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_an_empty_queue_is_the_end() -> None:
    assert CatchingUp(Clock()).done(replace(JOB, pending=0, leased=0))


def test_rows_that_were_never_embedded_are_waited_for() -> None:
    clock = Clock()
    catching_up = CatchingUp(clock)
    for clock.now in (0, 10, 1000):
        assert not catching_up.done(replace(BUSY, caught_up=False))


def test_changes_from_before_the_run_are_waited_for_and_later_ones_are_not() -> None:
    clock = Clock()
    catching_up = CatchingUp(clock)
    assert not catching_up.done(BUSY)
    clock.now = 4.0  # what was noted before is queued by now
    assert not catching_up.done(replace(BUSY, pending_seconds=3.0))
    clock.now = 8.0
    assert not catching_up.done(replace(BUSY, pending_seconds=6.0))
    assert catching_up.done(replace(BUSY, pending_seconds=1.0))
