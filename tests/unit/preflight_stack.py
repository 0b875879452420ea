"""The stack that the tests of preflight ask about."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from components.settings import StackSettings
from tools.preflight.finding import Finding
from tools.preflight.wanted import Wanted, wanted_of

SETTINGS: dict[str, Any] = {
    "location": "eastus2",
    "authentication": {
        "entra": True,
        "administrators": [{"name": "team", "objectId": "0" * 8 + "-0000" * 3 + "-" + "0" * 12}],
    },
    "network": {"mode": "public"},
    "firewall": {"rules": {"here": {"start": "203.0.113.1"}}},
    "extensions": ["vector", "azure_ai"],
    "deployments": {"embedding": {"model": "text-embedding-3-small", "version": "1", "capacity": 30}},
}
URN = "urn:pulumi:dev::postgres-genai::"


def state(*, deployed: int = 0) -> list[dict[str, Any]]:
    """A state with the suffix, and a server, a deployment and an extension where there is capacity."""
    found: list[dict[str, Any]] = [
        {
            "type": "random:index/randomString:RandomString",
            "urn": f"{URN}random:index/randomString:RandomString::suffix",
            "outputs": {"result": "a1b2c3"},
        }
    ]
    if deployed:
        group = "/subscriptions/s/resourceGroups/rg-pgai-dev"
        found += [
            {"type": "azure-native:resources:ResourceGroup", "urn": "u", "id": group},
            {
                "type": "azure-native:dbforpostgresql:Server",
                "urn": "u",
                "id": f"{group}/providers/Microsoft.DBforPostgreSQL/flexibleServers/psql-pgai-dev-a1b2c3",
            },
            {
                "type": "azure-native:cognitiveservices:Deployment",
                "urn": "u",
                "id": "x",
                "inputs": {
                    "sku": {"name": "GlobalStandard", "capacity": float(deployed)},
                    "properties": {"model": {"name": "text-embedding-3-small"}},
                },
            },
            {
                "type": "pulumi-python:dynamic/postgresql:Extension",
                "urn": "u",
                "id": "psql-pgai-dev-a1b2c3/contracts/extension/vector",
                "inputs": {"extension": "vector"},
                "outputs": {"extension": "vector", "installedVersion": "0.8.5"},
            },
        ]
    return found


def wanted(resources: Sequence[dict[str, Any]] = (), **settings: Any) -> Wanted:
    return wanted_of(StackSettings.parse({**SETTINGS, **settings}, stack="dev"), "dev", resources)


def statuses(findings: Sequence[Finding]) -> list[str]:
    return [finding.status for finding in findings]
