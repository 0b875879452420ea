"""Settings of networks: modes, what is there already, and accounts that somebody must reach."""

from __future__ import annotations

from components.settings import StackSettings
from tests.unit.test_settings import GOOD, mistakes


def test_injected_and_private_networks_want_no_firewall() -> None:
    for mode in ("injected", "private-endpoint"):
        settings = StackSettings.parse({**GOOD, "firewall": {}, "network": {"mode": mode}})
        assert settings.accounts_are_public is (mode == "private-endpoint")
        assert settings.accounts_have_endpoints
        assert [note for note in settings.notes if f"network.mode {mode}: the server has no public address" in note]


def test_no_server_is_public_unless_the_stack_says_so() -> None:
    silent = {key: value for key, value in GOOD.items() if key not in ("network", "firewall")}
    assert StackSettings.parse(silent).network.mode == "private-endpoint"
    said = mistakes({**silent, "firewall": GOOD["firewall"]})["firewall.rules"]
    assert "is for network.mode public; with private-endpoint, which is the default, nothing comes from" in said
    assert said.endswith("leave it out, or set that mode")


def test_a_vault_has_a_use_for_the_subnet_of_endpoints() -> None:
    hub = "/subscriptions/s/resourceGroups/hub/providers/Microsoft.Network"
    subnets = {name: f"{hub}/virtualNetworks/hub/subnets/{name}" for name in ("serverSubnet", "endpointSubnet")}
    zone = {"dnsZones": [f"{hub}/privateDnsZones/privatelink.vaultcore.azure.net"]}
    accounts = {"authentication": "keys", "network": {"publicAccess": True, "privateEndpoints": False}}
    config = {**GOOD, "firewall": {}, "network": {"mode": "injected"}, "ai": accounts, "existing": {**subnets, **zone}}
    assert set(mistakes(config)) == {"existing.endpointSubnet", "existing.dnsZones[0]"}
    assert StackSettings.parse({**config, "keyVault": {"enabled": True}}).vault_has_endpoint


def test_a_replica_is_as_closed_as_its_primary() -> None:
    sku = {"name": "Standard_D2ds_v5", "tier": "GeneralPurpose"}
    config = {**GOOD, "firewall": {}, "server": {"sku": sku, "replicas": {"near": {}, "far": {"location": "westus3"}}}}
    said = mistakes({**config, "network": {"mode": "injected"}})
    assert set(said) == {"server.replicas.far.location"}
    assert "has no subnet" in said["server.replicas.far.location"]
    StackSettings.parse({**config, "network": {"mode": "private-endpoint"}})


def test_an_elastic_cluster_lies_in_no_subnet() -> None:
    sku = {"name": "Standard_D2ds_v5", "tier": "GeneralPurpose"}
    server = {"version": "17", "sku": sku, "autoGrow": False, "cluster": {"nodes": 2}}
    config = {**GOOD, "firewall": {}, "server": server}
    assert set(mistakes({**config, "network": {"mode": "injected"}})) == {"server.cluster"}
    StackSettings.parse({**config, "network": {"mode": "private-endpoint"}})


def test_what_is_there_has_a_use_and_a_network_is_given_whole() -> None:
    networks = "/subscriptions/s/resourceGroups/hub/providers/Microsoft.Network"
    subnet, zone = f"{networks}/virtualNetworks/hub/subnets/desk", f"{networks}/privateDnsZones"
    closed = {**GOOD, "firewall": {}, "network": {"mode": "injected"}}
    assert (
        "has no use with network.mode public"
        in mistakes({**GOOD, "existing": {"serverSubnet": subnet}})["existing.serverSubnet"]
    )
    assert set(mistakes({**closed, "existing": {"serverSubnet": subnet}})) == {"existing.endpointSubnet"}
    assert set(mistakes({**closed, "existing": {"endpointSubnet": subnet}})) == {"existing.serverSubnet"}
    odd = {"dnsZones": [f"{zone}/privatelink.postgres.database.azure.com"]}
    assert "serves nothing here" in mistakes({**closed, "existing": odd})["existing.dnsZones[0]"]
    two = {"dnsZones": [f"{zone}/{name}.postgres.database.azure.com" for name in ("a", "b")]}
    assert "two zones of servers" in mistakes({**closed, "existing": two})["existing.dnsZones"]
    assert "the id of a subnet" in mistakes({**closed, "existing": {"serverSubnet": "desk"}})["existing.serverSubnet"]


def test_accounts_that_nobody_could_reach_are_refused() -> None:
    config = {**GOOD, "firewall": {}, "network": {"mode": "injected"}}
    off = {"privateEndpoints": False}
    assert "nobody could reach" in mistakes({**config, "ai": {"network": off}})["ai.network.privateEndpoints"]
    rules = {"ipRules": ["203.0.113.0/24"]}
    assert "counts only with publicAccess" in mistakes({**config, "ai": {"network": rules}})["ai.network.ipRules"]
    assert StackSettings.parse({**config, "ai": {"network": {**rules, "publicAccess": True}}}).accounts_are_public
