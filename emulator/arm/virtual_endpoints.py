"""Virtual endpoints of servers: names that stay while the primary changes.

Source: azure-databases-docs, "Virtual endpoints for read replicas in Azure Database for PostgreSQL".
"""

from __future__ import annotations

from collections.abc import Iterator

from emulator.arm import body as bodies
from emulator.arm import server_origins, servers
from emulator.arm.body import Json
from emulator.arm.errors import ArmError, invalid_parameter
from emulator.arm.kind import Call
from emulator.arm.server_children import ServerChild
from emulator.arm.store import Resource, Store

TYPE = f"{servers.TYPE}/virtualendpoints"


class VirtualEndpoints(ServerChild):
    """Microsoft.DBforPostgreSQL/flexibleServers/virtualendpoints."""

    def check(self, resource: Resource, server: Resource) -> None:
        """Refuse an endpoint on a replica, a second one, a name that is taken, and members that are not there."""
        name = resource.name
        if server_origins.is_replica(server):
            raise _refuse(f"'{server.name}' is a replica: the endpoint belongs on its primary")
        for other in self.store.of_type(TYPE):
            if other.key == resource.key:
                continue
            if other.name.lower() == name.lower():
                raise _refuse(f"'{name}' is taken; the name is unique in Azure")
            if other.key.startswith(f"{server.key}/"):
                raise _refuse(f"'{server.name}' has the endpoint '{other.name}' already")
        members = {str(member).lower() for member in bodies.find(resource.body, "properties.members[]")}
        replicas = server_origins.replicas_of(self.store, server)
        known = {item.name.lower() for item in (server, *replicas)}
        if not 1 <= len(members) <= 2 or not members <= known:
            why = f"members are the primary and one of its replicas, of {', '.join(sorted(known))}"
            raise invalid_parameter("members", why)

    def made(self, call: Call, body: Json, existing: Resource | None) -> Resource:
        """Return the endpoint with its two host names."""
        resource = super().made(call, body, existing)
        filled = resource.to_json()
        filled["properties"]["virtualEndpoints"] = list(_names(resource.name))
        return Resource(resource.id, resource.type, resource.name, filled)


def hosts_of(store: Store, server: Resource) -> Iterator[str]:
    """Return the host names of virtual endpoints that lead to a server now.

    The writer leads to the member that is the primary; the reader to the other one, or to the primary where there is
    none.
    """
    name = server.name.lower()
    is_primary = server.body["properties"]["replicationRole"] == "Primary"
    for endpoint in store.of_type(TYPE):
        members = {str(member).lower() for member in bodies.find(endpoint.body, "properties.members[]")}
        members.add(endpoint.key.split("/")[8])
        if name not in members:
            continue
        writer, reader = _names(endpoint.name)
        if is_primary:
            yield writer
        if not is_primary or len(members) == 1:
            yield reader


def _names(name: str) -> tuple[str, str]:
    return (f"{name.lower()}.writer.{servers.SUFFIX}", f"{name.lower()}.reader.{servers.SUFFIX}")


def _refuse(why: str) -> ArmError:
    return invalid_parameter("virtualEndpointName", why)
