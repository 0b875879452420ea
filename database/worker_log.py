"""What the standing worker says on stdout: one line an event, for people or, as JSON, for machines."""

import json
import sys
import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from database.vectorization import JobStatus


class Log:
    """Prints events from any thread; nothing after the end, when the interpreter may be on its way out."""

    def __init__(self, *, as_json: bool) -> None:
        """Choose the form: for people, or JSON."""
        self._as_json = as_json
        self._lock = threading.Lock()
        self._ended = False

    def say(self, event: str, message: str, **values: Any) -> None:
        """Print one event with its time (UTC), a sentence, and values by camelCase names."""
        at = datetime.now(UTC).isoformat(timespec="seconds")
        line = json.dumps({"at": at, "event": event, "message": message, **values})
        with self._lock:
            if not self._ended:
                sys.stdout.write(f"{line if self._as_json else f'{at} {message}'}\n")
                sys.stdout.flush()

    def end(self, code: int, reason: str) -> None:
        """Print the last event: the exit status and why."""
        self.say("end", reason, exit=code)
        with self._lock:
            self._ended = True

    def health(self, jobs: Sequence[JobStatus], connections: int, trouble: str | None) -> None:
        """Print how far the jobs are.

        Args:
            jobs: their status; what is counted are rows.
            connections: how many connections of this worker are open.
            trouble: what went wrong last in this worker; the jobs' own last error when None.
        """
        stopped = {job.name: job.reason for job in jobs if job.state == "stopped"}
        error = trouble or next((job.last_error for job in jobs if job.last_error), None)
        values: dict[str, Any] = {
            "connections": connections,
            "rowsPerSecond": round(sum(job.rows_per_second for job in jobs), 1),
            "embedded": sum(job.embedded for job in jobs),
            "pending": sum(job.pending for job in jobs),
            "leased": sum(job.leased for job in jobs),
            "quarantined": sum(job.quarantined for job in jobs),
        }
        message = (
            f"{values['rowsPerSecond']:g} rows/s, {values['embedded']:,} embedded, {values['pending']:,} pending, "
            f"{values['leased']:,} leased, {values['quarantined']:,} in quarantine, {connections} connections"
            + (f", stopped: {', '.join(stopped)}" if stopped else "")
            + (f", last error: {error}" if error else "")
        )
        self.say("health", message, **values, stopped=stopped, lastError=error)
