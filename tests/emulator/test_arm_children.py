"""Databases, firewall rules and administrators of a server."""

import pytest

from emulator.state import DEPLOYER_ID
from tests.emulator.arm_daemon import SERVERS, ArmDaemon

SERVER = f"{SERVERS}/parent"


@pytest.fixture(scope="module", autouse=True)
def server(arm: ArmDaemon) -> None:
    arm.server("parent")


def test_a_database_is_made_and_dropped(arm: ArmDaemon) -> None:
    made = arm.done("PUT", f"{SERVER}/databases/contracts", {"properties": {}})
    assert made["properties"] == {"charset": "UTF8", "collation": "en_US.utf8"}
    assert ("create_database", "parent", "contracts", "UTF8", "en_US.utf8") in arm.backend.calls
    changed = {"properties": {"collation": "C"}}
    assert "cannot change" in arm.refused("PUT", f"{SERVER}/databases/contracts", changed)[2]
    arm.done("DELETE", f"{SERVER}/databases/contracts")
    assert ("drop_database", "parent", "contracts") in arm.backend.calls
    assert "system database" in arm.refused("DELETE", f"{SERVER}/databases/azure_sys")[2]


def test_firewall_rules_reach_the_gateway(arm: ArmDaemon) -> None:
    body = {"properties": {"startIpAddress": "127.0.0.1", "endIpAddress": "127.0.0.9"}}
    arm.done("PUT", f"{SERVER}/firewallRules/this-machine", body)
    view = arm.daemon.lookup.server_by_host("parent.postgres.database.azure.com:5432")
    assert view is not None
    assert view.firewall == (("127.0.0.1", "127.0.0.9"),)
    arm.done("DELETE", f"{SERVER}/firewallRules/this-machine")
    view = arm.daemon.lookup.server_by_host("PARENT.postgres.database.azure.com")
    assert view is not None
    assert view.firewall == ()


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [("127.0.0.9", "127.0.0.1", "before it begins"), ("::1", "::1", "IPv4"), ("home", "home", "IPv4")],
)
def test_refused_ranges(arm: ArmDaemon, start: str, end: str, expected: str) -> None:
    body = {"properties": {"startIpAddress": start, "endIpAddress": end}}
    assert expected in arm.refused("PUT", f"{SERVER}/firewallRules/wrong", body)[2]


def test_refused_child_names(arm: ArmDaemon) -> None:
    body = {"properties": {"startIpAddress": "127.0.0.1", "endIpAddress": "127.0.0.1"}}
    assert arm.refused("PUT", f"{SERVER}/firewallRules/ends-", body)[0] == 400
    assert arm.refused("PUT", f"{SERVER}/databases/1st", {})[0] == 400
    admin = {"properties": {"principalName": "a", "principalType": "User"}}
    assert arm.refused("PUT", f"{SERVER}/administrators/not-a-guid", admin)[0] == 400


def test_an_administrator_comes_and_goes(arm: ArmDaemon) -> None:
    path = f"{SERVER}/administrators/{DEPLOYER_ID}"
    body = {"properties": {"principalName": "deployer", "principalType": "User"}}
    made = arm.done("PUT", path, body)
    assert made["properties"]["tenantId"] == arm.environment["AZURE_TENANT_ID"]
    view = arm.daemon.lookup.server_by_host("parent.postgres.database.azure.com")
    assert view is not None
    assert view.administrators == {"deployer": DEPLOYER_ID}
    body["properties"]["principalType"] = "user"
    assert "allowed: Unknown, User" in arm.refused("PUT", path, body)[2]
    arm.done("DELETE", path)
    assert ("remove_administrator", "parent", "deployer") in arm.backend.calls


def test_no_administrator_without_entra(arm: ArmDaemon) -> None:
    auth = {"passwordAuth": "Enabled", "activeDirectoryAuth": "Disabled"}
    arm.server("native", authConfig=auth, administratorLogin="owner", administratorLoginPassword="Long-enough-77")
    body = {"properties": {"principalName": "deployer", "principalType": "User"}}
    assert "is not enabled" in arm.refused("PUT", f"{SERVERS}/native/administrators/{DEPLOYER_ID}", body)[2]


def test_children_need_their_parent(arm: ArmDaemon) -> None:
    assert arm.refused("PUT", f"{SERVERS}/absent/databases/x", {})[1] == "ParentResourceNotFound"
    assert arm.refused("GET", f"{SERVERS}/absent/configurations")[1] == "ParentResourceNotFound"
    nowhere = SERVERS.replace("/contracts/", "/nowhere/")
    assert arm.refused("PUT", f"{nowhere}/parent/databases/x", {})[1] == "ResourceGroupNotFound"
