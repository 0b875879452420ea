"""Flexible servers: create, change, start, stop, restart, delete."""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from emulator.arm import body as bodies
from emulator.arm import parameters, server_encryption, server_network, server_origins
from emulator.arm.body import Json
from emulator.arm.errors import ArmError, server_busy
from emulator.arm.kind import Answer, Call, Kind
from emulator.arm.operations import Work
from emulator.arm.server_rules import check_server
from emulator.arm.store import Resource, Store

TYPE = "Microsoft.DBforPostgreSQL/flexibleServers"
SUFFIX = "postgres.database.azure.com"
_STANDBY = "properties.highAvailability.standbyAvailabilityZone"


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
        if existing:
            call = replace(call, body=server_origins.without_past(existing, call.body))
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
            # Kept for the create mode ReviveDropped; its name is free at once, and its data is gone.
            kept = [asdict(item) for item in server_origins.inherited(self.store, server, replica=False)]
            dropped = {**server.private, "dropped": dt.datetime.now(dt.UTC).isoformat(), "kept": kept}
            self.store.soft_delete(replace(server, private=dropped))

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
        source = server_origins.source_of(self, call.body)
        sent = server_network.closed_when_injected(server_origins.inherit(source, call.body) if source else call.body)
        resource = self.made(call, sent, None)
        self._check(sent, dict(resource.body), None, has_origin=source is not None)
        if any(other.name.lower() == resource.name.lower() for other in self.store.of_type(TYPE)):
            raise ArmError(409, "ServerNameAlreadyExists", f"Specified server name '{resource.name}' is already used.")
        body = resource.to_json()
        fill(self.plane.catalogue.servers, body)
        body["properties"]["fullyQualifiedDomainName"] = _fqdn(resource.name)
        body["properties"]["state"] = "Provisioning"
        self._set_tenant(body)
        replica = bodies.get(call.body, "properties.createMode") == "Replica"
        if source and replica:
            server_origins.as_replica(source, body)
        elif source:
            # Read back from replicas alone (azure-rest-api-specs).
            body = bodies.drop(body, ["properties.sourceServerResourceId"])
        children = server_origins.inherited(self.store, source, replica=replica) if source else []
        private = {"identityHeader": secrets.token_hex(24)}
        resource = self.store.put(replace(resource, body=body, private=private))
        login = bodies.get(body, "properties.administratorLogin")
        password = bodies.get(sent, "properties.administratorLoginPassword")
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
            for child in children:
                await self._copy(child, resource)
            only = bodies.get(body, "properties.cluster.defaultDatabaseName")
            if only and only != "postgres":
                await self.backend.create_database(name, only, "UTF8", "en_US.utf8")
                self._add_database(resource, only)
            minor = self.backend.version(name).partition(".")[2]
            self.store.update(resource.key, {"state": "Ready", "minorVersion": minor})

        # A server that is being copied does nothing else; that a restore keeps it busy is unverified.
        also = (source.key,) if source and self.store.get(source.key) else ()
        return Answer(202, None, self.begin(call, work, resource.key, also=also))

    def _change(self, call: Call, existing: Resource, tags: Json | None) -> Answer:
        self._check_idle(existing)
        sent = bodies.drop(call.body, call.rules.read_only)
        merged = bodies.merge(existing.body, sent)
        if "identity" in sent:
            merged["identity"] = sent["identity"]
        if bodies.get(sent, "properties.highAvailability.mode") and not bodies.get(sent, _STANDBY):
            merged = bodies.drop(merged, [_STANDBY])
        storage = bodies.get(sent, "properties.storage") or {}
        if {"storageSizeGB", "tier"} & set(storage):
            fill(self.plane.catalogue.servers, merged, keep=storage)
        self._check(sent, merged, dict(existing.body))
        promotes = server_origins.promotion(self, existing, sent)
        if existing.body["properties"]["state"] != "Ready":
            raise not_running(existing)
        if tags is not None:
            merged["tags"] = tags
        changed = self.made(call, merged, existing).to_json()
        for path in call.rules.read_only:
            bodies.put(changed, path, bodies.get(existing.body, path))
        self._set_tenant(changed)
        changed["properties"] |= _roles(existing.body["properties"])
        _set_standby(changed)
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
            if promotes:
                server_origins.promote(self, replace(existing, body=changed), promotes)

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

    def _check(self, sent: Json, merged: Json, existing: Json | None, *, has_origin: bool = False) -> None:
        check_server(self.plane.catalogue, sent, merged, existing, has_origin=has_origin)
        server_network.check(self.store, merged, _fqdn(str(merged["name"])))
        server_encryption.check(self, merged, existing)

    def _set_tenant(self, body: Json) -> None:
        if bodies.get(body, "properties.authConfig.activeDirectoryAuth") == "Enabled":
            body["properties"]["authConfig"].setdefault("tenantId", self.plane.tenant_id)

    async def _copy(self, child: Resource, server: Resource) -> None:
        """Give a server a child of the one that it is made from; a database is empty."""
        kind = child.type.rpartition("/")[2]
        child_id = f"{server.id}/{kind}/{child.name}"
        if self.store.get(child_id) is not None:
            return
        properties = child.body["properties"]
        if kind == "databases":
            charset, collation = properties["charset"], properties["collation"]
            await self.backend.create_database(server.name.lower(), child.name, charset, collation)
        self.store.put(replace(child, id=child_id, body={**child.body, "id": child_id}))

    def _add_system_databases(self, server: Resource) -> None:
        for name in self.plane.catalogue.servers["system_databases"]:
            self._add_database(server, name)

    def _add_database(self, server: Resource, name: str) -> None:
        database_id, kind = f"{server.id}/databases/{name}", f"{TYPE}/databases"
        properties = {"charset": "UTF8", "collation": "en_US.utf8"}
        body = {"id": database_id, "name": name, "type": kind, "properties": properties}
        self.store.put(Resource(database_id, kind, name, body))


def fill(known: Mapping[str, Any], body: Json, keep: Json | None = None) -> None:
    """Fill in what the service derives from other properties: storage tier and IOPS, standby, first restore point.

    Args:
        known: What the catalogue says of servers.
        body: The server.
        keep: The storage properties that the client sent and that stay as they are; by default those of the body.
    """
    storage = body["properties"]["storage"]
    sent = storage if keep is None else keep
    default = known["storage"].get(storage["storageSizeGB"])
    provisioned = known["provisioned_storage"].get(storage.get("type"))
    if provisioned:
        for name in ("iops", "throughput"):
            storage.setdefault(name, provisioned[name][0])
    elif default:
        if not sent.get("tier"):
            storage["tier"] = default[0]
        if not sent.get("iops"):
            storage["iops"] = known["storage_tiers"].get(storage["tier"], default[1])
    _set_standby(body)
    backup = body["properties"]["backup"]
    backup.setdefault("earliestRestoreDate", dt.datetime.now(dt.UTC).isoformat(timespec="seconds"))


def _set_standby(body: Json) -> None:
    properties = body["properties"]
    available = properties["highAvailability"]
    mode, zone = available.get("mode"), properties.get("availabilityZone")
    available["state"] = "NotEnabled" if mode == "Disabled" else "Healthy"
    if mode == "Disabled":
        available.pop("standbyAvailabilityZone", None)
    else:
        other = "2" if zone == "1" else "1"
        available.setdefault("standbyAvailabilityZone", zone if mode == "SameZone" else other)


def _roles(properties: Mapping[str, Any]) -> Json:
    """Return what a change leaves as it is: only a promotion changes a server's role."""
    kept = ("replica", "replicationRole", "sourceServerResourceId")
    return {name: properties[name] for name in kept if name in properties}


def _fqdn(name: str) -> str:
    return f"{name.lower()}.{SUFFIX}"


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
