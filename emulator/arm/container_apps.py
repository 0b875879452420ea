"""Container Apps: environments in their subnets, and jobs. What executes is started elsewhere (executions.py)."""

from __future__ import annotations

import secrets
from dataclasses import replace

from emulator.arm import body as bodies
from emulator.arm import networks
from emulator.arm.body import Json
from emulator.arm.errors import ArmError
from emulator.arm.kind import Answer, Call, Kind
from emulator.arm.store import Resource

JOBS = "Microsoft.App/jobs"
_DELEGATION = "microsoft.app/environments"
_TRIGGERS = {
    "Event": "eventTriggerConfig",
    "Manual": "manualTriggerConfig",
    "Schedule": "scheduleTriggerConfig",
}


class Environments(Kind):
    """Microsoft.App/managedEnvironments."""

    def check_rules(self, resource: Resource, existing: Resource | None) -> None:
        """Refuse a subnet without the delegation that workload profiles need.

        Source: azure-docs, "Configuring virtual networks Azure Container Apps environments"; the text is unverified.
        """
        del existing
        subnet = self.store.get(str(bodies.get(resource.body, "properties.vnetConfiguration.infrastructureSubnetId")))
        profiles = bodies.get(resource.body, "properties.workloadProfiles")
        if subnet and profiles and _DELEGATION not in networks.delegations(subnet):
            why = f"The subnet '{subnet.id}' must be delegated to the service 'Microsoft.App/environments'."
            raise ArmError(400, "ManagedEnvironmentSubnetDelegationError", why)


class Jobs(Kind):
    """Microsoft.App/jobs."""

    def made(self, call: Call, body: Json, existing: Resource | None) -> Resource:
        """Return the job, with its secrets and with what its executions ask for tokens with."""
        resource = super().made(call, body, existing)
        kept = dict(resource.private) or {"identityHeader": secrets.token_hex(16), "asked": 0}
        before = kept.get("secrets") or {}
        given = bodies.get(body, "properties.configuration.secrets") or []
        kept["secrets"] = {one["name"]: one.get("value", before.get(one["name"], "")) for one in given}
        return replace(resource, private=kept)

    async def act(self, call: Call) -> Answer:
        """Start an execution."""
        job = self.existing(call)
        if (call.action or "").lower() != "start":
            return await super().act(call)
        asked = int(job.private["asked"]) + 1
        self.store.put(replace(job, private={**job.private, "asked": asked}))
        name = f"{job.name}-{asked:07d}"
        return Answer(200, {"name": name, "id": f"{job.id}/executions/{name}"})

    def check_rules(self, resource: Resource, existing: Resource | None) -> None:
        """Refuse a job whose parts name what it does not have; codes and texts are unverified."""
        del existing
        configuration = resource.body["properties"]["configuration"]
        trigger = configuration["triggerType"]
        others = [name for kind, name in _TRIGGERS.items() if kind != trigger and configuration.get(name)]
        if trigger == "Schedule" and not bodies.get(configuration, "scheduleTriggerConfig.cronExpression"):
            raise ArmError(
                400, "InvalidJobConfiguration", "A job with a schedule needs scheduleTriggerConfig.cronExpression."
            )
        if others:
            raise ArmError(
                400, "InvalidJobConfiguration", f"A job with the trigger {trigger} takes no {', '.join(others)}."
            )
        self._check_secrets(resource)
        self._check_identities(resource)

    def _check_secrets(self, resource: Resource) -> None:
        properties = resource.body["properties"]
        known = {str(name) for name in bodies.find(properties, "configuration.secrets[].name")}
        named = [
            *bodies.find(properties, "template.containers[].env[].secretRef"),
            *bodies.find(properties, "configuration.registries[].passwordSecretRef"),
            *bodies.find(properties, "configuration.eventTriggerConfig.scale.rules[].auth[].secretRef"),
        ]
        for name in named:
            if name and str(name) not in known:
                raise ArmError(400, "ContainerAppSecretRefNotFound", f"SecretRef '{name}' not found.")

    def _check_identities(self, resource: Resource) -> None:
        identity = resource.body.get("identity") or {}
        known = {str(name).lower() for name in identity.get("userAssignedIdentities") or {}}
        if "SystemAssigned" in (identity.get("type") or ""):
            known.add("system")
        properties = resource.body["properties"]
        named = [
            *bodies.find(properties, "configuration.registries[].identity"),
            *bodies.find(properties, "configuration.secrets[].identity"),
            *bodies.find(properties, "configuration.eventTriggerConfig.scale.rules[].identity"),
        ]
        for name in named:
            if name and str(name).lower() not in known:
                why = f"The identity '{name}' is not assigned to the job '{resource.name}'."
                raise ArmError(400, "InvalidIdentity", why)
