"""The steps of a command: shown while they run, and timed for the summary."""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

began = time.time()  # when the command was typed, seconds since the epoch; set-up knows it better


class Steps:
    """Times steps by name, in seconds; the first is what ran before this process knew of steps."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.seconds["start"] = max(0.0, time.time() - began)

    @contextmanager
    def step(self, name: str, doing: str = "") -> Iterator[None]:
        """Time one step.

        Args:
            name: its name in the summary.
            doing: what to show in a terminal while it runs; nothing when left out.
        """
        started = time.monotonic()
        try:
            if doing and sys.stderr.isatty():
                from rich.console import Console

                with Console(stderr=True).status(doing):
                    yield
            else:
                yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.monotonic() - started

    def line(self) -> str:
        """Return the steps as one line."""
        parts = [f"{name} {seconds:.1f}" for name, seconds in self.seconds.items()]
        return f"{sum(self.seconds.values()):.1f} s: " + ", ".join(parts)
