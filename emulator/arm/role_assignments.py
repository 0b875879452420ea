"""Role assignments."""

from __future__ import annotations

import re
from typing import Any

from emulator.arm import body as bodies
from emulator.arm import role_definitions
from emulator.arm.errors import ArmError
from emulator.arm.kind import Answer, Call, Kind
from emulator.arm.operations import now
from emulator.arm.resource_id import is_within
from emulator.arm.role_definitions import definition_id, unknown_role
from emulator.arm.store import Resource

TYPE = "Microsoft.Authorization/roleAssignments"
_FILTER = re.compile(r"(principalId|assignedTo\()\s*(?:eq)?\s*'([0-9a-fA-F-]+)'")


class RoleAssignments(Kind):
    """Microsoft.Authorization/roleAssignments, at any scope."""

    async def put(self, call: Call) -> Answer:
        """Create an assignment; one that exists can be written again as it is, and not changed."""
        call.rules.check(call.body, None)
        existing = self.store.get(call.id.key)
        self.check_scope(call.id.scope)
        role_id = self._role_id(str(call.body["properties"]["roleDefinitionId"]))
        principal = str(call.body["properties"]["principalId"])
        kind = self._principal_type(principal, bodies.get(call.body, "properties.principalType"))
        if existing:
            properties = existing.body["properties"]
            if (properties["principalId"], _last(properties["roleDefinitionId"])) != (principal, role_id):
                raise ArmError(
                    400,
                    "RoleAssignmentUpdateNotPermitted",
                    "Tenant ID, application ID, principal ID, and scope are not allowed to be updated.",
                )
            return Answer(200, self.present(existing))
        self._check_same(call.id.scope, principal, role_id)
        resource = self.made(call, call.body, None)
        body = resource.to_json()
        body["properties"] |= {
            "roleDefinitionId": definition_id(call.id.scope, role_id),
            "principalType": kind,
            "scope": call.id.scope or "/",
            "createdOn": now(),
            "updatedOn": now(),
            "createdBy": call.principal.object_id,
            "updatedBy": call.principal.object_id,
        }
        self.store.put(Resource(resource.id, resource.type, resource.name, body))
        return Answer(201, body)

    async def delete(self, call: Call) -> Answer:
        """Delete an assignment; the answer is what it was."""
        existing = self.store.get(call.id.key)
        if existing is None:
            return Answer(204)
        self.store.remove(existing.key)
        return Answer(200, self.present(existing))

    def list(self, call: Call) -> Answer:
        """List the assignments at, above and below a scope."""
        scope = call.id.scope.lower()
        match = _FILTER.search(call.query.get("$filter", ""))
        found = []
        for item in self.store.of_type(TYPE):
            own = str(item.body["properties"]["scope"]).lower()
            if not (is_within(own, scope) or is_within(scope, own)):
                continue
            if match and item.body["properties"]["principalId"] != match[2]:
                continue
            found.append(self.present(item))
        return Answer(200, {"value": found})

    def _role_id(self, definition: str) -> str:
        role_id = _last(definition).lower()
        own = {role.name.lower() for role in self.store.of_type(role_definitions.TYPE)}
        if role_id not in {*self.plane.catalogue.roles, *own}:
            raise unknown_role(role_id)
        return role_id

    def _principal_type(self, principal: str, given: object) -> str:
        actual = self._directory().get(principal)
        if actual is None and given is None:
            raise ArmError(
                400,
                "PrincipalNotFound",
                f"Principal {principal.replace('-', '')} does not exist in the directory {self.plane.tenant_id}. Check "
                "that you have the correct principal ID. If you are creating this principal and then immediately "
                "assigning a role, this error might be related to a replication delay. In this case, set the role "
                "assignment principalType property to a value, such as ServicePrincipal, User, or Group. "
                "See https://aka.ms/docs-principaltype",
            )
        if actual and given and actual != given:
            raise ArmError(
                400,
                "UnmatchedPrincipalType",
                f"The PrincipalId '{principal.replace('-', '')}' has type '{actual}' , which is different from "
                f"specified PrincipalType '{given}'.",
            )
        return actual or str(given)

    def _directory(self) -> dict[str, str]:
        known = {self.plane.deployer.object_id: self.plane.deployer.kind}
        for item in self.store.all():
            for path in ("identity.principalId", "properties.principalId"):
                principal = bodies.get(item.body, path) if item.type != TYPE else None
                if principal:
                    known[str(principal)] = "ServicePrincipal"
        return known

    def _check_same(self, scope: str, principal: str, role_id: str) -> None:
        for item in self.store.of_type(TYPE):
            properties: dict[str, Any] = dict(item.body["properties"])
            same = properties["principalId"] == principal and _last(properties["roleDefinitionId"]) == role_id
            if same and str(properties["scope"]).lower() == scope.lower():
                message = f"The role assignment already exists. The ID of the existing role assignment is {item.name}."
                raise ArmError(409, "RoleAssignmentExists", message)


def _last(text: str) -> str:
    return text.rstrip("/").rpartition("/")[2]
