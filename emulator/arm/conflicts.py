"""Conflicts on demand, for proofs that a program keeps Azure's order and stands its moods.

Two modes. `strict` refuses whatever comes while an operation on the same server or account goes on, and lets an
operation go on until its client has been told of its end: a program that does not wait meets a conflict each time, not
now and then. `conflicts` refuses a share of the requests that Azure might refuse, drawn by a seed.
"""

from __future__ import annotations

import random
from collections import Counter

from emulator.arm.errors import ArmError, request_conflict, server_busy, server_not_accessible

STRICT = "strict"
RANDOM = "conflicts"
KINDS = (STRICT, RANDOM)

CODES = frozenset(
    {
        "AadAuthOperationCannotBePerformedWhenServerIsNotAccessible",
        "AccountProvisioningStateInvalid",
        "RequestConflict",
        "ServerIsBusy",
        "ServerIsNotReady",
    }
)
"""The codes that say: not now."""

_SERVER = "microsoft.dbforpostgresql/flexibleservers"
_ACCOUNT = "microsoft.cognitiveservices/accounts"


class Conflicts:
    """What is refused on demand, and how often a conflict was met."""

    def __init__(self) -> None:
        self.strict = False
        self.met: Counter[str] = Counter()
        """Conflicts that a program brought about, by code."""
        self.drawn = 0
        """Conflicts that were drawn."""
        self._rate = 0.0
        self._left = 0
        self._dice = random.Random(0)  # noqa: S311 - for tests, repeatable by its seed

    def set_strict(self, *, strict: bool) -> None:
        """Begin or end the strict mode; its count begins anew."""
        self.strict = strict
        self.met.clear()

    def set_random(self, rate: float, seed: int, requests: int) -> None:
        """Refuse a share of the requests from now on.

        Args:
            rate: Which share, from 0 to 1.
            seed: What the draw follows from.
            requests: How many refusals at most; 0 ends what was set before.

        Raises:
            ValueError: The rate is not a share.
        """
        if not 0 <= rate <= 1:
            raise ValueError(f"The rate {rate} is not a share from 0 to 1.")
        self._rate, self._left, self.drawn = rate, requests, 0
        self._dice = random.Random(seed)  # noqa: S311 - for tests, repeatable by its seed

    def draw(self, resource_type: str, resource_id: str, *, exists: bool) -> None:
        """Refuse a change of a resource now and then, as the service does while it is busy.

        Args:
            resource_type: For example `Microsoft.DBforPostgreSQL/flexibleServers/databases`.
            resource_id: Its id.
            exists: Whether it is there: nothing is busy with a server or an account that is yet to be made.

        Raises:
            ArmError: 409, this time.
        """
        kind = resource_type.lower()
        part = kind.startswith((f"{_SERVER}/", f"{_ACCOUNT}/"))
        if self._left <= 0 or not (part or (exists and kind in (_SERVER, _ACCOUNT))):
            return
        if self._dice.random() >= self._rate:
            return
        self._left -= 1
        self.drawn += 1
        parent = "/".join(resource_id.split("/")[:9])
        name = parent.rpartition("/")[2]
        if kind.startswith(_ACCOUNT):
            raise request_conflict(parent)
        raise server_not_accessible(name) if kind.endswith("/administrators") else server_busy(name)

    def count(self, error: ArmError) -> None:
        """Take note of a refusal that says: not now."""
        if error.status in (400, 409) and error.code in CODES:
            self.met[error.code] += 1

    def to_json(self) -> dict[str, object]:
        """Return what is set and what was met, for the status."""
        return {"strict": self.strict, "met": dict(sorted(self.met.items())), "drawn": self.drawn, "toDraw": self._left}
