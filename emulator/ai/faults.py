"""Faults on demand: what the AI services do wrong with the next requests, for tests and for a user's drills."""

from __future__ import annotations

import threading
from dataclasses import dataclass

REFUSALS = ("429", "429-without-wait", "500", "503", "401")
"""A request is refused before it is looked at: nothing is billed."""
SPOILED = ("hang", "half", "short", "shuffled")
"""A request is answered and billed, and the answer is spoilt on its way."""
KINDS = (*REFUSALS, *SPOILED)
SERVICES = {"openai": "Azure OpenAI", "language": "Language"}


@dataclass
class _Fault:
    kind: str
    requests: int


class Faults:
    """The fault that is set for each service, if one is; safe from any thread."""

    def __init__(self) -> None:
        self._faults: dict[str, _Fault] = {}
        self._lock = threading.Lock()

    def set(self, kind: str, requests: int, service: str = "openai") -> None:
        """Let the next requests to a service fail.

        Args:
            kind: One of `KINDS`.
            requests: How many of them; 0 ends what was set before.
            service: One of `SERVICES`.

        Raises:
            ValueError: There is no such kind, or no such service.
        """
        if kind not in KINDS:
            raise ValueError(f"There is no fault {kind!r}. Faults: {', '.join(KINDS)}.")
        if service not in SERVICES:
            raise ValueError(f"There is no service {service!r}. Services: {', '.join(SERVICES)}.")
        with self._lock:
            self._faults.pop(service, None)
            if requests > 0:
                self._faults[service] = _Fault(kind, requests)

    def clear(self) -> None:
        """End what was set before."""
        with self._lock:
            self._faults.clear()

    def take(self, service: str) -> str | None:
        """Return the kind of the fault that the next request to a service has, and count it."""
        with self._lock:
            fault = self._faults.get(service)
            if fault is None:
                return None
            fault.requests -= 1
            if fault.requests == 0:
                del self._faults[service]
            return fault.kind

    def left(self) -> dict[str, tuple[str, int]]:
        """Return by service the kind that is set and for how many more requests."""
        with self._lock:
            return {service: (fault.kind, fault.requests) for service, fault in self._faults.items()}
