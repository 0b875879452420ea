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
    role: str,
    opts: pulumi.ResourceOptions,
    *,
    principal_type: str = "ServicePrincipal",
) -> authorization.RoleAssignment:
    """Give somebody a built-in role.

    Args:
        name: name of the resource in the program.
        scope: ARM id of what it is about.
        principal_id: object id of who gets it.
        role: the role's GUID (Microsoft Learn, "Azure built-in roles").
        opts: parent, and what it is deleted with.
        principal_type: what the principal is. Without it, Azure looks the principal up and fails while the directory
            lags (PrincipalNotFound).
    """
    where = pulumi.Output.from_input(scope)
    return authorization.RoleAssignment(
        name,
        scope=scope,
        principal_id=principal_id,
        principal_type=principal_type,
        role_definition_id=where.apply(lambda known: role_definition_id(known, role)),
        role_assignment_name=pulumi.Output.all(where, principal_id).apply(
            lambda known: role_assignment_name(known[0], known[1], role)
        ),
        # Azure answers a changed role with RoleAssignmentUpdateNotPermitted (pulumi-azure-native #771).
        opts=pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(replace_on_changes=["roleDefinitionId"])),
    )
