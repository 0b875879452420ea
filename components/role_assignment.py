"""A role assignment: what somebody may do with one resource."""

from __future__ import annotations

import pulumi
from pulumi_azure_native import authorization

from components.naming import role_assignment_name


def role_definition_id(scope: str, role: str) -> str:
    """Return the full id of a role, in the subscription that an ARM id names."""
    subscription = scope.split("/")[2]
    return f"/subscriptions/{subscription}/providers/Microsoft.Authorization/roleDefinitions/{role}"


def role_assignment(
    name: str,
    scope: pulumi.Input[str],
    principal_id: pulumi.Input[str],
    role: pulumi.Input[str],
    opts: pulumi.ResourceOptions,
    *,
    principal_type: str = "ServicePrincipal",
    named_after: str | None = None,
) -> authorization.RoleAssignment:
    """Give somebody a role.

    Args:
        name: name of the resource in the program.
        scope: ARM id of what it is about.
        principal_id: object id of who gets it.
        role: the role's GUID: of a built-in one (Microsoft Learn, "Azure built-in roles"), or of the stack's own.
        opts: parent, and what it is deleted with.
        principal_type: what the principal is. Without it, Azure looks the principal up and fails while the directory
            lags (PrincipalNotFound).
        named_after: what the assignment's own name is made of beside scope and principal; the role when left out.
    """
    return authorization.RoleAssignment(
        name,
        scope=scope,
        principal_id=principal_id,
        principal_type=principal_type,
        # As the service writes it, in the subscription: otherwise it reads as a change of the role.
        role_definition_id=pulumi.Output.all(scope, role).apply(lambda known: role_definition_id(known[0], known[1])),
        role_assignment_name=pulumi.Output.all(scope, principal_id, named_after or role).apply(
            lambda known: role_assignment_name(known[0], known[1], known[2])
        ),
        # Azure answers a changed role with RoleAssignmentUpdateNotPermitted (pulumi-azure-native #771).
        opts=pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(replace_on_changes=["roleDefinitionId"])),
    )
