"""Managed identities of resources: system-assigned principals, and the user-assigned ones that a resource names."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from emulator.arm import body as bodies
from emulator.arm.body import Json
from emulator.arm.errors import ArmError
from emulator.arm.store import Resource, Store


def fill(store: Store, tenant_id: str, body: Json, existing: Resource | None) -> None:
    """Fill in the principals of a body's identity: new at first, and the same ones from then on.

    Raises:
        ArmError: It names a user-assigned identity that is not there.
    """
    identity = body.get("identity")
    if not isinstance(identity, dict):
        return
    system = "SystemAssigned" in (identity.get("type") or "")
    before = bodies.get(existing.body, "identity.principalId") if existing else None
    identity["principalId"] = (before or str(uuid.uuid4())) if system else None
    identity["tenantId"] = tenant_id if system else None
    named: Mapping[str, Any] = identity.get("userAssignedIdentities") or {}
    if named:
        identity["userAssignedIdentities"] = {name: _principal(store, name, body) for name in named}


def _principal(store: Store, resource_id: str, body: Mapping[str, Any]) -> dict[str, str]:
    found = store.get(resource_id)
    if found is None or not found.type.lower().endswith("/userassignedidentities"):
        # The code is the service's; its text is longer and unverified.
        raise ArmError(
            400,
            "FailedIdentityOperation",
            f"Identity operation for resource '{body.get('id')}' failed with error 'Failed to perform resource "
            f"identity operation. Status: 'BadRequest'. Response: Resource '{resource_id}' was not found.'.",
        )
    properties = found.body["properties"]
    return {"principalId": properties["principalId"], "clientId": properties["clientId"]}
