"""What else a flexible server has: backups on demand, threat protection, the connections of private endpoints."""

from __future__ import annotations

from emulator.arm import private_endpoints, server_origins
from emulator.arm.body import Json
from emulator.arm.errors import ArmError, child_not_found
from emulator.arm.kind import Answer, Call
from emulator.arm.operations import now
from emulator.arm.server_children import ServerChild
from emulator.arm.store import Resource


class Backups(ServerChild):
    """Microsoft.DBforPostgreSQL/flexibleServers/backups: on demand, and without data."""

    def made(self, call: Call, body: Json, existing: Resource | None) -> Resource:
        """Return the backup as it is when it is done."""
        del body
        resource = super().made(call, {}, existing)
        properties = {"backupType": "Customer On-Demand", "completedTime": now(), "source": "Full"}
        filled = {**resource.body, "properties": properties}
        return Resource(resource.id, resource.type, resource.name, filled)


class ThreatProtection(ServerChild):
    """Microsoft.DBforPostgreSQL/flexibleServers/advancedThreatProtectionSettings: always there, off at first."""

    def get(self, call: Call) -> Answer:
        """Answer with the setting, or with what it is at first."""
        self.server_of(call)
        stored = self.store.get(call.id.key)
        return Answer(
            200, stored.to_json() if stored else self.made(call, {"properties": {"state": "Disabled"}}, None).to_json()
        )

    async def patch(self, call: Call) -> Answer:
        """Set it: the same as PUT."""
        return await self.put(call)

    def made(self, call: Call, body: Json, existing: Resource | None) -> Resource:
        """Return the setting with its day."""
        resource = super().made(call, body, existing)
        filled = resource.to_json()
        filled["properties"].setdefault("creationTime", now())
        return Resource(resource.id, resource.type, resource.name, filled)

    async def delete(self, call: Call) -> Answer:
        """Refuse: the setting is always there."""
        message = f"The HTTP method 'DELETE' is not supported on '{call.rules.type}'."
        raise ArmError(405, "HttpMethodNotAllowed", message)


class Replicas(ServerChild):
    """Microsoft.DBforPostgreSQL/flexibleServers/replicas: a list of servers, and nothing else."""

    def list(self, call: Call) -> Answer:
        """Answer with the read replicas of the server."""
        found = server_origins.replicas_of(self.store, self.server_of(call))
        return Answer(200, {"value": [server.to_json() for server in found]})

    async def put(self, call: Call) -> Answer:
        """Refuse: a replica is a server of its own."""
        raise ArmError(405, "HttpMethodNotAllowed", f"The HTTP method 'PUT' is not supported on '{call.rules.type}'.")


class Connections(ServerChild):
    """Microsoft.DBforPostgreSQL/flexibleServers/privateEndpointConnections: what the private endpoints make."""

    def get(self, call: Call) -> Answer:
        """Answer with one connection."""
        for connection in private_endpoints.connections_to(self.store, self.server_of(call)):
            if connection["name"].lower() == call.id.name.lower():
                return Answer(200, connection)
        raise child_not_found(call.rules.type, call.id.name)

    def list(self, call: Call) -> Answer:
        """Answer with every connection."""
        return Answer(200, {"value": private_endpoints.connections_to(self.store, self.server_of(call))})

    async def put(self, call: Call) -> Answer:
        """Refuse: an endpoint is approved when it is made."""
        del call
        raise ArmError(405, "HttpMethodNotAllowed", "The emulator approves private endpoints when they are made.")

    async def delete(self, call: Call) -> Answer:
        """Refuse: delete the private endpoint."""
        del call
        raise ArmError(405, "HttpMethodNotAllowed", "Delete the private endpoint instead.")
