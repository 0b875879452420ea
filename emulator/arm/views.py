"""The answers to what the data planes ask, built from the store once for each of its revisions."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from emulator.arm import accounts, deployments, private_endpoints, role_assignments, servers, virtual_endpoints
from emulator.arm import body as bodies
from emulator.arm.lookup import Account, Deployment, ServerView
from emulator.arm.resource_id import is_within
from emulator.arm.store import Resource, Store
from emulator.identity import Principal


@dataclass(frozen=True)
class _Snapshot:
    revision: int
    accounts: Mapping[str, Account]
    servers: Mapping[str, ServerView]
    roles: tuple[tuple[str, str, str], ...]
    """Principal, role, scope; all in lower case."""


class ArmLookup:
    """A `Lookup` over the store. Safe from any thread: a snapshot is replaced whole and never changed."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._snapshot = self._build()

    def account_by_host(self, host: str) -> Account | None:
        """Return the account whose endpoint has this host name, or None."""
        return self._current().accounts.get(_bare(host))

    def server_by_host(self, host: str) -> ServerView | None:
        """Return the server with this fully qualified name, or None."""
        return self._current().servers.get(_bare(host))

    def may(self, principal: Principal, role_ids: Collection[str], scope: str) -> bool:
        """Return whether one of the roles is assigned to the principal at the scope or above it."""
        wanted = {role.rpartition("/")[2].lower() for role in role_ids}
        who, where = principal.object_id.lower(), scope.lower()
        return any(
            who == assignee and role in wanted and (at in ("", "/") or is_within(where, at))
            for assignee, role, at in self._current().roles
        )

    def _current(self) -> _Snapshot:
        if self._snapshot.revision != self._store.revision:
            self._snapshot = self._build()
        return self._snapshot

    def _build(self) -> _Snapshot:
        revision = self._store.revision
        found: dict[str, Account] = {}
        private = private_endpoints.approved_targets(self._store)
        for resource in self._store.of_type(accounts.TYPE):
            account = self._account(resource, private=resource.key in private)
            for host in _hosts(resource, account.endpoint):
                found[host] = account
        views = [self._server(item, private=item.key in private) for item in self._store.of_type(servers.TYPE)]
        roles = []
        for item in self._store.of_type(role_assignments.TYPE):
            properties = item.body["properties"]
            role = str(properties["roleDefinitionId"]).rpartition("/")[2]
            roles.append((str(properties["principalId"]).lower(), role.lower(), str(properties["scope"]).lower()))
        hosts = {host: view for view in views for host in (*view.other_names, view.fqdn)}
        return _Snapshot(revision, found, hosts, tuple(roles))

    def _account(self, resource: Resource, *, private: bool) -> Account:
        properties = resource.body["properties"]
        keys = resource.private["keys"]
        listed = {}
        for item in self._store.of_type(deployments.TYPE, resource.key):
            if item.body["properties"].get("deploymentState") != "Running":
                continue
            model, sku = item.body["properties"]["model"], item.body["sku"]
            listed[item.name] = Deployment(item.name, model["name"], model["version"], sku["name"], sku["capacity"])
        return Account(
            resource_id=resource.id,
            name=resource.name,
            kind=resource.body["kind"],
            location=resource.body["location"],
            endpoint=properties["endpoint"],
            keys=(keys["key1"], keys["key2"]),
            local_auth=not properties.get("disableLocalAuth", False),
            public_access=private or properties.get("publicNetworkAccess") == "Enabled",
            deployments=listed,
            in_rules=private or _in_rules(resource),
            sku=resource.body["sku"]["name"],
        )

    def _server(self, resource: Resource, *, private: bool) -> ServerView:
        properties = resource.body["properties"]
        rules = self._store.of_type(f"{servers.TYPE}/firewallRules", resource.key)
        admins = self._store.of_type(f"{servers.TYPE}/administrators", resource.key)
        auth = properties["authConfig"]
        return ServerView(
            resource_id=resource.id,
            name=resource.name.lower(),
            fqdn=properties["fullyQualifiedDomainName"],
            state=properties["state"],
            public_access=properties["network"]["publicNetworkAccess"] == "Enabled",
            firewall=tuple(
                (rule.body["properties"]["startIpAddress"], rule.body["properties"]["endIpAddress"]) for rule in rules
            ),
            entra=auth["activeDirectoryAuth"] == "Enabled",
            password=auth["passwordAuth"] == "Enabled",
            administrator_login=properties.get("administratorLogin"),
            administrators={admin.body["properties"]["principalName"]: admin.name for admin in admins},
            inside=private or bool(properties["network"].get("delegatedSubnetResourceId")),
            other_names=tuple(virtual_endpoints.hosts_of(self._store, resource)),
        )


def _hosts(resource: Resource, endpoint: str) -> list[str]:
    hosts = {endpoint.removeprefix("https://").rstrip("/").lower()}
    for url in resource.body["properties"]["endpoints"].values():
        hosts.add(str(url).removeprefix("https://").rstrip("/").lower())
    return sorted(hosts)


def _in_rules(resource: Resource) -> bool:
    """Return whether the account's network rules let this machine in; no rule for a subnet does."""
    acls = resource.body["properties"].get("networkAcls") or {}
    if acls.get("defaultAction", "Allow") == "Allow":
        return True
    here = ipaddress.ip_address("127.0.0.1")
    ranges = [bodies.get(rule, "value") for rule in acls.get("ipRules") or []]
    return any(value and here in ipaddress.ip_network(value, strict=False) for value in ranges)


def _bare(host: str) -> str:
    return host.partition(":")[0].lower()
