"""Networks and their subnets: ranges, what lies in them, and what then cannot change."""

from typing import Any

import pytest

from tests.emulator.arm_daemon import GROUP, SERVERS, ArmDaemon, server_body

NETWORK = f"{GROUP}/providers/Microsoft.Network"
VNET = f"{NETWORK}/virtualNetworks/hub"
ZONE = f"{NETWORK}/privateDnsZones/hub.private.postgres.database.azure.com"
FLEXIBLE = "Microsoft.DBforPostgreSQL/flexibleServers"


def subnet(prefix: str, delegation: str = "") -> dict[str, Any]:
    """Return the body of a subnet."""
    delegations = [{"name": "only", "properties": {"serviceName": delegation}}] if delegation else []
    return {"properties": {"addressPrefix": prefix, "delegations": delegations}}


@pytest.fixture(scope="module", autouse=True)
def network(arm: ArmDaemon) -> None:
    space = {"addressSpace": {"addressPrefixes": ["10.1.0.0/16"]}}
    listed = [{"name": "first", **subnet("10.1.1.0/24")}]
    arm.done("PUT", VNET, {"location": "eastus2", "properties": {**space, "subnets": listed}})
    arm.done("PUT", f"{VNET}/subnets/database", subnet("10.1.2.0/24", FLEXIBLE))
    arm.done("PUT", ZONE, {"location": "global"})


def injected(**network: Any) -> dict[str, Any]:
    return server_body(
        network={
            "delegatedSubnetResourceId": f"{VNET}/subnets/database",
            "privateDnsZoneArmResourceId": ZONE,
            **network,
        }
    )


def test_a_network_shows_its_subnets_and_keeps_those_that_it_does_not_list(arm: ArmDaemon) -> None:
    body = {"location": "eastus2", "properties": {"addressSpace": {"addressPrefixes": ["10.1.0.0/16"]}}}
    again = arm.done("PUT", VNET, body)
    assert [item["name"] for item in again["properties"]["subnets"]] == ["first", "database"]
    assert again["properties"]["subnets"][0]["id"] == f"{VNET}/subnets/first"


@pytest.mark.parametrize(
    ("prefix", "code"),
    [
        ("10.2.0.0/24", "NetcfgInvalidSubnet"),
        ("10.1.1.128/25", "NetcfgSubnetRangesOverlap"),
        ("everything", "InvalidAddressPrefixFormat"),
    ],
)
def test_ranges_that_do_not_fit(arm: ArmDaemon, prefix: str, code: str) -> None:
    assert arm.refused("PUT", f"{VNET}/subnets/odd", subnet(prefix))[1] == code


def test_a_server_in_a_subnet_keeps_it(arm: ArmDaemon) -> None:
    made = arm.done("PUT", f"{SERVERS}/inside", injected())
    assert made["properties"]["network"]["publicNetworkAccess"] == "Disabled"
    for path in (f"{VNET}/subnets/database", VNET):
        status, code, message = arm.refused("DELETE", path)
        assert (status, code) == (400, "InUseSubnetCannotBeDeleted")
        assert f"Subnet database is in use by {SERVERS}/inside and cannot be deleted." in message
    bare = subnet("10.1.2.0/24")
    assert arm.refused("PUT", f"{VNET}/subnets/database", bare)[1] == "InUseSubnetCannotBeUpdated"
    arm.done("PUT", f"{VNET}/subnets/database", subnet("10.1.2.0/24", FLEXIBLE))


def test_this_machine_counts_as_inside_and_firewall_rules_do_not_apply(arm: ArmDaemon) -> None:
    view = arm.daemon.lookup.server_by_host("inside.postgres.database.azure.com")
    assert view is not None
    assert view.inside
    assert not view.public_access
    rule = {"properties": {"startIpAddress": "127.0.0.1", "endIpAddress": "127.0.0.1"}}
    assert "private access" in arm.refused("PUT", f"{SERVERS}/inside/firewallRules/here", rule)[2]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (
            {"privateDnsZoneArmResourceId": f"{NETWORK}/privateDnsZones/example.com"},
            "ends with .postgres.database.azure",
        ),
        ({"privateDnsZoneArmResourceId": f"{NETWORK}/privateDnsZones/own.postgres.database.azure.com"}, "server's own"),
        ({"privateDnsZoneArmResourceId": ZONE.replace("hub.", "absent.")}, "there is no private DNS zone"),
        ({"publicNetworkAccess": "Enabled"}, "has public network access disabled"),
        ({"delegatedSubnetResourceId": f"{VNET}/subnets/absent"}, "there is no subnet"),
        ({"delegatedSubnetResourceId": f"{VNET}/subnets/first"}, "is not delegated to"),
    ],
)
def test_networks_that_a_server_cannot_have(arm: ArmDaemon, change: dict[str, str], expected: str) -> None:
    assert expected in arm.refused("PUT", f"{SERVERS}/own", injected(**change))[2]


def test_a_subnet_in_another_region(arm: ArmDaemon) -> None:
    body = {**injected(), "location": "westeurope"}
    assert "the subnet is in eastus2 and the server in westeurope" in arm.refused("PUT", f"{SERVERS}/far", body)[2]


def test_a_public_server_does_not_move_into_a_subnet(arm: ArmDaemon) -> None:
    arm.server("outside")
    assert "cannot change" in arm.refused("PUT", f"{SERVERS}/outside", injected())[2]


def test_a_security_group_in_use_stays(arm: ArmDaemon) -> None:
    group = f"{NETWORK}/networkSecurityGroups/rules"
    arm.done("PUT", group, {"location": "eastus2"})
    guarded = {"properties": {"addressPrefix": "10.1.3.0/24", "networkSecurityGroup": {"id": group}}}
    arm.done("PUT", f"{VNET}/subnets/guarded", guarded)
    assert arm.refused("DELETE", group)[1] == "InUseNetworkSecurityGroupCannotBeDeleted"
    arm.done("DELETE", f"{VNET}/subnets/guarded")
    arm.done("DELETE", group)


def test_an_environment_with_profiles_needs_its_delegation(arm: ArmDaemon) -> None:
    place = {"infrastructureSubnetId": f"{VNET}/subnets/first"}
    properties = {"vnetConfiguration": place, "workloadProfiles": [{"name": "Consumption"}]}
    body = {"location": "eastus2", "properties": properties}
    path = f"{GROUP}/providers/Microsoft.App/managedEnvironments/inside"
    assert "must be delegated" in arm.refused("PUT", path, body)[2]
