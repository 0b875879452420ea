"""A plan that passes every rule, and ways to spoil it."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from datetime import date
from typing import Any

from policy.plan import ACCOUNT, AZURE, DEPLOYMENT, RESOURCE_GROUP, SERVER, STACK, Plan, PlannedResource
from policy.rules.server_network import FIREWALL_RULE, PRIVATE_ENDPOINT
from policy.rules.server_parameters import CONFIGURATION
from policy.rules.server_protection import DIAGNOSTICS, LOCK, THREAT_PROTECTION

TODAY = date(2026, 6, 1)
TAGS = {"owner": "platform", "environment": "prod", "cost-center": "4711", "data-class": "confidential"}
SERVER_INPUTS = {
    "tags": TAGS,
    "version": "16",
    "createMode": "Default",
    "sku": {"name": "Standard_D4ds_v5", "tier": "GeneralPurpose"},
    "storage": {"storageSizeGB": 128, "autoGrow": "Enabled"},
    "backup": {"backupRetentionDays": 14, "geoRedundantBackup": "Enabled"},
    "highAvailability": {"mode": "ZoneRedundant"},
    "maintenanceWindow": {"customWindow": "Enabled", "dayOfWeek": 0},
    "authConfig": {"activeDirectoryAuth": "Enabled", "passwordAuth": "Disabled"},
    "network": {"publicNetworkAccess": "Disabled"},
    "dataEncryption": {"type": "AzureKeyVault"},
}
ACCOUNT_INPUTS = {
    "tags": TAGS,
    "kind": "OpenAI",
    "identity": {"type": "SystemAssigned"},
    "properties": {
        "disableLocalAuth": True,
        "publicNetworkAccess": "Disabled",
        "restrictOutboundNetworkAccess": True,
    },
}
DEPLOYMENT_INPUTS = {
    "sku": {"name": "GlobalStandard", "capacity": 50},
    "properties": {"model": {"name": "text-embedding-3-small"}, "raiPolicyName": "Microsoft.DefaultV2"},
}
PARAMETERS = {
    "azure.extensions": "azure_ai,pgaudit,vector",
    "shared_preload_libraries": "pg_cron,pg_stat_statements,pgaudit",
    "pgaudit.log": "role,ddl,misc",
    "connection_throttle.enable": "on",
    "logfiles.retention_days": "7",
}


def urn(kind: str, name: str) -> str:
    """Return a URN as the engine writes it."""
    return f"urn:pulumi:prod::postgres-genai::{kind}::{name}"


def resource(
    kind: str, name: str, inputs: dict[str, Any], *, about: tuple[str, PlannedResource] | None = None, **more: Any
) -> PlannedResource:
    """Return a resource; `about` is an input of it that comes from another one."""
    refers = {about[0]: frozenset({about[1].urn})} if about else {}
    return PlannedResource(kind=kind, name=name, urn=urn(kind, name), inputs=deepcopy(inputs), refers=refers, **more)


def good() -> dict[str, PlannedResource]:
    """Return the resources of a stack that passes every rule, those to opt in to as well, by name."""
    group = resource(RESOURCE_GROUP, "group", {"tags": TAGS})
    server = resource(SERVER, "server", SERVER_INPUTS, protect=True)
    replica = resource(
        SERVER, "replica", {**SERVER_INPUTS, "createMode": "Replica"}, about=("sourceServerResourceId", server)
    )
    account = resource(ACCOUNT, "openai", ACCOUNT_INPUTS)
    of_server, of_account = ("serverName", server), ("accountName", account)
    made = [
        resource(STACK, "stack", {}, outputs={"serverName": "psql-x", "keyVaultName": "kv-x"}),
        group,
        server,
        replica,
        account,
        resource(f"{AZURE}dbforpostgresql:AdministratorsMicrosoftEntra", "administrator", {}, about=of_server),
        resource(LOCK, "lock", {"level": "CanNotDelete"}, about=("scope", group)),
        resource(THREAT_PROTECTION, "threats", {}, about=of_server),
        resource(DEPLOYMENT, "embedding", DEPLOYMENT_INPUTS, about=of_account),
    ]
    for one in (server, replica):
        made.append(resource(DIAGNOSTICS, f"logs-{one.name}", {}, about=("resourceUri", one)))
        made.append(
            resource(PRIVATE_ENDPOINT, f"endpoint-{one.name}", {}, about=("privateLinkServiceConnections", one))
        )
        made += [
            resource(
                CONFIGURATION,
                f"{one.name}-{name}",
                {"configurationName": name, "value": value},
                about=("serverName", one),
            )
            for name, value in PARAMETERS.items()
        ]
    made.append(resource(DIAGNOSTICS, "logs-openai", {}, about=("resourceUri", account)))
    made.append(resource(PRIVATE_ENDPOINT, "endpoint-openai", {}, about=("privateLinkServiceConnections", account)))
    return {one.name: one for one in made}


Spoil = Callable[[dict[str, PlannedResource]], None]


def setting(name: str, *path: str, value: Any) -> Spoil:
    """Return what sets an input of a resource; None takes it out."""

    def spoil(resources: dict[str, PlannedResource]) -> None:
        inside: Any = resources[name].inputs
        for key in path[:-1]:
            inside = inside.setdefault(key, {})
        inside.pop(path[-1], None) if value is None else inside.__setitem__(path[-1], value)

    return spoil


def without(*names: str) -> Spoil:
    """Return what takes resources out."""

    def spoil(resources: dict[str, PlannedResource]) -> None:
        for name in names:
            del resources[name]

    return spoil


def firewall(*ranges: tuple[str, str]) -> Spoil:
    """Return what adds firewall rules to the server."""

    def spoil(resources: dict[str, PlannedResource]) -> None:
        for position, (start, end) in enumerate(ranges):
            inputs = {"startIpAddress": start, "endIpAddress": end}
            name = f"rule-{position}"
            resources[name] = resource(FIREWALL_RULE, name, inputs, about=("serverName", resources["server"]))

    return spoil


def unprotected(resources: dict[str, PlannedResource]) -> None:
    """Take the engine's protection off the server."""
    resources["server"] = replace(resources["server"], protect=False)


def exporting(name: str, value: object) -> Spoil:
    """Return what adds an output to the stack."""

    def spoil(resources: dict[str, PlannedResource]) -> None:
        resources["stack"] = replace(resources["stack"], outputs={**resources["stack"].outputs, name: value})

    return spoil


def plan(*spoils: Spoil, today: date = TODAY) -> Plan:
    """Return the good plan, spoiled, on a day when its model is years from its end."""
    resources = good()
    for spoil in spoils:
        spoil(resources)
    return Plan(tuple(resources.values()), today)
