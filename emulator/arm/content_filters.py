"""Content filters of AI accounts: RAI policies, and the ones that every account has."""

from __future__ import annotations

from emulator.arm import body as bodies
from emulator.arm.accounts import TYPE as ACCOUNT
from emulator.arm.errors import ArmError, invalid_property, parent_not_found, request_conflict
from emulator.arm.kind import Answer, Call, Kind
from emulator.arm.store import Resource

TYPE = f"{ACCOUNT}/raiPolicies"
SYSTEM = frozenset({"microsoft.default", "microsoft.defaultv2"})
"""The policies of the service, in lower case (azure-ai-docs, "Content filtering"); no account can change them."""


class ContentFilters(Kind):
    """Microsoft.CognitiveServices/accounts/raiPolicies: like deployments, one operation at a time on an account."""

    async def put(self, call: Call) -> Answer:
        """Create or change a policy."""
        self._check_idle(call)
        return await super().put(call)

    def check_rules(self, resource: Resource, existing: Resource | None) -> None:
        """Refuse a policy of the service, and one that builds on a policy that is not there."""
        del existing
        if resource.name.lower() in SYSTEM:
            raise invalid_property(f"The policy '{resource.name}' is the service's own and cannot be changed.")
        base = bodies.get(resource.body, "properties.basePolicyName")
        if base and not exists(self, resource.key.rpartition("/raipolicies/")[0], str(base)):
            raise invalid_property(f"The base policy '{base}' does not exist.")

    async def delete(self, call: Call) -> Answer:
        """Delete a policy that no deployment uses."""
        self._check_idle(call)
        return await super().delete(call)

    def check_removable(self, resource: Resource) -> None:
        """Refuse to delete a policy in use (the service's text is unverified)."""
        account = resource.key.rpartition("/raipolicies/")[0]
        for deployment in self.store.of_type(f"{ACCOUNT}/deployments", account):
            if str(deployment.body["properties"].get("raiPolicyName")).lower() == resource.name.lower():
                why = f"The policy '{resource.name}' is used by the deployment '{deployment.name}'."
                raise ArmError(409, "RaiPolicyInUse", why)

    def _check_idle(self, call: Call) -> None:
        account = call.id.parent
        if account is None or self.store.get(account.key) is None:
            raise parent_not_found(account.text if account else "")
        if self.operations.holder(account.key):
            raise request_conflict(account.text)


def exists(kind: Kind, account_id: str, name: str) -> bool:
    """Return whether an account has a policy, or the service has one for all."""
    return name.lower() in SYSTEM or kind.store.get(f"{account_id}/raiPolicies/{name}") is not None
