"""Management locks: what they refuse, and where.

Source: azure-docs, "Lock your Azure resources to protect your infrastructure": a lock holds for its scope and all below
it, the most restrictive one wins, a group or a parent with a locked resource in it cannot be deleted, and a read-only
lock refuses actions (POST) too.
"""

from __future__ import annotations

from emulator.arm.errors import scope_locked
from emulator.arm.kind import Call
from emulator.arm.resource_id import is_within
from emulator.arm.store import Store

TYPE = "Microsoft.Authorization/locks"


def check(store: Store, method: str, call: Call) -> None:
    """Refuse a request that a lock forbids.

    Raises:
        ArmError: 409 ScopeLocked.
    """
    if call.rules.type == TYPE:
        return
    scopes = locked(store, call.id.key, deletes=method == "DELETE")
    if scopes:
        raise scope_locked(call.id.text, "delete" if method == "DELETE" else "write", scopes)


def locked(store: Store, resource_id: str, *, deletes: bool) -> list[str]:
    """Return the scopes whose locks forbid to delete, or else to change, a resource."""
    key, found = resource_id.lower(), []
    for lock in store.of_type(TYPE):
        scope = lock.id.rpartition("/providers/")[0]
        level = lock.body["properties"]["level"]
        covers = is_within(key, scope.lower()) or (deletes and is_within(scope.lower(), key))
        if covers and (level == "ReadOnly" or (deletes and level == "CanNotDelete")):
            found.append(scope)
    return found
