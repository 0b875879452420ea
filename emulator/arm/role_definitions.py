"""Role definitions: the built-in ones of the catalogue, and those that somebody made.

Nothing here reads what a role of one's own may do: on the data planes the built-in roles count, and Resource Manager
asks for Owner, Contributor, Reader or User Access Administrator.
"""

from __future__ import annotations

from emulator.arm.body import Json
from emulator.arm.errors import ArmError
from emulator.arm.kind import Answer, Call, Kind
from emulator.arm.resource_id import is_within
from emulator.arm.store import Resource

TYPE = "Microsoft.Authorization/roleDefinitions"


class RoleDefinitions(Kind):
    """Microsoft.Authorization/roleDefinitions, at any scope."""

    def get(self, call: Call) -> Answer:
        """Answer with a role of either kind."""
        own = self.store.get(call.id.key)
        return Answer(200, self.present(own) if own else self._built_in(call, call.id.name))

    def list(self, call: Call) -> Answer:
        """Answer with all roles, or with those that a filter `roleName eq '...'` names."""
        query = call.query.get("$filter", "")
        listed = [self._built_in(call, role_id) for role_id in self.plane.catalogue.roles]
        listed += [
            self.present(own) for own in self.store.of_type(TYPE) if is_within(call.id.scope.lower(), _scope(own))
        ]
        if "roleName eq" in query:
            listed = [role for role in listed if f"'{role['properties']['roleName']}'" in query]
        return Answer(200, {"value": listed})

    def check_rules(self, resource: Resource, existing: Resource | None) -> None:
        """Refuse a role that is built in, and a name that another role of the directory has.

        Source: azure-docs, "Azure custom roles" (names are unique in a directory); the texts are unverified.
        """
        del existing
        name = str(resource.body["properties"]["roleName"])
        if resource.name.lower() in self.plane.catalogue.roles:
            raise ArmError(400, "InvalidRoleDefinition", f"The built-in role '{resource.name}' cannot be changed.")
        others = [own for own in self.store.of_type(TYPE) if own.key != resource.key]
        taken = {str(own.body["properties"]["roleName"]).lower() for own in others}
        if name.lower() in taken | {built_in.lower() for built_in in self.plane.catalogue.roles.values()}:
            raise ArmError(409, "RoleDefinitionWithSameNameExists", f"A role definition with name '{name}' exists.")

    def check_removable(self, resource: Resource) -> None:
        """Refuse to delete a role that somebody has (azure-docs, "Delete an Azure custom role")."""
        for assignment in self.store.of_type("Microsoft.Authorization/roleAssignments"):
            if str(assignment.body["properties"]["roleDefinitionId"]).lower().endswith(f"/{resource.name.lower()}"):
                raise ArmError(
                    400,
                    "RoleDefinitionHasAssignments",
                    "There are existing role assignments referencing role (code: RoleDefinitionHasAssignments)",
                )

    def _built_in(self, call: Call, role_id: str) -> Json:
        name = self.plane.catalogue.roles.get(role_id.lower())
        if name is None:
            raise unknown_role(role_id)
        properties = {"roleName": name, "type": "BuiltInRole", "assignableScopes": ["/"], "permissions": []}
        path = definition_id(call.id.scope, role_id)
        return {"id": path, "name": role_id, "type": TYPE, "properties": properties}


def unknown_role(role_id: str) -> ArmError:
    """Return the refusal of a role that is not there."""
    message = f"The specified role definition with ID '{role_id.replace('-', '')}' does not exist."
    return ArmError(404, "RoleDefinitionDoesNotExist", message)


def definition_id(scope: str, role_id: str) -> str:
    """Return a role's id as the service writes it, in the subscription of a scope."""
    subscription = "/".join(scope.split("/")[:3])
    return f"{subscription}/providers/{TYPE}/{role_id}"


def _scope(own: Resource) -> str:
    return own.id.rpartition(f"/providers/{TYPE}/")[0].lower()
