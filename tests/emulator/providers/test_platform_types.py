"""The types around servers and accounts in azure-native: what is refused, where a property goes, what replaces."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from emulator.providers import documented
from emulator.providers.resource_types import RESOURCE_TYPES
from emulator.state import SUBSCRIPTION_ID
from tests.emulator.provider_arm import TinyArm
from tests.emulator.provider_client import Client, made, refused

RESOURCES = f"/subscriptions/{SUBSCRIPTION_ID}/resourceGroups/contracts/providers"
VNET = "azure-native:network:VirtualNetwork"
SUBNET = "azure-native:network:Subnet"
SECRET = "azure-native:keyvault:Secret"
JOB = "azure-native:app:Job"
HIDDEN = "not-to-be-seen"


def test_the_page_of_the_docs_is_what_the_types_say() -> None:
    assert (Path(__file__).parents[3] / "docs" / "resource-types.md").read_text(encoding="utf-8") == documented.table()


@pytest.mark.parametrize("token", sorted(RESOURCE_TYPES))
def test_an_unknown_property_is_refused_for_every_type(client: Client, token: str) -> None:
    _, failures = client.check(token, {"colour": "blue"})
    assert any(reason.startswith("unknown property 'colour'. The properties are: ") for reason in failures)


@pytest.mark.parametrize("token", sorted(RESOURCE_TYPES))
def test_a_value_of_another_kind_is_refused_for_every_property_of_every_type(client: Client, token: str) -> None:
    wrong = {"string": ["x"], "boolean": "yes", "integer": "1", "number": "1", "list": "x", "map": "x", "object": "x"}
    described = RESOURCE_TYPES[token].inputs
    news = {name: wrong[field.shape.kind] for name, field in described.items() if field.shape.kind in wrong}
    _, failures = client.check(token, news)
    for name in news:
        assert any(reason.startswith(f"'{name}' should be of type") for reason in failures), (name, failures)


@pytest.mark.parametrize(
    ("token", "news", "expected"),
    [
        (
            VNET,
            {"addressSpace": {"addressPrefixes": "10.0.0.0/16"}},
            "'addressSpace.addressPrefixes' should be of type",
        ),
        (SUBNET, {"delegations": [{"service": "x"}]}, "unknown property 'delegations[0].service'"),
        (JOB, {"configuration": {"triggerType": "Event"}}, "missing required property 'configuration.replicaTimeout'"),
        ("azure-native:monitor:MetricAlert", {"severity": "high"}, "'severity' should be of type 'integer'"),
        ("azure-native:keyvault:Vault", {"properties": {"sku": {}}}, "missing required property 'properties.tenantId'"),
        ("azure-native:consumption:Budget", {"amount": "much"}, "'amount' should be of type 'number'"),
        ("azure-native:authorization:ManagementLockByScope", {"scope": "/x"}, "missing required property 'level'"),
    ],
)
def test_mistakes(client: Client, token: str, news: dict[str, Any], expected: str) -> None:
    _, failures = client.check(token, news)
    assert any(reason.startswith(expected) for reason in failures), failures


IN_GROUP = {"resourceGroupName": "contracts", "location": "eastus2"}


@pytest.mark.parametrize(
    ("token", "news", "path", "body"),
    [
        (
            "azure-native:operationalinsights:Workspace",
            {**IN_GROUP, "workspaceName": "log", "sku": {"name": "PerGB2018"}, "retentionInDays": 30},
            f"{RESOURCES}/Microsoft.OperationalInsights/workspaces/log",
            {"location": "eastus2", "properties": {"sku": {"name": "PerGB2018"}, "retentionInDays": 30}},
        ),
        (
            "azure-native:keyvault:Key",
            {"resourceGroupName": "contracts", "vaultName": "v", "keyName": "k", "properties": {"kty": "RSA"}},
            f"{RESOURCES}/Microsoft.KeyVault/vaults/v/keys/k",
            {"properties": {"kty": "RSA"}},
        ),
        (
            SUBNET,
            {
                "resourceGroupName": "contracts",
                "virtualNetworkName": "v",
                "subnetName": "s",
                "addressPrefix": "10.0.0.0/24",
                "delegations": [{"name": "d", "serviceName": "Microsoft.DBforPostgreSQL/flexibleServers"}],
            },
            f"{RESOURCES}/Microsoft.Network/virtualNetworks/v/subnets/s",
            {
                "properties": {
                    "addressPrefix": "10.0.0.0/24",
                    "delegations": [
                        {"name": "d", "properties": {"serviceName": "Microsoft.DBforPostgreSQL/flexibleServers"}}
                    ],
                }
            },
        ),
        (
            "azure-native:network:PrivateEndpoint",
            {
                **IN_GROUP,
                "privateEndpointName": "p",
                "subnet": {"id": "/x"},
                "privateLinkServiceConnections": [{"name": "l", "privateLinkServiceId": "/t", "groupIds": ["account"]}],
            },
            f"{RESOURCES}/Microsoft.Network/privateEndpoints/p",
            {
                "location": "eastus2",
                "properties": {
                    "subnet": {"id": "/x"},
                    "privateLinkServiceConnections": [
                        {"name": "l", "properties": {"privateLinkServiceId": "/t", "groupIds": ["account"]}}
                    ],
                },
            },
        ),
        (
            "azure-native:authorization:ManagementLockByScope",
            {"scope": "/subscriptions/s", "lockName": "keep", "level": "CanNotDelete"},
            "/subscriptions/s/providers/Microsoft.Authorization/locks/keep",
            {"properties": {"level": "CanNotDelete"}},
        ),
    ],
    ids=["Workspace", "Key", "Subnet", "PrivateEndpoint", "ManagementLockByScope"],
)
def test_where_properties_go(
    client: Client, arm: TinyArm, token: str, news: dict[str, Any], path: str, body: dict[str, Any]
) -> None:
    resource_id, inputs, outputs = made(client, token, news)
    assert resource_id == path
    (put,) = arm.sent("PUT")
    assert put.body == body
    assert client.read(token, resource_id, inputs, outputs)[1] == inputs


def test_what_lies_deep_in_a_network_resource_is_lifted_out(client: Client) -> None:
    connection = {"name": "l", "privateLinkServiceId": "/t", "groupIds": ["account"]}
    news = {
        **IN_GROUP,
        "privateEndpointName": "p",
        "subnet": {"id": "/x"},
        "privateLinkServiceConnections": [connection],
    }
    _, _, outputs = made(client, "azure-native:network:PrivateEndpoint", news)
    assert outputs["privateLinkServiceConnections"] == [connection]
    assert outputs["subnet"] == {"id": "/x"}


def test_subnets_that_the_program_declares_on_their_own_are_no_drift(client: Client, arm: TinyArm) -> None:
    news = {**IN_GROUP, "virtualNetworkName": "v", "addressSpace": {"addressPrefixes": ["10.0.0.0/16"]}}
    resource_id, inputs, state = made(client, VNET, news)
    properties = arm.resources[resource_id.lower()]["properties"]
    properties["subnets"] = [{"id": f"{resource_id}/subnets/s", "name": "s"}]
    properties["addressSpace"]["addressPrefixes"].append("10.9.0.0/16")
    _, refreshed, outputs = client.read(VNET, resource_id, inputs, state)
    assert "subnets" not in refreshed
    assert refreshed["addressSpace"]["addressPrefixes"] == ["10.0.0.0/16", "10.9.0.0/16"]
    assert [subnet["name"] for subnet in outputs["subnets"]] == ["s"]


@pytest.mark.parametrize(
    ("token", "name", "replaces"),
    [
        (VNET, "location", True),
        (JOB, "environmentId", True),
        ("azure-native:network:PrivateEndpoint", "subnet", True),
        ("azure-native:monitor:ScheduledQueryRule", "scopes", False),
        ("azure-native:network:NetworkSecurityGroup", "location", False),
    ],
)
def test_what_replaces(client: Client, token: str, name: str, replaces: bool) -> None:
    found = client.diff(token, {name: "/a"}, {name: "/b"})
    assert list(found.replaces) == ([name] if replaces else [])
    assert list(found.diffs) == [name]


@pytest.mark.parametrize(
    ("token", "news"),
    [
        (SECRET, {"vaultName": "v", "secretName": "s", "properties": {"value": HIDDEN}}),
        (
            JOB,
            {
                "jobName": "j",
                "location": "eastus2",
                "configuration": {
                    "triggerType": "Event",
                    "replicaTimeout": 60,
                    "secrets": [{"name": "dsn", "value": HIDDEN}],
                },
            },
        ),
    ],
)
def test_a_refusal_shows_no_secret(client: Client, arm: TinyArm, token: str, news: dict[str, Any]) -> None:
    arm.refuse.append(("PUT", 400, "BadRequest", f"The value {HIDDEN} is too short."))
    inputs = client.inputs(token, {"resourceGroupName": "contracts", **news})
    with refused() as texts:
        client.create(token, inputs)
    assert texts == ['Status=400 Code="BadRequest" Message="The value [secret] is too short."']
