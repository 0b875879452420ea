"""Lines for people: what stays true, and progress, which matters only while something runs."""

import sys
import time
from collections.abc import Callable


def progress(line: str) -> None:
    """Print one line on stderr at once; the CLI shows it when it comes, and again at the end."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


class Passing:
    """Shows a line that nobody needs afterwards.

    Attributes:
        show: what does it; a Pulumi provider has a better place for it than stderr.
    """

    def __init__(self) -> None:
        self.show: Callable[[str], None] = progress

    def __call__(self, line: str) -> None:
        """Show the line."""
        self.show(line)


passing = Passing()


class Ticker:
    """Lets a loop speak every few seconds, however fast it turns."""

    def __init__(self, every_seconds: float = 3.0, say: Callable[[str], None] = passing) -> None:
        """Start counting now: nothing is said before `every_seconds` have passed."""
        self._every = every_seconds
        self._say = say
        self._due = time.monotonic() + every_seconds

    def tick(self, line: str | Callable[[], str]) -> None:
        """Say the line if one is due; a function is only asked for it then."""
        if time.monotonic() >= self._due:
            self._say(line if isinstance(line, str) else line())
            self._due = time.monotonic() + self._every
