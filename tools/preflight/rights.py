"""Whether the caller may do what `pulumi up` does: a missing role shows here, and not after ten minutes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from tools.preflight.finding import OK, PROBLEM, Finding

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tools.preflight.resource_manager import ResourceManager
    from tools.preflight.sign_in import Caller
    from tools.preflight.wanted import Wanted

CHECK = "rights"
_ROLES = (
    "Contributor (b24988ac-6180-42a0-ab88-20f7382dd24c) covers the resources, and Role Based Access Control "
    "Administrator (f58310d9-a9f6-439a-9e8d-f62e7b41a168) the role assignments: docs/first-deployment.md."
)
_OTHER_RIGHTS = (
    " Locks and role definitions are in neither: they take User Access Administrator "
    "(18d7d88d-d35e-4fb5-a5c3-7773c20a72d9), or lock: false and no cost.autostop."
)


def check(wanted: Wanted, manager: ResourceManager, caller: Caller) -> list[Finding]:
    """Look at the caller's permissions at the resource group where there is one, else at the subscription."""
    scope = f"{manager.scope}/resourceGroups/{wanted.group}" if wanted.group_exists else manager.scope
    path = f"{scope}/providers/Microsoft.Authorization/permissions"
    needed = [action for action in wanted.actions if not (wanted.group_exists and "resourceGroups" in action)]
    where = f"the resource group {wanted.group}" if wanted.group_exists else "the subscription"
    return judge(needed, manager.list(path), caller.name, where, f"GET {path}")


def judge(
    needed: Sequence[str], permissions: Sequence[Mapping[str, Any]], caller: str, where: str, read: str
) -> list[Finding]:
    """Compare what is needed with what is permitted."""
    missing = [action for action in needed if not permitted(action, permissions)]
    if not missing:
        text = f"{caller} may do all that the stack needs, {len(needed)} actions, in {where}."
        return [Finding(check=CHECK, status=OK, found=text, read=read)]
    return [
        Finding(
            check=CHECK,
            status=PROBLEM,
            found=f"{caller} may not, in {where}: {', '.join(missing)}.",
            do=f"Ask an owner for the roles there. {_ROLES}{_OTHER_RIGHTS if any(map(_is_other, missing)) else ''}",
            read=read,
        )
    ]


def _is_other(action: str) -> bool:
    """Tell whether an action is one of Microsoft.Authorization that the second role does not have."""
    return action.startswith("Microsoft.Authorization/") and "/roleAssignments/" not in action


def permitted(action: str, permissions: Sequence[Mapping[str, Any]]) -> bool:
    """Tell whether one of the permissions allows an action; in each, `notActions` take away from `actions`.

    Conditions of role assignments are not in the answer, so they are not looked at.
    """
    return any(
        _matches(action, entry.get("actions") or []) and not _matches(action, entry.get("notActions") or [])
        for entry in permissions
    )


def _matches(action: str, patterns: Sequence[str]) -> bool:
    return any(re.fullmatch(re.escape(pattern).replace(r"\*", ".*"), action, re.IGNORECASE) for pattern in patterns)
