"""What a check found: one sentence, what it read, and what to do about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

OK = "ok"
WARNING = "warning"
PROBLEM = "problem"
UNKNOWN = "unknown"
_EXITS = {OK: 0, WARNING: 0, PROBLEM: 1, UNKNOWN: 2}


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One line of the page.

    Attributes:
        check: which check found it, such as "quota".
        status: ok, warning, problem, or unknown where the check could not be made.
        found: what is so, one sentence.
        do: what to do, one sentence; empty where nothing is to be done.
        read: where that was read: a request, or a table of this repository.
    """

    check: str
    status: str
    found: str
    do: str = ""
    read: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the finding as data."""
        return asdict(self)


def worst(findings: Sequence[Finding]) -> str:
    """Return what all findings come to: a problem weighs more than a check that could not be made."""
    there = {finding.status for finding in findings}
    return next((status for status in (PROBLEM, UNKNOWN, WARNING) if status in there), OK)


def exit_status(findings: Sequence[Finding]) -> int:
    """Return 0 when all is right, 1 when there is a problem, 2 when something could not be checked."""
    return _EXITS[worst(findings)]
