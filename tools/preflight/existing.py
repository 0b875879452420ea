"""What the stack uses and does not make: whether it is there, and whether the caller may do there what `up` does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tools.preflight.finding import OK, PROBLEM, Finding
from tools.preflight.resource_manager import NotReadError
from tools.preflight.rights import permitted

if TYPE_CHECKING:
    from tools.preflight.resource_manager import ResourceManager
    from tools.preflight.sign_in import Caller
    from tools.preflight.wanted import Given, Wanted

CHECK = "existing"


def check(wanted: Wanted, manager: ResourceManager, caller: Caller) -> list[Finding]:
    """Look at everything that is named by id; whether it fits the stack, a preview says."""
    return [_look(given, manager, caller) for given in wanted.given]


def _look(given: Given, manager: ResourceManager, caller: Caller) -> Finding:
    read = f"GET {given.id}"
    try:
        there = manager.get(given.id)
    except NotReadError as error:
        if error.status not in (403, 404):
            raise
        return Finding(
            check=CHECK,
            status=PROBLEM,
            found=f"{given.setting}: {given.id} cannot be read ({error.reason}).",
            do="Mend the id, or ask its owner for the role Reader on it.",
            read=read,
        )
    permissions = manager.list(f"{given.id}/providers/Microsoft.Authorization/permissions")
    missing = [action for action in given.actions if not permitted(action, permissions)]
    name = there.get("name")
    if missing:
        return Finding(
            check=CHECK,
            status=PROBLEM,
            found=f"{given.setting}: {caller.name} may not, on {name}: {', '.join(missing)}.",
            do="Ask its owner for these rights there; ai.assignRoles: false and database.existing: true need fewer.",
            read=read,
        )
    text = f"{given.setting}: {name} is there, and {caller.name} may do there all that the stack needs."
    return Finding(check=CHECK, status=OK, found=text, read=read)
