"""Resource groups, and what goes with them when they are deleted."""

from __future__ import annotations

from emulator.arm import vaults
from emulator.arm.catalogue import normal_location
from emulator.arm.errors import ArmError, group_deleting
from emulator.arm.kind import Answer, Call, Kind
from emulator.arm.store import Resource


class ResourceGroups(Kind):
    """Microsoft.Resources/resourceGroups."""

    async def put(self, call: Call) -> Answer:
        """Create a group or change its tags."""
        existing = self.store.get(call.id.key)
        if existing:
            self._check_alive(existing)
        self.check_place_of_group(call, existing)
        call.rules.check(call.body, None)
        resource = self.made(call, call.body, existing)
        body = {**resource.body, "properties": {"provisioningState": "Succeeded"}}
        self.store.put(Resource(resource.id, resource.type, resource.name, body))
        return Answer(200 if existing else 201, body)

    def check_place_of_group(self, call: Call, existing: Resource | None) -> None:
        """Refuse a location that does not exist or is not the group's."""
        location = normal_location(call.body.get("location", ""))
        if location and location not in self.plane.catalogue.locations:
            raise ArmError(
                400,
                "LocationNotAvailableForResourceGroup",
                f"The provided location '{location}' is not available for resource group. "
                f"List of available regions is '{','.join(sorted(self.plane.catalogue.locations))}'.",
            )
        if existing and location and location != existing.body["location"]:
            raise ArmError(
                409,
                "InvalidResourceGroupLocation",
                f"Invalid resource group location '{location}'. The Resource group already exists in location "
                f"'{existing.body['location']}'.",
            )

    def _check_alive(self, group: Resource) -> None:
        if group.body["properties"]["provisioningState"] == "Deleting":
            raise group_deleting(group.name)

    async def delete(self, call: Call) -> Answer:
        """Delete a group and everything in it; accounts become soft-deleted."""
        group = self.existing(call)
        self._check_alive(group)

        async def work() -> None:
            for item in self.store.within(group.key):
                await self.operations.idle(item.key)
            for server in self.store.of_type("Microsoft.DBforPostgreSQL/flexibleServers", group.key):
                await self.backend.delete(server.name)
            for account in self.store.of_type("Microsoft.CognitiveServices/accounts", group.key):
                self.store.soft_delete(account)
            for vault in self.store.of_type(vaults.VAULT, group.key):
                vaults.soft_delete(self, vault)
            self.store.remove(group.key)

        self.store.update(group.key, {"provisioningState": "Deleting"})
        return Answer(202, None, self.begin(call, work, f"{group.key}#delete", deletes=True))
