"""Progress for people: one line on stderr now and then, which the Pulumi CLI shows while it waits."""

import sys
import time
from collections.abc import Callable


def progress(line: str) -> None:
    """Print one line on stderr at once; every line shows up twice in the CLI, so print one every few seconds."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


class Ticker:
    """Lets a loop speak every few seconds, however fast it turns."""

    def __init__(self, every_seconds: float = 3.0, say: Callable[[str], None] = progress) -> None:
        """Start counting now: nothing is said before `every_seconds` have passed."""
        self._every = every_seconds
        self._say = say
        self._due = time.monotonic() + every_seconds

    def tick(self, line: str | Callable[[], str]) -> None:
        """Say the line if one is due; a function is only asked for it then."""
        if time.monotonic() >= self._due:
            self._say(line if isinstance(line, str) else line())
            self._due = time.monotonic() + self._every
