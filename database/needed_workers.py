"""How many workers the quota of a deployment feeds: more would only wait, and be in the way of the database's users."""

from collections.abc import Callable
from itertools import pairwise
from time import monotonic

_LOOK_SECONDS = 3.0  # a call returns within it, so that what was decided last is in force


class NeededWorkers:
    """Follows the wait for a deployment's quota, and says how many workers keep it in use.

    A call makes the next one wait for as long as the quota takes to refill: its turn. So the wait rises by a turn with
    every call and falls until the next, and its lowest point is how long a worker that comes back stands in line. More
    than a turn, and the line is still there with one worker fewer; nothing, and the quota may be waiting for workers.
    """

    def __init__(self, most: int, clock: Callable[[], float] = monotonic) -> None:
        """Begin with all of them.

        Args:
            most: how many there are.
            clock: gives seconds.
        """
        self._most = most
        self._clock = clock
        self.count = most
        self._begin()

    def note(self, wait_seconds: float | None) -> int:
        """Note how long a call would have to wait now, None where nothing is called; return how many are needed."""
        if wait_seconds is not None:
            self._waits.append(wait_seconds)
        if self._waits and self._clock() - self._began >= _LOOK_SECONDS:
            self._judge()
        return self.count

    def _judge(self) -> None:
        shortest, longest = min(self._waits), max(self._waits)
        if shortest <= 0:
            self.count = min(self._most, self.count + 1)
        elif not any(after > before for before, after in pairwise(self._waits)):
            return  # no call was made, so nobody knows yet what a turn is
        elif shortest > 1.2 * (longest - shortest):  # room for calls that take a little longer
            self.count = max(1, self.count - 1)
        self._begin()

    def _begin(self) -> None:
        self._began = self._clock()
        self._waits: list[float] = []
