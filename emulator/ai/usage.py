"""Counts what the data planes were asked for; shown by `python -m emulator status`."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass
class Counters:
    """What one deployment has done since the emulator's home was made.

    Attributes:
        requests: Requests answered with success.
        inputs: Texts in them.
        tokens: Tokens billed for them (cl100k); 0 for Language, which bills by text records.
        throttled: Requests refused with 429.
    """

    requests: int = 0
    inputs: int = 0
    tokens: int = 0
    throttled: int = 0


class Usage:
    """Counters by account and deployment; safe from any thread."""

    def __init__(self) -> None:
        self._counters: dict[tuple[str, str], Counters] = {}
        self._lock = threading.Lock()

    def answered(self, account: str, deployment: str, inputs: int, tokens: int) -> None:
        """Count a request that was answered.

        Args:
            account: The account's name.
            deployment: The deployment's name, or `language` for the Language data plane.
            inputs: Texts in the request.
            tokens: Tokens billed.
        """
        with self._lock:
            counters = self._counters.setdefault((account, deployment), Counters())
            counters.requests += 1
            counters.inputs += inputs
            counters.tokens += tokens

    def refused(self, account: str, deployment: str) -> None:
        """Count a request that was refused with 429."""
        with self._lock:
            self._counters.setdefault((account, deployment), Counters()).throttled += 1

    def of(self, account: str, deployment: str) -> Counters:
        """Return a copy of a deployment's counters, all 0 where it was never called."""
        with self._lock:
            return Counters(**asdict(self._counters.get((account, deployment), Counters())))

    def to_json(self) -> dict[str, dict[str, dict[str, int]]]:
        """Return the counters as account -> deployment -> name -> number."""
        accounts: dict[str, dict[str, dict[str, int]]] = {}
        with self._lock:
            for (account, deployment), counters in sorted(self._counters.items()):
                accounts.setdefault(account, {})[deployment] = asdict(counters)
        return accounts

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Usage:
        """Return counters as `to_json` wrote them."""
        usage = cls()
        for account, deployments in data.items():
            for deployment, counters in deployments.items():
                usage._counters[account, deployment] = Counters(**counters)
        return usage
