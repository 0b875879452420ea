"""What belongs to a flexible server: databases, firewall rules, Microsoft Entra administrators.

Each write is a long-running operation, and a server does one at a time (Azure/azure-postgresql #134, azurerm #28298).
"""

from __future__ import annotations

from emulator.arm import body as bodies
from emulator.arm import server_network
from emulator.arm.errors import ArmError, child_not_found, invalid_parameter, server_busy, server_not_accessible
from emulator.arm.kind import Answer, Call, Kind
from emulator.arm.operations import Work
from emulator.arm.server_rules import check_firewall_range
from emulator.arm.servers import not_running
from emulator.arm.store import Resource


class ServerChild(Kind):
    """What databases, firewall rules, administrators and configurations share."""

    def server_of(self, call: Call) -> Resource:
        """Return the server of a call."""
        self.check_place(call)
        parent = call.id.parent
        server = self.store.get(parent.key) if parent else None
        if server is None:
            raise child_not_found(call.rules.type, call.id.name)
        return server

    def free_server(self, call: Call) -> Resource:
        """Return the server of a call that may change now.

        Raises:
            ArmError: The server is busy or does not run.
        """
        server = self.server_of(call)
        if self.operations.holder(server.key):
            raise server_busy(server.name)
        if server.body["properties"]["state"] != "Ready":
            raise not_running(server)
        return server

    def existing(self, call: Call) -> Resource:
        """Return the resource of a call."""
        self.server_of(call)
        resource = self.store.get(call.id.key)
        if resource is None:
            raise child_not_found(call.rules.type, call.id.name)
        return resource

    async def put(self, call: Call) -> Answer:
        """Create or replace a child."""
        server = self.free_server(call)
        existing = self.store.get(call.id.key)
        call.rules.check(call.body, existing.body if existing else None)
        resource = self.made(call, call.body, existing)
        self.check(resource, server)
        work = self.creation(resource, server)

        async def create() -> None:
            await work()
            self.store.put(resource)

        return Answer(202, None, self.begin(call, create, server.key))

    async def patch(self, call: Call) -> Answer:
        """Refuse: these types have no PATCH."""
        raise ArmError(405, "HttpMethodNotAllowed", f"The HTTP method 'PATCH' is not supported on '{call.rules.type}'.")

    async def delete(self, call: Call) -> Answer:
        """Delete a child."""
        server = self.server_of(call)
        resource = self.store.get(call.id.key)
        if resource is None:
            return Answer(204)
        self.free_server(call)
        self.check_delete(resource)
        work = self.deletion(resource, server)

        async def remove() -> None:
            await work()
            self.store.remove(resource.key)

        return Answer(202, None, self.begin(call, remove, server.key, deletes=True))

    def check(self, resource: Resource, server: Resource) -> None:
        """Refuse a child that breaks a rule of its own."""

    def check_delete(self, resource: Resource) -> None:
        """Refuse to delete a child that must stay."""

    def creation(self, resource: Resource, server: Resource) -> Work:
        """Return what creating the child does in PostgreSQL."""
        del resource, server
        return _nothing

    def deletion(self, resource: Resource, server: Resource) -> Work:
        """Return what deleting the child does in PostgreSQL."""
        del resource, server
        return _nothing


async def _nothing() -> None:
    """Do nothing: the data plane reads the rule from the store."""


class FirewallRules(ServerChild):
    """Microsoft.DBforPostgreSQL/flexibleServers/firewallRules."""

    def check(self, resource: Resource, server: Resource) -> None:
        """Refuse what is no range of addresses, and any rule on a server in a subnet."""
        server_network.check_firewall(server)
        check_firewall_range(resource.to_json())


class Databases(ServerChild):
    """Microsoft.DBforPostgreSQL/flexibleServers/databases."""

    def check(self, resource: Resource, server: Resource) -> None:
        """Refuse a second database in an elastic cluster (azure-databases-docs; the service's text is unverified)."""
        if bodies.get(server.body, "properties.cluster.clusterSize") and self.store.get(resource.key) is None:
            raise invalid_parameter("databaseName", "an elastic cluster has one database, chosen at its creation")

    def creation(self, resource: Resource, server: Resource) -> Work:
        """Create the database, owned by azure_pg_admin."""
        properties = resource.body["properties"]

        async def work() -> None:
            await self.backend.create_database(
                server.name.lower(), resource.name, properties["charset"], properties["collation"]
            )

        return work

    def deletion(self, resource: Resource, server: Resource) -> Work:
        """Drop the database."""

        async def work() -> None:
            await self.backend.drop_database(server.name.lower(), resource.name)

        return work

    def check_delete(self, resource: Resource) -> None:
        """Refuse to delete the service's own databases."""
        if resource.name in self.plane.catalogue.servers["system_databases"]:
            raise invalid_parameter("databaseName", f"'{resource.name}' is a system database and cannot be deleted")


class Administrators(ServerChild):
    """Microsoft.DBforPostgreSQL/flexibleServers/administrators."""

    def free_server(self, call: Call) -> Resource:
        """Return the server, which must be ready for Entra operations (Azure/azure-postgresql #127)."""
        server = self.server_of(call)
        holder = self.operations.holder(server.key)
        if server.body["properties"]["state"] != "Ready":
            raise server_not_accessible(server.name)
        if holder:
            raise server_busy(server.name)
        return server

    def made(self, call: Call, body: dict[str, object], existing: Resource | None) -> Resource:
        """Return the administrator with the tenant filled in."""
        resource = super().made(call, body, existing)
        filled = resource.to_json()
        filled["properties"].setdefault("tenantId", self.plane.tenant_id)
        filled["properties"]["objectId"] = resource.name
        return Resource(resource.id, resource.type, resource.name, filled)

    def check(self, resource: Resource, server: Resource) -> None:
        """Refuse an administrator where Entra authentication is off (the service's own text is unverified)."""
        del resource
        if server.body["properties"]["authConfig"]["activeDirectoryAuth"] != "Enabled":
            raise ArmError(
                400,
                "AadAuthNotEnabled",
                f"Microsoft Entra authentication is not enabled on server '{server.name}'. "
                "Set authConfig.activeDirectoryAuth to Enabled first.",
            )

    def creation(self, resource: Resource, server: Resource) -> Work:
        """Make the administrator's role."""

        async def work() -> None:
            await self.backend.add_administrator(server.name.lower(), resource.body["properties"]["principalName"])

        return work

    def deletion(self, resource: Resource, server: Resource) -> Work:
        """Take the administrator's role away."""

        async def work() -> None:
            await self.backend.remove_administrator(server.name.lower(), resource.body["properties"]["principalName"])

        return work
