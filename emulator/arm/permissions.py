"""What the caller may do at a scope, as `Microsoft.Authorization/permissions` lists it: an entry a role.

Source of the actions: Microsoft Learn, "Azure built-in roles". A role that is not here grants nothing on the control
plane in the emulator.
"""

from __future__ import annotations

from emulator.arm import role_assignments
from emulator.arm.body import Json
from emulator.arm.resource_id import is_within
from emulator.arm.store import Store
from emulator.identity import Principal

OWNER = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635"

# Role -> actions, and those that are taken away from them.
_ACTIONS: dict[str, tuple[list[str], list[str]]] = {
    OWNER: (["*"], []),
    # Contributor
    "b24988ac-6180-42a0-ab88-20f7382dd24c": (
        ["*"],
        [
            "Microsoft.Authorization/*/Delete",
            "Microsoft.Authorization/*/Write",
            "Microsoft.Authorization/elevateAccess/Action",
            "Microsoft.Blueprint/blueprintAssignments/write",
            "Microsoft.Blueprint/blueprintAssignments/delete",
            "Microsoft.Compute/galleries/share/action",
            "Microsoft.Purview/consents/write",
            "Microsoft.Purview/consents/delete",
            "Microsoft.Resources/deploymentStacks/manageDenySetting/action",
        ],
    ),
    # Reader
    "acdd72a7-3385-48ef-bd42-f606fba81ae7": (["*/read"], []),
    # User Access Administrator
    "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9": (["*/read", "Microsoft.Authorization/*", "Microsoft.Support/*"], []),
    # Cognitive Services Contributor
    "25fbc0a9-bd7c-42a3-aa1a-3b75d497ee68": (
        [
            "Microsoft.Authorization/*/read",
            "Microsoft.CognitiveServices/*",
            "Microsoft.Features/features/read",
            "Microsoft.Insights/alertRules/*",
            "Microsoft.Insights/diagnosticSettings/*",
            "Microsoft.ResourceHealth/availabilityStatuses/read",
            "Microsoft.Resources/deployments/*",
            "Microsoft.Resources/subscriptions/resourceGroups/read",
            "Microsoft.Support/*",
        ],
        [],
    ),
}


def of(store: Store, principal: Principal, deployer: Principal, scope: str) -> list[Json]:
    """Return the permissions of a principal at a scope.

    Args:
        store: Where the role assignments are.
        principal: Who asks.
        deployer: Who owns the subscription.
        scope: An id; roles there and above it count.
    """
    roles = [OWNER] if principal.object_id == deployer.object_id else []
    for assignment in store.of_type(role_assignments.TYPE):
        properties = assignment.body["properties"]
        if properties["principalId"] == principal.object_id and is_within(
            scope.lower(), str(properties["scope"]).lower()
        ):
            roles.append(str(properties["roleDefinitionId"]).rpartition("/")[2].lower())
    return [
        {"actions": actions, "notActions": without, "dataActions": [], "notDataActions": []}
        for actions, without in (_ACTIONS.get(role, ([], [])) for role in roles)
    ]
