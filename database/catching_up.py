"""When a run on a busy table may end: once the rows that were there, and what had changed by then, are done."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from database.vectorization import JobStatus

_FOLD_SECONDS = 3.0  # by then workers have queued the changes that were noted before they began


class CatchingUp:
    """Follows one job in one run; its queue is never empty while writers go on, so that is not waited for."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin now; `clock` gives seconds."""
        self._clock = clock
        self._began = clock()
        self._queued_at: float | None = None

    def done(self, job: "JobStatus") -> bool:
        """Tell whether nothing is left of what was there when the run began; rows in quarantine wait for a person."""
        if job.done and (job.caught_up or job.next_generation is None):
            return True
        if self._queued_at is None and (job.changes == 0 or self._clock() - self._began > _FOLD_SECONDS):
            self._queued_at = self._clock()
        if self._queued_at is None or not job.caught_up:
            return False
        return job.pending_seconds is None or job.pending_seconds < self._clock() - self._queued_at
