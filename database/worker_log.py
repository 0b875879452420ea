"""What the standing worker says on stdout: one line an event, for people or, as JSON, for machines."""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from database.vectorization import JobStatus


@dataclass(frozen=True)
class Log:
    """Prints events; `as_json` chooses the form."""

    as_json: bool

    def say(self, event: str, message: str, **values: Any) -> None:
        """Print one event with its time (UTC), a sentence, and values by camelCase names."""
        at = datetime.now(UTC).isoformat(timespec="seconds")
        line = (
            json.dumps({"at": at, "event": event, "message": message, **values}) if self.as_json else f"{at} {message}"
        )
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()

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
