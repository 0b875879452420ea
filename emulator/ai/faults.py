"""Faults on demand: what the AI services do wrong with the next requests, for tests and for a user's drills."""

from __future__ import annotations

import threading
from dataclasses import dataclass

REFUSALS = ("429", "429-without-wait", "500", "503", "401")
"""A request is refused before it is looked at: nothing is billed."""
SPOILED = ("hang", "half", "short", "shuffled")
"""A request is answered and billed, and the answer is spoilt on its way."""
KINDS = (*REFUSALS, *SPOILED)


@dataclass
class _Fault:
    kind: str
    requests: int


class Faults:
    """The fault that is set, if one is; safe from any thread."""

    def __init__(self) -> None:
        self._fault: _Fault | None = None
        self._lock = threading.Lock()

    def set(self, kind: str, requests: int) -> None:
        """Let the next requests to Azure OpenAI fail.

        Args:
            kind: One of `KINDS`.
            requests: How many of them; 0 ends what was set before.

        Raises:
            ValueError: There is no such kind.
        """
        if kind not in KINDS:
            raise ValueError(f"There is no fault {kind!r}. Faults: {', '.join(KINDS)}.")
        with self._lock:
            self._fault = _Fault(kind, requests) if requests > 0 else None

    def clear(self) -> None:
        """End what was set before."""
        with self._lock:
            self._fault = None

    def take(self) -> str | None:
        """Return the kind of the fault that the next request has, and count it."""
        with self._lock:
            fault = self._fault
            if fault is None:
                return None
            fault.requests -= 1
            if fault.requests == 0:
                self._fault = None
            return fault.kind

    def left(self) -> tuple[str, int] | None:
        """Return the kind that is set and for how many more requests, or None."""
        with self._lock:
            return (self._fault.kind, self._fault.requests) if self._fault else None
