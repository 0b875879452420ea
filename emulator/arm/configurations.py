"""Server parameters as resources.

Quirks of the service that are kept: every parameter is always there; a value equal to the default changes nothing
(pulumi-azure-native #4736); a static parameter waits for a restart (azurerm #29219); there is no DELETE. PgBouncer is
not on Burstable, and its parameters are hidden until it is on (azure-databases-docs, "PgBouncer"; that a hidden one is
answered with 404 is unverified).
"""

from __future__ import annotations

from emulator.arm import body as bodies
from emulator.arm import parameters
from emulator.arm.body import Json
from emulator.arm.errors import ArmError, child_not_found, invalid_parameter, parent_not_found
from emulator.arm.kind import Answer, Call
from emulator.arm.parameters import Parameter
from emulator.arm.server_children import ServerChild
from emulator.arm.servers import in_state
from emulator.arm.store import Resource

_POOLER = "pgbouncer.enabled"


class Configurations(ServerChild):
    """Microsoft.DBforPostgreSQL/flexibleServers/configurations."""

    def get(self, call: Call) -> Answer:
        """Answer with the value that is set, or the default."""
        server = self.server_of(call)
        return Answer(200, self._read(call, server, self._parameter(call, server)))

    def list(self, call: Call) -> Answer:
        """Answer with every parameter of the server."""
        parent = call.id.parent
        server = self.store.get(parent.key) if parent else None
        if parent is None or server is None:
            raise parent_not_found(parent.text if parent else "")
        known = self._known(server)
        value = []
        for name in sorted(known):
            child = parent.child("configurations", name)
            stored = self.store.get(child.key)
            value.append(stored.to_json() if stored else _default(child.text, call.rules.type, known[name]))
        return Answer(200, {"value": value})

    async def put(self, call: Call) -> Answer:
        """Set a parameter."""
        server = self.server_of(call)
        parameter = self._parameter(call, server)
        self.free_server(call)
        sent = bodies.get(call.body, "properties.value")
        source = bodies.get(call.body, "properties.source")
        value = parameter.default if sent is None or source == "system-default" else parameter.normal(str(sent))
        problem = parameter.problem(value) if not parameter.same(value, parameter.default) else None
        if parameter.kind == "read-only" or problem:
            raise invalid_parameter("configurationValue", problem or f"'{parameter.name}' is read-only")
        if parameter.name == _POOLER and value.lower() == "true" and server.body["sku"]["tier"] == "Burstable":
            raise invalid_parameter(_POOLER, "PgBouncer needs GeneralPurpose or MemoryOptimized")
        is_default = parameter.same(value, parameter.default)
        before = self.store.get(call.id.key)
        running = str(before.private["running"]) if before else parameter.default
        pending = parameter.kind == "static" and not parameter.same(value, running)
        current = before.body["properties"]["value"] if before else parameter.default

        async def work() -> None:
            if not parameter.same(value, str(current)):
                await self.backend.set_parameters(server.name.lower(), {parameter.name: value})
            properties = parameter.properties(
                parameter.default if is_default else value,
                "system-default" if is_default else "user-override",
                pending=pending,
            )
            body = {"id": call.id.text, "name": parameter.name, "type": call.rules.type, "properties": properties}
            kept = running if parameter.kind == "static" else value
            self.store.put(Resource(call.id.text, call.rules.type, parameter.name, body, {"running": kept}))

        return Answer(202, None, self.begin(call, in_state(self, server, "Updating", work), server.key))

    async def patch(self, call: Call) -> Answer:
        """Set a parameter: the same as PUT."""
        return await self.put(call)

    async def delete(self, call: Call) -> Answer:
        """Refuse: parameters are always there."""
        raise ArmError(
            405,
            "HttpMethodNotAllowed",
            f"The HTTP method 'DELETE' is not supported on '{call.rules.type}'. Set the default value instead.",
        )

    def _parameter(self, call: Call, server: Resource) -> Parameter:
        parameter = self._known(server).get(call.id.name)
        if parameter is None:
            raise child_not_found(call.rules.type, call.id.name)
        return parameter

    def _known(self, server: Resource) -> dict[str, Parameter]:
        known = parameters.of_server(str(server.body["properties"]["version"]), server.body["sku"]["name"])
        switch = self.store.get(f"{server.key}/configurations/{_POOLER}")
        if switch and switch.body["properties"]["value"].lower() == "true":
            return dict(known)
        return {name: one for name, one in known.items() if name == _POOLER or not name.startswith("pgbouncer.")}

    def _read(self, call: Call, server: Resource, parameter: Parameter) -> Json:
        stored = self.store.get(call.id.key)
        if stored:
            return stored.to_json()
        return _default(f"{server.id}/configurations/{parameter.name}", call.rules.type, parameter)


def _default(resource_id: str, kind: str, parameter: Parameter) -> Json:
    properties = parameter.properties(parameter.default, "system-default", pending=False)
    return {"id": resource_id, "name": parameter.name, "type": kind, "properties": properties}
