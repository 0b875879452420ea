"""The network: three modes by one switch, what each needs and nothing else, and the order that Azure wants."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pulumi
import pytest

PRIVATE: dict[str, Any] = {"firewall": {}, "network": {"mode": "private-endpoint"}}
INJECTED: dict[str, Any] = {"firewall": {}, "network": {"mode": "injected"}}
NETWORKS = ("network:VirtualNetwork", "network:Subnet", "network:PrivateEndpoint", "privatedns:PrivateZone")


def server_of(recording: Any) -> Any:
    return recording.of("azure-native:dbforpostgresql:Server")[0]


def zones(recording: Any) -> set[str]:
    return {one.inputs["privateZoneName"] for one in recording.of("azure-native:privatedns:PrivateZone")}


def last_segments(recording: Any, name: str) -> list[str]:
    configs = recording.one(name).inputs["privateDnsZoneConfigs"]
    return [config["privateDnsZoneId"].rpartition("/")[2] for config in configs]


def test_a_public_server_has_no_network(deploy: Callable[..., Any]) -> None:
    recording = deploy()
    for kind in NETWORKS:
        assert not recording.of(f"azure-native:{kind}")
    assert server_of(recording).inputs["network"] == {"publicNetworkAccess": "Enabled"}


def test_a_stack_that_says_nothing_of_its_network_has_no_public_server(deploy: Callable[..., Any]) -> None:
    recording = deploy({"network": {}, "firewall": {}})
    assert server_of(recording).inputs["network"] == {"publicNetworkAccess": "Disabled"}
    assert recording.one("server-endpoint")
    assert not recording.of("azure-native:dbforpostgresql:FirewallRule")


def test_a_private_endpoint_comes_after_everything_else_of_the_server(deploy: Callable[..., Any]) -> None:
    recording = deploy(PRIVATE)
    assert server_of(recording).inputs["network"] == {"publicNetworkAccess": "Disabled"}
    endpoint = recording.one("server-endpoint")
    connection = endpoint.inputs["privateLinkServiceConnections"][0]
    assert connection["groupIds"] == ["postgresqlServer"]
    assert connection["privateLinkServiceId"].rpartition("/")[2] == server_of(recording).inputs["serverName"]
    assert endpoint.inputs["subnet"]["id"].endswith("/endpoints")
    for earlier in ("server-database", "server-parameters-restart", "network-link-postgres.database.azure.com"):
        assert recording.reaches("server-endpoint", earlier)
    assert last_segments(recording, "server-endpoint-dns") == ["privatelink.postgres.database.azure.com"]
    assert "server-endpoint-dns" in recording.one("database-extension-azure_ai").depends_on | (
        recording.one("database-extension-vector").depends_on
    )
    assert not endpoint.deleted_with, "Azure keeps an endpoint whose target is gone"


def test_an_injected_server_lies_in_a_delegated_subnet_with_a_zone_of_another_name(deploy: Callable[..., Any]) -> None:
    recording = deploy(INJECTED)
    server = server_of(recording)
    network = server.inputs["network"]
    assert network["publicNetworkAccess"] == "Disabled"
    assert network["delegatedSubnetResourceId"].endswith("/server")
    zone = network["privateDnsZoneArmResourceId"].rpartition("/")[2]
    assert zone == "pgai-dev.private.postgres.database.azure.com"
    assert zone != recording.exports["serverFqdn"]
    subnet = recording.one("network-subnet-server").inputs
    assert [one["serviceName"] for one in subnet["delegations"]] == ["Microsoft.DBforPostgreSQL/flexibleServers"]
    assert "delegations" not in recording.one("network-subnet-endpoints").inputs
    assert recording.reaches("server", "network-link-server"), "the name is found once the server is there"
    assert not [one for one in recording.of("azure-native:network:PrivateEndpoint") if one.name == "server-endpoint"]
    assert not recording.of("azure-native:dbforpostgresql:FirewallRule")


def test_a_replica_lies_where_its_primary_does(deploy: Callable[..., Any]) -> None:
    sku = {"name": "Standard_D2ds_v5", "tier": "GeneralPurpose"}
    recording = deploy({**INJECTED, "server": {"sku": sku, "replicas": {"reader": {}}}})
    primary, replica = recording.of("azure-native:dbforpostgresql:Server")
    assert replica.inputs["network"] == primary.inputs["network"]


NETWORKING = "/subscriptions/s/resourceGroups/hub/providers/Microsoft.Network"


def test_what_is_there_is_used_and_not_made(deploy: Callable[..., Any]) -> None:
    subnets = f"{NETWORKING}/virtualNetworks/hub/subnets"
    zone = f"{NETWORKING}/privateDnsZones"
    existing = {
        "resourceGroup": "/subscriptions/s/resourceGroups/ours",
        "serverSubnet": f"{subnets}/database",
        "endpointSubnet": f"{subnets}/desk",
        "dnsZones": [f"{zone}/privatelink.openai.azure.com", f"{zone}/hub.postgres.database.azure.com"],
    }
    recording = deploy({**INJECTED, "existing": existing})
    for kind in ("network:VirtualNetwork", "network:Subnet", "resources:ResourceGroup"):
        assert not recording.of(f"azure-native:{kind}")
    assert server_of(recording).inputs["resourceGroupName"] == "ours"
    assert server_of(recording).inputs["network"] == {
        "publicNetworkAccess": "Disabled",
        "delegatedSubnetResourceId": f"{subnets}/database",
        "privateDnsZoneArmResourceId": f"{zone}/hub.postgres.database.azure.com",
    }
    assert zones(recording) == {"privatelink.cognitiveservices.azure.com"}, "the one that is not there"
    link = recording.one("network-link-cognitiveservices.azure.com").inputs["virtualNetwork"]
    assert link == {"id": f"{NETWORKING}/virtualNetworks/hub"}
    assert recording.one("ai-openai-endpoint").inputs["subnet"]["id"] == f"{subnets}/desk"
    assert last_segments(recording, "ai-openai-endpoint-dns") == ["privatelink.openai.azure.com"]


def test_subnets_are_quarters_and_are_made_one_after_another(deploy: Callable[..., Any]) -> None:
    config = {"firewall": {}, "network": {"mode": "injected", "addressSpace": "172.20.0.0/24"}}
    recording = deploy(config)
    prefixes = {one.name: one.inputs["addressPrefix"] for one in recording.of("azure-native:network:Subnet")}
    assert prefixes == {"network-subnet-server": "172.20.0.0/26", "network-subnet-endpoints": "172.20.0.64/26"}
    assert recording.reaches("network-subnet-endpoints", "network-subnet-server")
    assert "subnets" not in recording.one("network-vnet").inputs


def test_closed_accounts_get_endpoints_after_their_deployments(deploy: Callable[..., Any]) -> None:
    recording = deploy(INJECTED)
    for account in recording.of("azure-native:cognitiveservices:Account"):
        assert account.inputs["properties"]["publicNetworkAccess"] == "Disabled"
        assert account.inputs["properties"]["networkAcls"]["defaultAction"] == "Deny"
    for deployment in ("ai-deployment-answers", "ai-deployment-embedding"):
        assert recording.reaches("ai-openai-endpoint", deployment)
    assert recording.reaches("ai-language-endpoint", "ai-openai-endpoint-dns")
    assert last_segments(recording, "ai-openai-endpoint-dns") == ["privatelink.openai.azure.com"]
    assert last_segments(recording, "ai-language-endpoint-dns") == ["privatelink.cognitiveservices.azure.com"]
    waits = recording.one("database-azure-ai").depends_on
    assert {"ai-openai-endpoint-dns", "ai-language-endpoint-dns"} <= waits


KEYS: dict[str, Any] = {"ai": {"authentication": "keys"}, "keyVault": {"enabled": True, "publicAccess": False}}


@pytest.mark.parametrize("mode", [PRIVATE, INJECTED], ids=["private-endpoint", "injected"])
def test_a_vault_is_found_in_the_network_after_its_secrets(deploy: Callable[..., Any], mode: dict[str, Any]) -> None:
    recording = deploy({**mode, **KEYS})
    endpoint = recording.one("operations-secrets-endpoint")
    connection = endpoint.inputs["privateLinkServiceConnections"][0]
    assert connection["groupIds"] == ["vault"]
    vault = recording.one("operations-secrets-vault").inputs["vaultName"]
    assert connection["privateLinkServiceId"].rpartition("/")[2] == vault
    for earlier in ("operations-secrets-openai-key", "network-link-vaultcore.azure.net", "network-subnet-endpoints"):
        assert recording.reaches("operations-secrets-endpoint", earlier), earlier
    assert last_segments(recording, "operations-secrets-endpoint-dns") == ["privatelink.vaultcore.azure.net"]
    names = [one.inputs["privateEndpointName"] for one in recording.of("azure-native:network:PrivateEndpoint")]
    assert len(set(names)) == len(names)


def test_a_vault_has_no_endpoint_where_no_network_is(deploy: Callable[..., Any]) -> None:
    assert not deploy(KEYS).of("azure-native:network:PrivateEndpoint")
    subnet = f"{NETWORKING}/virtualNetworks/hub/subnets/database"
    accounts = {"authentication": "keys", "network": {"publicAccess": True, "privateEndpoints": False}}
    without = {**INJECTED, **KEYS, "ai": accounts, "existing": {"serverSubnet": subnet}}
    assert not deploy(without).of("azure-native:network:PrivateEndpoint"), "the network has no subnet for it"
    given = {"serverSubnet": subnet, "endpointSubnet": f"{NETWORKING}/virtualNetworks/hub/subnets/desk"}
    [endpoint] = deploy({**without, "existing": given}).of("azure-native:network:PrivateEndpoint")
    assert endpoint.name == "operations-secrets-endpoint"


def test_accounts_stay_open_for_a_server_that_is_in_no_subnet(deploy: Callable[..., Any]) -> None:
    recording = deploy(PRIVATE)
    for account in recording.of("azure-native:cognitiveservices:Account"):
        assert account.inputs["properties"]["publicNetworkAccess"] == "Enabled"
    assert recording.one("ai-openai-endpoint"), "for whoever is in the network"
    without = deploy({**PRIVATE, "ai": {"network": {"privateEndpoints": False}}})
    assert [one.name for one in without.of("azure-native:network:PrivateEndpoint")] == ["server-endpoint"]
    assert zones(without) == {"privatelink.postgres.database.azure.com"}


def test_an_account_of_many_services_is_found_by_all_its_names(deploy: Callable[..., Any]) -> None:
    recording = deploy({**INJECTED, "ai": {"openai": {"kind": "AIServices"}, "language": {"enabled": False}}})
    expected = ["cognitiveservices.azure.com", "openai.azure.com", "services.ai.azure.com"]
    assert last_segments(recording, "ai-openai-endpoint-dns") == [f"privatelink.{name}" for name in expected]


@pytest.mark.parametrize(
    ("name", "server", "accounts", "vault"),
    [
        (
            "AzureUSGovernment",
            "postgres.database.usgovcloudapi.net",
            {"openai.azure.us", "cognitiveservices.azure.us"},
            "vaultcore.usgovcloudapi.net",
        ),
        (
            "AzureChinaCloud",
            "postgres.database.chinacloudapi.cn",
            {"openai.azure.cn", "cognitiveservices.azure.cn"},
            "vaultcore.azure.cn",
        ),
    ],
)
def test_zones_are_those_of_the_cloud(
    deploy: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, name: str, server: str, accounts: set[str], vault: str
) -> None:
    monkeypatch.setenv("AZURE_ENVIRONMENT", name)
    assert f"privatelink.{vault}" in zones(deploy({**PRIVATE, **KEYS}))
    assert zones(deploy(PRIVATE)) == {f"privatelink.{suffix}" for suffix in {server, *accounts}}
    assert zones(deploy(INJECTED)) == {f"pgai-dev.private.{server}", *(f"privatelink.{one}" for one in accounts)}


def test_network_rules_deny_whom_they_do_not_name(deploy: Callable[..., Any]) -> None:
    rules = {"ipRules": ["203.0.113.0/24", "198.51.100.7"], "trustedServices": True}
    recording = deploy({"ai": {"network": rules}})
    for account in recording.of("azure-native:cognitiveservices:Account"):
        assert account.inputs["properties"]["networkAcls"] == {
            "defaultAction": "Deny",
            "bypass": "AzureServices",
            "ipRules": [{"value": "203.0.113.0/24"}, {"value": "198.51.100.7"}],
            "virtualNetworkRules": [],
        }
    open_to_all = deploy().one("ai-openai").inputs["properties"]["networkAcls"]
    assert (open_to_all["defaultAction"], open_to_all["bypass"], open_to_all["ipRules"]) == ("Allow", "None", [])


def test_accounts_call_nobody_unless_they_are_told(deploy: Callable[..., Any]) -> None:
    properties = deploy().one("ai-openai").inputs["properties"]
    assert (properties["restrictOutboundNetworkAccess"], properties["allowedFqdnList"]) == (True, [])
    properties = (
        deploy({"ai": {"network": {"outboundHosts": ["data.example.com"]}}}).one("ai-openai").inputs["properties"]
    )
    assert properties["allowedFqdnList"] == ["data.example.com"]


@pytest.mark.parametrize(
    ("subnet", "config", "said"),
    [
        ("", INJECTED, "lies in no subnet, and the mode is now injected"),
        (
            "/subscriptions/s/virtualNetworks/v/subnets/server",
            {},
            "lies in the subnet server, and the mode is now another",
        ),
        ("/subscriptions/s/virtualNetworks/v/subnets/server", PRIVATE, "lies in the subnet server"),
    ],
)
def test_a_server_neither_enters_nor_leaves_a_subnet(
    deploy: Callable[..., Any], subnet: str, config: dict[str, Any], said: str
) -> None:
    with pytest.raises(pulumi.RunError, match="Put the mode back; or bring up a second stack") as refused:
        deploy(config, preview=True, subnet=subnet)
    assert said in str(refused.value)


def test_the_other_changes_of_the_network_are_left_to_azure(deploy: Callable[..., Any]) -> None:
    for subnet, config in (("", PRIVATE), ("", {}), ("/subscriptions/s/subnets/server", INJECTED)):
        assert server_of(deploy(config, preview=True, subnet=subnet))
