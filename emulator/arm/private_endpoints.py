"""Private endpoints: what they may lead to, and when."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import replace

from emulator.arm import accounts, locks, networks, servers
from emulator.arm import body as bodies
from emulator.arm.body import Json
from emulator.arm.errors import ArmError, reference_not_found, request_conflict, scope_locked, server_busy
from emulator.arm.kind import Answer, Call, Kind
from emulator.arm.store import Resource, Store

TYPE = "Microsoft.Network/privateEndpoints"

# azure-docs, "Private endpoint DNS zone values": group ids and the suffix of the public names
_GROUPS = {
    servers.TYPE.lower(): "postgresqlServer",
    accounts.TYPE.lower(): "account",
    "microsoft.keyvault/vaults": "vault",
}
_CONNECTIONS = ("properties.privateLinkServiceConnections[]", "properties.manualPrivateLinkServiceConnections[]")


def approved_targets(store: Store) -> set[str]:
    """Return the ids, in lower case, of what approved private endpoints lead to."""
    return {
        str(bodies.get(connection, "properties.privateLinkServiceId")).lower()
        for endpoint in store.of_type(TYPE)
        for connection in _connections(endpoint.to_json())
        if bodies.get(connection, "properties.privateLinkServiceConnectionState.status") == "Approved"
    }


def connections_to(store: Store, target: Resource) -> list[Json]:
    """Return the private endpoint connections of a resource as the resource shows them."""
    found = []
    for endpoint in store.of_type(TYPE):
        for connection in _connections(endpoint.to_json()):
            if str(bodies.get(connection, "properties.privateLinkServiceId")).lower() != target.key:
                continue
            name = f"{endpoint.name}.{connection['name']}"
            properties = {
                "groupIds": bodies.get(connection, "properties.groupIds"),
                "privateEndpoint": {"id": endpoint.id},
                "privateLinkServiceConnectionState": bodies.get(
                    connection, "properties.privateLinkServiceConnectionState"
                ),
                "provisioningState": "Succeeded",
            }
            kind = f"{target.type}/privateEndpointConnections"
            resource_id = f"{target.id}/privateEndpointConnections/{name}"
            found.append({"id": resource_id, "name": name, "type": kind, "properties": properties})
    return found


class PrivateEndpoints(Kind):
    """Microsoft.Network/privateEndpoints."""

    async def put(self, call: Call) -> Answer:
        """Create or change an endpoint; that works on what it leads to, so it holds that resource's lock."""
        existing = self.store.get(call.id.key)
        self.check_place(call)
        call.rules.check(call.body, existing.body if existing else None)
        self.check_references(call, call.body)
        targets = [self._target(call, connection) for connection in _connections(call.body)]
        if not targets:
            raise ArmError(
                400, "InvalidRequestFormat", f"Private endpoint '{call.id.name}' names no private link service."
            )
        known = {target.key for target in self._targets(existing)} if existing else set()
        if any(target.key not in known for target in targets):
            for target in targets:
                self._check_target(target)
        self._check_subnet(call.body)
        resource = self.made(call, call.body, existing)
        body = resource.to_json()
        self._complete(body)
        resource = replace(resource, body=body)

        async def work() -> None:
            self.store.put(resource)

        operation = self.begin(call, work, targets[0].key)
        return Answer(
            200 if existing else 201,
            {**body, "properties": {**body["properties"], "provisioningState": "Updating"}},
            operation,
        )

    async def patch(self, call: Call) -> Answer:
        """Change the tags."""
        existing = self.existing(call)
        changed = {**existing.to_json(), "tags": call.body.get("tags") or {}}
        return Answer(200, self.store.put(replace(existing, body=changed)).to_json())

    async def delete(self, call: Call) -> Answer:
        """Delete an endpoint; a lock on what it leads to forbids that (azurerm #17478)."""
        endpoint = self.store.get(call.id.key)
        if endpoint is None:
            return Answer(204)
        targets = self._targets(endpoint)
        for target in targets:
            scopes = locks.locked(self.store, target.id, deletes=True)
            if scopes:
                proxy = f"{target.id}/privateEndpointConnectionProxies/{endpoint.name}"
                raise _from(target, scope_locked(proxy, "delete", scopes))
            self._check_idle(target)

        async def work() -> None:
            self.store.remove(endpoint.key)

        lock = targets[0].key if targets else endpoint.key
        return Answer(202, None, self.begin(call, work, lock, deletes=True))

    def _targets(self, endpoint: Resource) -> list[Resource]:
        named = [
            bodies.get(connection, "properties.privateLinkServiceId") for connection in _connections(endpoint.to_json())
        ]
        return [target for target in map(self.store.get, map(str, named)) if target]

    def _target(self, call: Call, connection: Json) -> Resource:
        wanted = str(bodies.get(connection, "properties.privateLinkServiceId") or "")
        target = self.store.get(wanted)
        if target is None:
            raise reference_not_found(call.id.text, call.id.namespace, wanted)
        group, groups = _GROUPS.get(target.type.lower()), bodies.get(connection, "properties.groupIds") or []
        if group is None or groups != [group]:
            why = f"Private endpoints of a {target.type} have the group id {group}, not {', '.join(map(str, groups))}."
            raise ArmError(400, "InvalidPrivateLinkServiceGroupId", why)  # unverified
        return target

    def _check_target(self, target: Resource) -> None:
        if target.type == servers.TYPE:
            if bodies.get(target.body, "properties.network.delegatedSubnetResourceId"):
                # azurerm #27732; what follows "failed." is unverified
                why = "Private endpoints are not for a server in a subnet."
                raise _from(target, ArmError(400, "PrivateEndpointFeatureNotSupportedOnServer", why))
            if target.body["properties"]["state"] != "Ready":
                raise _from(target, server_busy(target.name))
        if target.type == accounts.TYPE:
            state = target.body["properties"]["provisioningState"]
            if state != "Succeeded":
                # text: azurerm #31712, pulumi-defang #274
                why = f"Account {target.id} in state {'Accepted' if state == 'Creating' else state}"
                raise _from(target, ArmError(400, "AccountProvisioningStateInvalid", why))
        self._check_idle(target)

    def _check_idle(self, target: Resource) -> None:
        if self.operations.holder(target.key):
            busy = server_busy(target.name) if target.type == servers.TYPE else request_conflict(target.id)
            raise _from(target, busy)

    def _check_subnet(self, body: Json) -> None:
        subnet = self.store.get(str(bodies.get(body, "properties.subnet.id")))
        if subnet and networks.delegations(subnet):
            # azure-docs #47048: the portal says the same; the code is unverified
            why = f"The subnet {subnet.id} has a delegation and cannot be used with a private endpoint."
            raise ArmError(400, "PrivateEndpointCannotBeCreatedInSubnetWithDelegation", why)

    def _complete(self, body: Json) -> None:
        properties = body["properties"]
        for path, status in zip(_CONNECTIONS, ("Approved", "Pending"), strict=True):
            for connection in bodies.find(body, path):
                inner = connection["properties"]
                state = {"status": status, "description": "", "actionsRequired": "None"}
                inner.setdefault("privateLinkServiceConnectionState", state)
                inner["provisioningState"] = "Succeeded"
        name = body["name"]
        group = body["id"].rpartition("/providers/")[0]
        properties["networkInterfaces"] = [{"id": f"{group}/providers/Microsoft.Network/networkInterfaces/{name}.nic"}]
        targets = [
            self.store.get(str(bodies.get(item, "properties.privateLinkServiceId"))) for item in _connections(body)
        ]
        address = self._address(body)
        properties["customDnsConfigs"] = [
            {"fqdn": host, "ipAddresses": [address]} for target in targets if target for host in _hosts(target)
        ]

    def _address(self, body: Json) -> str:
        """Return the address that an endpoint has in its subnet: the first that Azure gives out, and one more each."""
        subnet_id = str(bodies.get(body, "properties.subnet.id"))
        before = self.store.get(str(body["id"]))
        known = bodies.find(before.body, "properties.customDnsConfigs[].ipAddresses[]") if before else []
        if known:
            return str(known[0])
        subnet = self.store.get(subnet_id)
        prefixes = bodies.find(subnet.body, "properties.addressPrefix") if subnet else []
        prefixes += bodies.find(subnet.body, "properties.addressPrefixes[]") if subnet else []
        # Azure keeps the first four addresses of a subnet for itself.
        return str(ipaddress.ip_network(str(prefixes[0]))[4 + len(networks.users_of(self.store, subnet_id))])


def _connections(body: Json) -> Iterator[Json]:
    for path in _CONNECTIONS:
        yield from bodies.find(body, path)


def _hosts(target: Resource) -> list[str]:
    properties = target.body["properties"]
    if target.type == servers.TYPE:
        return [str(properties["fullyQualifiedDomainName"])]
    urls = [*bodies.find(properties, "endpoints[]"), *bodies.find(properties, "vaultUri")]
    return sorted({str(url).removeprefix("https://").rstrip("/") for url in urls})


def _from(target: Resource, error: ArmError) -> ArmError:
    """Return what the network service says when the target's own service refuses."""
    return ArmError(
        error.status, error.code, f"Call to {target.type} failed. Error message: {error.message}", error.why
    )
