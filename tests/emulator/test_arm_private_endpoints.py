"""Private endpoints: what they may lead to, when, and whom they let in."""

import threading
from typing import Any

import pytest

from emulator.arm import operations
from tests.emulator.arm_daemon import ACCOUNTS, GROUP, SERVERS, ArmDaemon, account_body, deployment_body, server_body

NETWORK = f"{GROUP}/providers/Microsoft.Network"
ENDPOINTS = f"{NETWORK}/privateEndpoints"
VNET = f"{NETWORK}/virtualNetworks/links"
ACCOUNT = f"{ACCOUNTS}/linked"
LOCK = "providers/Microsoft.Authorization/locks/keep"


def endpoint(target: str, group: str, subnet: str = "desk") -> dict[str, Any]:
    connection = {"name": "link", "properties": {"privateLinkServiceId": target, "groupIds": [group]}}
    properties = {"subnet": {"id": f"{VNET}/subnets/{subnet}"}, "privateLinkServiceConnections": [connection]}
    return {"location": "eastus2", "properties": properties}


@pytest.fixture(scope="module", autouse=True)
def network(arm: ArmDaemon) -> None:
    delegation = {"name": "only", "properties": {"serviceName": "Microsoft.DBforPostgreSQL/flexibleServers"}}
    subnets = [
        {"name": "desk", "properties": {"addressPrefix": "10.2.1.0/24"}},
        {"name": "database", "properties": {"addressPrefix": "10.2.2.0/24", "delegations": [delegation]}},
    ]
    properties = {"addressSpace": {"addressPrefixes": ["10.2.0.0/16"]}, "subnets": subnets}
    arm.done("PUT", VNET, {"location": "eastus2", "properties": properties})
    arm.done("PUT", ACCOUNT, account_body(customSubDomainName="linked", publicNetworkAccess="Disabled"))


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make operations last until the test has asked about them."""
    monkeypatch.setattr(operations, "MINIMUM_SECONDS", 1.0)


def test_an_endpoint_lets_this_machine_in_although_public_access_is_off(arm: ArmDaemon) -> None:
    arm.done("PUT", f"{SERVERS}/linked", server_body(network={"publicNetworkAccess": "Disabled"}))
    view = arm.daemon.lookup.server_by_host("linked.postgres.database.azure.com")
    assert view is not None
    assert (view.public_access, view.inside) == (False, False)
    made = arm.done("PUT", f"{ENDPOINTS}/to-server", endpoint(f"{SERVERS}/linked", "postgresqlServer"))
    properties = made["properties"]
    assert properties["provisioningState"] == "Succeeded"
    connection = properties["privateLinkServiceConnections"][0]["properties"]
    assert connection["privateLinkServiceConnectionState"]["status"] == "Approved"
    assert properties["customDnsConfigs"] == [
        {"fqdn": "linked.postgres.database.azure.com", "ipAddresses": ["10.2.1.4"]}
    ]
    view = arm.daemon.lookup.server_by_host("linked.postgres.database.azure.com")
    assert view is not None
    assert view.inside
    connections = arm.call("GET", f"{SERVERS}/linked/privateEndpointConnections").json()["value"]
    assert [item["properties"]["privateEndpoint"]["id"] for item in connections] == [f"{ENDPOINTS}/to-server"]
    again = arm.done("PUT", f"{ENDPOINTS}/to-server", endpoint(f"{SERVERS}/linked", "postgresqlServer"))
    assert again == made


def test_an_account_is_closed_until_its_endpoint_is_there(arm: ArmDaemon) -> None:
    account = arm.daemon.lookup.account_by_host("linked.openai.azure.com")
    assert account is not None
    assert not account.public_access
    arm.done("PUT", f"{ENDPOINTS}/to-account", endpoint(ACCOUNT, "account"))
    account = arm.daemon.lookup.account_by_host("linked.openai.azure.com")
    assert account is not None
    assert account.public_access
    assert account.in_rules
    arm.done("DELETE", f"{ENDPOINTS}/to-account")
    account = arm.daemon.lookup.account_by_host("linked.openai.azure.com")
    assert account is not None
    assert not account.public_access


def test_network_rules_close_an_account_for_who_is_not_in_them(arm: ArmDaemon) -> None:
    acls = {"defaultAction": "Deny", "ipRules": [{"value": "203.0.113.0/24"}]}
    arm.done("PUT", f"{ACCOUNTS}/ruled", account_body(customSubDomainName="ruled", networkAcls=acls))
    account = arm.daemon.lookup.account_by_host("ruled.openai.azure.com")
    assert account is not None
    assert account.public_access
    assert not account.in_rules


def test_no_endpoint_before_the_account_is_done(arm: ArmDaemon, slow: None) -> None:
    made = arm.call("PUT", f"{ACCOUNTS}/young", account_body(customSubDomainName="young"))
    status, code, message = arm.refused("PUT", f"{ENDPOINTS}/early", endpoint(f"{ACCOUNTS}/young", "account"))
    assert (status, code) == (400, "AccountProvisioningStateInvalid")
    expected = (
        f"Call to Microsoft.CognitiveServices/accounts failed. Error message: Account {ACCOUNTS}/young in state Acc"
    )
    assert message.startswith(expected)
    _wait(arm, made.headers["Azure-AsyncOperation"])
    arm.done("PUT", f"{ENDPOINTS}/early", endpoint(f"{ACCOUNTS}/young", "account"))


def test_no_endpoint_while_a_deployment_is_made(arm: ArmDaemon, slow: None) -> None:
    started = arm.call("PUT", f"{ACCOUNT}/deployments/small", deployment_body())
    refusal = arm.refused("PUT", f"{ENDPOINTS}/parallel", endpoint(ACCOUNT, "account"))
    assert refusal[:2] == (409, "RequestConflict")
    _wait(arm, started.headers["Azure-AsyncOperation"])


def test_no_endpoint_for_a_server_in_a_subnet(arm: ArmDaemon) -> None:
    zone = f"{NETWORK}/privateDnsZones/links.private.postgres.database.azure.com"
    arm.done("PUT", zone, {"location": "global"})
    network = {"delegatedSubnetResourceId": f"{VNET}/subnets/database", "privateDnsZoneArmResourceId": zone}
    arm.done("PUT", f"{SERVERS}/injected", server_body(network=network))
    refusal = arm.refused("PUT", f"{ENDPOINTS}/no", endpoint(f"{SERVERS}/injected", "postgresqlServer"))
    assert refusal[:2] == (400, "PrivateEndpointFeatureNotSupportedOnServer")
    assert "Call to Microsoft.DBforPostgreSQL/flexibleServers failed" in refusal[2]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (endpoint(ACCOUNT, "postgresqlServer"), "InvalidPrivateLinkServiceGroupId"),
        (endpoint(f"{ACCOUNTS}/absent", "account"), "InvalidResourceReference"),
        (endpoint(ACCOUNT, "account", subnet="absent"), "InvalidResourceReference"),
        (endpoint(ACCOUNT, "account", subnet="database"), "PrivateEndpointCannotBeCreatedInSubnetWithDelegation"),
    ],
)
def test_endpoints_that_cannot_be(arm: ArmDaemon, body: dict[str, Any], code: str) -> None:
    assert arm.refused("PUT", f"{ENDPOINTS}/odd", body)[1] == code


def test_a_lock_on_what_an_endpoint_leads_to_keeps_the_endpoint(arm: ArmDaemon) -> None:
    arm.done("PUT", f"{ENDPOINTS}/kept", endpoint(ACCOUNT, "account"))
    arm.done("PUT", f"{ACCOUNT}/{LOCK}", {"properties": {"level": "CanNotDelete"}})
    status, code, message = arm.refused("DELETE", f"{ENDPOINTS}/kept")
    assert (status, code) == (409, "ScopeLocked")
    assert "privateEndpointConnectionProxies/kept" in message
    arm.done("DELETE", f"{ACCOUNT}/{LOCK}")
    arm.done("DELETE", f"{ENDPOINTS}/kept")


def _wait(arm: ArmDaemon, poll: str) -> None:
    while arm.call("GET", poll).json()["status"] == "InProgress":
        threading.Event().wait(0.02)
