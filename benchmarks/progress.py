"""Progress lines on standard error: what runs, how long it has, and how long it will probably take."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import psycopg

_QUIET_SECONDS = 2.0  # what is shorter needs no line
_EVERY_SECONDS = 5.0


def duration(seconds: float) -> str:
    """Return a time as people say it."""
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"


class Progress:
    """Says how far a run of benchmarks is.

    Attributes:
        name: the benchmark that runs now.
        left_after: seconds that the benchmarks after this one are expected to take.
        expected: seconds that this one is.
    """

    def __init__(self) -> None:
        self.name = ""
        self.left_after = 0.0
        self.expected = 0.0
        self._began = time.monotonic()

    def begin(self, name: str, expected: float, left_after: float) -> None:
        """Start a benchmark."""
        self.name, self.expected, self.left_after = name, expected, left_after
        self._began = time.monotonic()
        self.say("starts")

    def left(self) -> float:
        """Return the seconds that everything will probably still take."""
        return max(0.0, self.expected - (time.monotonic() - self._began)) + self.left_after

    def say(self, text: str) -> None:
        """Print a line."""
        print(f"{self.name:4} {text} (all in all about {duration(self.left())} left)", file=sys.stderr, flush=True)

    @contextmanager
    def step(self, text: str, seconds: float | None = None, done: Callable[[], float] | None = None) -> Iterator[None]:
        """Print lines while the block runs.

        Args:
            text: what the block does.
            seconds: how long it will probably take.
            done: returns the share that is done (0 to 1), where that can be asked; it may fail now and then.
        """
        ended = threading.Event()
        began = time.monotonic()

        def tick() -> None:
            wait = _QUIET_SECONDS
            while not ended.wait(wait):
                wait = _EVERY_SECONDS
                elapsed = time.monotonic() - began
                share = None
                if done is not None:
                    with suppress(psycopg.Error):
                        share = done()
                left = seconds - elapsed if seconds is not None else None
                if share is not None and share > 0:
                    left = elapsed / share - elapsed
                known = "" if share is None else f", {100 * share:.0f} %"
                known += "" if left is None else f", about {duration(max(1.0, left))} to go"
                self.say(f"{text}: {elapsed:.0f} s{known}")

        thread = threading.Thread(target=tick, daemon=True, name="progress")
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join(_QUIET_SECONDS)
