"""Flexible servers: create, change, start, stop, restart, delete."""

from __future__ import annotations

import datetime as dt
import secrets
import uuid
from dataclasses import replace

from emulator.arm import body as bodies
from emulator.arm import parameters
from emulator.arm.body import Json
from emulator.arm.errors import ArmError, server_busy
from emulator.arm.kind import Answer, Call, Kind
from emulator.arm.operations import Work
from emulator.arm.server_rules import check_server
from emulator.arm.store import Resource, Store

TYPE = "Microsoft.DBforPostgreSQL/flexibleServers"
SUFFIX = "postgres.database.azure.com"


def not_running(server: Resource) -> ArmError:
    """Return the refusal of work on a server that is stopped (the service's own text is unverified)."""
    state = server.body["properties"]["state"]
    return ArmError(
        409,
        "ServerIsNotReady",
        f"Cannot complete operation while server '{server.name}' is in state '{state}'. Start the server first.",
    )


class Servers(Kind):
    """Microsoft.DBforPostgreSQL/flexibleServers."""

    async def put(self, call: Call) -> Answer:
        """Create a server; on one that exists, change it (createMode Default means Update then)."""
        existing = self.store.get(call.id.key)
        self.check_place(call)
        call.rules.check(call.body, existing.body if existing else None)
        if existing:
            tags = call.body.get("tags") or {}
            return self._change(call, existing, tags)
        return self._create(call)

    async def patch(self, call: Call) -> Answer:
        """Change a server."""
        existing = self.existing(call)
        call.rules.check(call.body, existing.body, partial=True)
        return self._change(call, existing, call.body.get("tags"))

    async def delete(self, call: Call) -> Answer:
        """Delete a server with its databases."""
        server = self.store.get(call.id.key)
        if server is None:
            return Answer(204)
        self._check_idle(server)

        async def work() -> None:
            await self.backend.delete(server.name.lower())
            self.store.remove(server.key)

        return Answer(202, None, self.begin(call, in_state(self, server, "Dropping", work), server.key, deletes=True))

    async def act(self, call: Call) -> Answer:
        """Start, stop or restart a server."""
        server = self.existing(call)
        steps = {"start": self._start, "stop": self._stop, "restart": self._restart}
        step = steps.get((call.action or "").lower())
        if step is None:
            return await super().act(call)
        self._check_idle(server)
        return Answer(202, None, self.begin(call, step(server), server.key))

    def _create(self, call: Call) -> Answer:
        resource = self.made(call, call.body, None)
        check_server(self.plane.catalogue, call.body, dict(resource.body), None)
        if any(other.name.lower() == resource.name.lower() for other in self.store.of_type(TYPE)):
            raise ArmError(409, "ServerNameAlreadyExists", f"Specified server name '{resource.name}' is already used.")
        body = resource.to_json()
        fill(self.plane.catalogue.servers["storage"], body)
        body["properties"]["fullyQualifiedDomainName"] = f"{resource.name.lower()}.{SUFFIX}"
        body["properties"]["state"] = "Provisioning"
        self._set_identity(body, None)
        private = {"identityHeader": secrets.token_hex(24)}
        resource = self.store.put(replace(resource, body=body, private=private))
        login = bodies.get(body, "properties.administratorLogin")
        password = bodies.get(call.body, "properties.administratorLoginPassword")
        administrator = (str(login), str(password)) if login and password else None

        async def work() -> None:
            name = resource.name.lower()
            try:
                await self.backend.create_server(
                    name, body["properties"]["version"], administrator, private["identityHeader"]
                )
            except Exception:
                self.store.remove(resource.key)
                raise
            self._add_system_databases(resource)
            minor = self.backend.version(name).partition(".")[2]
            self.store.update(resource.key, {"state": "Ready", "minorVersion": minor})

        return Answer(202, None, self.begin(call, work, resource.key))

    def _change(self, call: Call, existing: Resource, tags: Json | None) -> Answer:
        self._check_idle(existing)
        merged = bodies.merge(existing.body, bodies.drop(call.body, call.rules.read_only))
        storage = bodies.get(call.body, "properties.storage") or {}
        if "storageSizeGB" in storage:
            fill(self.plane.catalogue.servers["storage"], merged, keep=storage)
        check_server(self.plane.catalogue, call.body, merged, dict(existing.body))
        if existing.body["properties"]["state"] != "Ready":
            raise not_running(existing)
        if tags is not None:
            merged["tags"] = tags
        changed = self.made(call, merged, existing).to_json()
        for path in call.rules.read_only:
            bodies.put(changed, path, bodies.get(existing.body, path))
        self._set_identity(changed, dict(existing.body))
        password = bodies.get(call.body, "properties.administratorLoginPassword")
        resized = bodies.get(changed, "sku.name") != bodies.get(existing.body, "sku.name")

        async def work() -> None:
            name = existing.name.lower()
            if password:
                await self.backend.set_password(name, changed["properties"]["administratorLogin"], str(password))
            if resized:
                await self.backend.restart(name)
                apply_pending(self.store, existing)
            self.store.put(replace(existing, body=changed))

        return Answer(202, None, self.begin(call, in_state(self, existing, "Updating", work), existing.key))

    def _start(self, server: Resource) -> Work:
        async def work() -> None:
            await self.backend.start(server.name.lower())
            apply_pending(self.store, server)

        return in_state(self, server, "Starting", work, after="Ready")

    def _stop(self, server: Resource) -> Work:
        async def work() -> None:
            await self.backend.stop(server.name.lower())

        return in_state(self, server, "Stopping", work, after="Stopped")

    def _restart(self, server: Resource) -> Work:
        if server.body["properties"]["state"] != "Ready":
            raise not_running(server)

        async def work() -> None:
            await self.backend.restart(server.name.lower())
            apply_pending(self.store, server)

        return in_state(self, server, "Restarting", work)

    def _check_idle(self, server: Resource) -> None:
        if self.operations.holder(server.key):
            raise server_busy(server.name)

    def _set_identity(self, body: Json, before: Json | None) -> None:
        if bodies.get(body, "properties.authConfig.activeDirectoryAuth") == "Enabled":
            body["properties"]["authConfig"].setdefault("tenantId", self.plane.tenant_id)
        wanted = bodies.get(body, "identity.type") or "None"
        if "SystemAssigned" not in wanted:
            if "identity" in body:
                body["identity"] = {**body["identity"], "principalId": None, "tenantId": None}
            return
        principal = bodies.get(before, "identity.principalId") if before else None
        body["identity"] = {
            **body["identity"],
            "principalId": principal or str(uuid.uuid4()),
            "tenantId": self.plane.tenant_id,
        }

    def _add_system_databases(self, server: Resource) -> None:
        for name in self.plane.catalogue.servers["system_databases"]:
            database_id = f"{server.id}/databases/{name}"
            kind = f"{TYPE}/databases"
            body = {
                "id": database_id,
                "name": name,
                "type": kind,
                "properties": {"charset": "UTF8", "collation": "en_US.utf8"},
            }
            self.store.put(Resource(database_id, kind, name, body))


def fill(sizes: dict[int, list[object]], body: Json, keep: Json | None = None) -> None:
    """Fill in what the service derives from other properties: storage tier and IOPS, the first restore point."""
    storage = body["properties"]["storage"]
    default = sizes.get(storage["storageSizeGB"])
    sent = storage if keep is None else keep
    if default:
        if not sent.get("tier"):
            storage["tier"] = default[0]
        if not sent.get("iops"):
            storage["iops"] = default[1]
    backup = body["properties"]["backup"]
    backup.setdefault("earliestRestoreDate", dt.datetime.now(dt.UTC).isoformat(timespec="seconds"))


def in_state(kind: Kind, server: Resource, state: str, work: Work, *, after: str | None = None) -> Work:
    """Put a server in a state now, and return the work that takes it out again.

    Args:
        kind: Whose store it is.
        server: The server as it is.
        state: Its state while the work lasts.
        work: What to do.
        after: Its state when the work has succeeded; when it fails, or by default, the one from before.
    """
    before = server.body["properties"]["state"]

    async def run() -> None:
        final = before
        try:
            await work()
            final = after or before
        finally:
            kind.store.update(server.key, {"state": final})

    kind.store.update(server.key, {"state": state})
    return run


def pending(store: Store, server: Resource) -> list[str]:
    """Return the static parameters of a server that wait for a restart."""
    found = store.of_type(f"{TYPE}/configurations", server.key)
    return [item.name for item in found if item.body["properties"]["isConfigPendingRestart"]]


def apply_pending(store: Store, server: Resource) -> None:
    """Make the static parameters that waited for a restart effective."""
    version = str(server.body["properties"]["version"])
    known = parameters.of_server(version, server.body["sku"]["name"])
    for item in store.of_type(f"{TYPE}/configurations", server.key):
        parameter = known.get(item.name)
        if parameter is None or not item.body["properties"]["isConfigPendingRestart"]:
            continue
        value = item.body["properties"]["value"]
        store.update(item.key, {"isConfigPendingRestart": False}, {"running": value})
