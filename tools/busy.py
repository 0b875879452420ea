"""A change that met a busy server or account is begun again: what is done is recorded, and goes on from there.

The chains of the program keep it from meeting its own operations. Azure has others: a backup, a maintenance, somebody
in the portal. The provider azure-native does not try again when a service answers that it is busy.
"""

from __future__ import annotations

import re
import sys
import time
from typing import IO, TYPE_CHECKING

from tools.failure import INTERRUPTED

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tools.events import Events
    from tools.pulumi import Pulumi

PAUSES = (5.0, 10.0, 20.0, 40.0, 60.0, 60.0)
"""Seconds before each new round that follows on one which got nowhere; one that got further begins anew."""
MOST_ROUNDS = 30

# azurerm #28298 (ServerIsBusy), azure-postgresql #127 (AadAuth...), azurerm #22607 and #22939 (RequestConflict);
# the account that is still being made is in the table of rules of docs/emulator.md.
CODES = (
    "ServerIsBusy",
    "ServerIsNotReady",
    "AadAuthOperationCannotBePerformedWhenServerIsNotAccessible",
    "RequestConflict",
    "AccountProvisioningStateInvalid",
)
_BUSY = re.compile(rf"\b({'|'.join(CODES)})\b")


def met(events: Events) -> dict[str, str]:
    """Return the code by the name of each resource that met somebody busy; nothing when anything else failed too."""
    codes: dict[str, str] = {}
    for urn in sorted(events.failed):
        found = next(filter(None, map(_BUSY.search, events.errors.get(urn, ()))), None)
        if found is None:
            return {}
        codes[urn.rpartition("::")[2]] = found[1]
    return codes


def change(
    pulumi: Pulumi,
    operation: str,
    arguments: Sequence[str],
    *,
    to: IO[str] | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> tuple[int, Events]:
    """Change a stack, again and again while all that stops it is that something is busy.

    Args:
        pulumi: the stack.
        operation: up or destroy.
        arguments: more arguments for it.
        to: where standard output goes instead of the terminal.
        sleep: waits so many seconds.

    Returns:
        The exit status of the last round, and what the engine reported of it.
    """
    in_vain = 0
    for number in range(1, MOST_ROUNDS + 1):
        code, events = pulumi.change(operation, arguments, to=to)
        busy = met(events) if code not in (0, INTERRUPTED) else {}
        in_vain = in_vain + 1 if not events.settled else 0
        if not busy or number == MOST_ROUNDS or in_vain >= len(PAUSES):
            break
        pause = PAUSES[in_vain]
        who = ", ".join(f"{name} ({said})" for name, said in busy.items())
        print(f"Busy: {who}. Nothing is lost; round {number + 1} begins in {pause:.0f} s.", file=sys.stderr)
        sleep(pause)
    return code, events
