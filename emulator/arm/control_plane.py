"""The control plane: one request in, one answer out; no HTTP in here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from emulator.arm import (
    accounts,
    container_apps,
    content_filters,
    deployments,
    facts,
    locks,
    monitoring,
    networks,
    private_endpoints,
    resource_providers,
    routes,
    vaults,
)
from emulator.arm.accounts import Accounts
from emulator.arm.body import Json
from emulator.arm.catalogue import TypeRules
from emulator.arm.configurations import Configurations
from emulator.arm.deployments import Deployments
from emulator.arm.errors import ArmError, unsupported_api_version
from emulator.arm.kind import Answer, Call, Kind, Plane
from emulator.arm.resource_groups import ResourceGroups
from emulator.arm.role_assignments import RoleAssignments
from emulator.arm.role_definitions import RoleDefinitions
from emulator.arm.server_children import Administrators, Databases, FirewallRules
from emulator.arm.server_extras import Backups, Connections, Replicas, ThreatProtection
from emulator.arm.servers import TYPE as SERVER
from emulator.arm.servers import Servers
from emulator.arm.store import Resource
from emulator.arm.virtual_endpoints import VirtualEndpoints
from emulator.identity import Principal

_LOCATIONS = re.compile(r"/subscriptions/[^/]+/providers/([^/]+)/locations/([^/]+)/(.+)", re.IGNORECASE)
_DELETED = re.compile(r"resourcegroups/([^/]+)/deletedaccounts/([^/]+)", re.IGNORECASE)
_DELETED_VAULT = re.compile(r"deletedvaults/([^/]+)/purge", re.IGNORECASE)


class ControlPlane:
    """Resource Manager over a store."""

    def __init__(self, plane: Plane) -> None:
        self.plane = plane
        self._plain = Kind(plane)
        self._vaults = vaults.Vaults(plane)
        subnets = networks.Subnets(plane)
        self._kinds: dict[str, Kind] = {
            "microsoft.resources/resourcegroups": ResourceGroups(plane),
            SERVER.lower(): Servers(plane),
            f"{SERVER}/databases".lower(): Databases(plane),
            f"{SERVER}/firewallrules".lower(): FirewallRules(plane),
            f"{SERVER}/administrators".lower(): Administrators(plane),
            f"{SERVER}/configurations".lower(): Configurations(plane),
            f"{SERVER}/virtualendpoints".lower(): VirtualEndpoints(plane),
            f"{SERVER}/backups".lower(): Backups(plane),
            f"{SERVER}/replicas".lower(): Replicas(plane),
            f"{SERVER}/advancedthreatprotectionsettings".lower(): ThreatProtection(plane),
            f"{SERVER}/privateendpointconnections".lower(): Connections(plane),
            accounts.TYPE.lower(): Accounts(plane),
            deployments.TYPE.lower(): Deployments(plane),
            content_filters.TYPE.lower(): content_filters.ContentFilters(plane),
            "microsoft.authorization/roleassignments": RoleAssignments(plane),
            "microsoft.authorization/roledefinitions": RoleDefinitions(plane),
            networks.NETWORK.lower(): networks.Networks(subnets),
            networks.SUBNET.lower(): subnets,
            networks.SECURITY_GROUP.lower(): networks.SecurityGroups(plane),
            private_endpoints.TYPE.lower(): private_endpoints.PrivateEndpoints(plane),
            vaults.VAULT.lower(): self._vaults,
            f"{vaults.VAULT}/secrets".lower(): vaults.Secrets(plane),
            f"{vaults.VAULT}/keys".lower(): vaults.Keys(plane),
            monitoring.WORKSPACE.lower(): monitoring.Workspaces(plane),
            monitoring.SETTING.lower(): monitoring.DiagnosticSettings(plane),
            "microsoft.insights/metricalerts": monitoring.MetricAlerts(plane),
            "microsoft.insights/scheduledqueryrules": monitoring.QueryRules(plane),
            "microsoft.consumption/budgets": monitoring.Budgets(plane),
            "microsoft.app/managedenvironments": container_apps.Environments(plane),
            "microsoft.app/jobs": container_apps.Jobs(plane),
        }

    async def answer(
        self, method: str, path: str, query: Mapping[str, str], body: Json, principal: Principal
    ) -> Answer:
        """Answer a request that is authenticated and allowed.

        Raises:
            ArmError: Every answer that is not a success.
        """
        if "api-version" not in query:
            message = "The api-version query parameter (?api-version=) is required for all requests."
            raise ArmError(400, "MissingApiVersionParameter", message)
        asked = facts.answer(self.plane, method, path, body, principal)
        if asked is not None:
            return asked
        special = self._special(method, path, body)
        if special is not None:
            return special
        target = routes.parse(path, method)
        rules = self.plane.catalogue.rules(target.id.type)
        if rules is None:
            raise ArmError(
                404,
                "InvalidResourceType",
                f"The resource type '{'/'.join(target.id.types)}' could not be found in the namespace "
                f"'{target.id.namespace}' for api version '{query['api-version']}'.",
                "the emulator has the types of its catalogue only",
            )
        self._check_version(rules, query["api-version"])
        if method == "PUT":
            resource_providers.check(self.plane.store, self.subscription_id, target.id.namespace)
        call = Call(target.id, rules, body, query, principal, target.action)
        if method not in ("GET", "HEAD"):
            locks.check(self.plane.store, method, call)
            exists = self.plane.store.get(call.id.key) is not None
            self.plane.conflicts.draw(rules.type, call.id.text, exists=exists)
        try:
            return await self._dispatch(method, target, self._kinds.get(rules.type.lower(), self._plain), call)
        except ArmError as error:
            self.plane.conflicts.count(error)
            raise

    async def _dispatch(  # noqa: PLR0911 - one return a method
        self, method: str, target: routes.Target, kind: Kind, call: Call
    ) -> Answer:
        if target.is_list:
            if method != "GET":
                raise ArmError(
                    405, "HttpMethodNotAllowed", f"The HTTP method '{method}' is not supported at this scope."
                )
            return kind.list(call)
        if method == "GET":
            return kind.get(call)
        if method == "HEAD":
            return Answer(204 if self.plane.store.get(call.id.key) else 404)
        if method == "PUT":
            return await kind.put(call)
        if method == "PATCH":
            return await kind.patch(call)
        if method == "DELETE":
            return await kind.delete(call)
        return await kind.act(call)

    def _check_version(self, rules: TypeRules, version: str) -> None:
        if version not in rules.api_versions:
            namespace, _, short = rules.type.partition("/")
            raise unsupported_api_version(namespace, short, version, rules.api_versions)

    def _special(self, method: str, path: str, body: Json) -> Answer | None:
        parts = path.strip("/").split("/")
        lower = [part.lower() for part in parts]
        if method == "GET" and lower[0] == "subscriptions" and len(parts) <= 2:
            return self._subscriptions(parts)
        if method == "GET" and lower[-1] == "resources" and len(parts) in (3, 5):
            scope = path.rstrip("/").rpartition("/")[0]
            return Answer(200, {"value": [_brief(item.to_json()) for item in self._top_level(scope)]})
        if lower[-1] == "checknameavailability":
            return self._name_availability(body)
        if lower[-2:] == ["microsoft.cognitiveservices", "deletedaccounts"]:
            return Answer(200, {"value": accounts.deleted_accounts(self._kinds[accounts.TYPE.lower()])})
        match = _LOCATIONS.fullmatch(path)
        if "microsoft.keyvault" in lower and "deletedvaults" in lower:
            return self._deleted_vaults(method, match[3] if match else "")
        return self._at_location(method, match[1], match[2], match[3]) if match else None

    def _deleted_vaults(self, method: str, rest: str) -> Answer:
        vault = _DELETED_VAULT.fullmatch(rest)
        if vault and method == "POST":
            self._vaults.purge(vault[1])
            return Answer(202)
        return Answer(200, {"value": self._vaults.deleted()})

    def _at_location(self, method: str, namespace: str, location: str, rest: str) -> Answer | None:
        kind = self._kinds[accounts.TYPE.lower()]
        if namespace.lower() != "microsoft.cognitiveservices":
            return None
        if rest.lower() == "models":
            return Answer(200, {"value": deployments.models_of(kind, location)})
        if rest.lower() == "usages":
            return Answer(200, {"value": deployments.usages_of(kind, location)})
        match = _DELETED.fullmatch(rest)
        if match is None:
            return None
        if method == "DELETE":
            accounts.purge(kind, location, match[1], match[2])
            return Answer(200)
        found = accounts.deleted_accounts(kind, location, match[1], match[2])
        if not found:
            raise ArmError(404, "ResourceNotFound", f"There is no deleted account '{match[2]}' in '{match[1]}'.")
        return Answer(200, found[0])

    def _subscriptions(self, parts: list[str]) -> Answer:
        subscription = {
            "id": f"/subscriptions/{self.subscription_id}",
            "subscriptionId": self.subscription_id,
            "tenantId": self.plane.tenant_id,
            "displayName": "emulator",
            "state": "Enabled",
        }
        return Answer(200, subscription if len(parts) == 2 else {"value": [subscription]})

    @property
    def subscription_id(self) -> str:
        """The one subscription that there is."""
        return self.plane.subscription_id

    def _top_level(self, scope: str) -> list[Any]:
        return [item for item in self.plane.store.within(scope) if item.type.count("/") == 1 and self._is_listed(item)]

    def _is_listed(self, item: Resource) -> bool:
        rules = self.plane.catalogue.rules(item.type)
        return not item.type.lower().startswith("microsoft.resources") and not (rules and rules.extension)

    def _name_availability(self, body: Json) -> Answer:
        name, kind = str(body.get("name", "")), str(body.get("type", ""))
        taken = any(item.name.lower() == name.lower() for item in self.plane.store.of_type(kind))
        answer: Json = {"name": name, "nameAvailable": not taken}
        if taken:
            answer |= {"reason": "AlreadyExists", "message": f"Specified server name '{name}' is already used."}
        return Answer(200, answer)


def _brief(body: Json) -> Json:
    return {
        key: body[key] for key in ("id", "name", "type", "location", "tags", "kind", "sku", "identity") if key in body
    }
