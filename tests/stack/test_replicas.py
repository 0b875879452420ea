"""A replica, its promotion, and a server restored from another one: made once, and never made again."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import pytest

from tests.stack.conftest import StackAtWork, Workplace

GENERAL = {"name": "Standard_D2ds_v5", "tier": "GeneralPurpose"}
READERS = {"replicas": {"reports": {}}, "virtualEndpoint": {"name": "readers-db", "replica": "reports"}}


@pytest.fixture(scope="module")
def readers(place: Workplace, small: dict[str, Any]) -> Iterator[StackAtWork]:
    stack = place.stack("readers")
    server = {**small["server"], "sku": GENERAL, **READERS}
    ai = {**small["ai"], "language": {"enabled": False}}
    stack.write(**{**small, "namePrefix": "read", "server": server, "ai": ai})
    stack.up()
    yield stack
    stack.run("destroy")
    assert not stack.status()["resources"]


@pytest.fixture(scope="module")
def restored(readers: StackAtWork) -> Iterator[StackAtWork]:
    stack = readers.place.stack("restored")
    values = readers.values()
    origin = {"serverId": readers.outputs()["serverId"], "pointInTime": dt.datetime.now(dt.UTC).isoformat()}
    server = {key: value for key, value in values["server"].items() if key not in READERS}
    stack.write(**{**values, "namePrefix": "again", "server": {**server, "origin": origin}})
    stack.up()
    yield stack
    stack.run("destroy")


def test_a_replica_and_its_endpoint_stay_as_they_are(readers: StackAtWork) -> None:
    outputs = readers.outputs()
    assert outputs["replicas"]["reports"] == f"{outputs['serverName']}-reports.postgres.database.azure.com"
    assert outputs["virtualEndpoint"]["reader"] == "readers-db.reader.postgres.database.azure.com"
    assert readers.arm("GET", "-reports")["properties"]["replicationRole"] == "AsyncReplica"
    readers.run("up", "--expect-no-changes")
    readers.run("refresh", "--expect-no-changes")
    readers.run("up", "--expect-no-changes")


def test_tags_and_firewall_rules_of_a_replica_follow_the_servers(readers: StackAtWork) -> None:
    def change(values: dict[str, Any]) -> None:
        values["firewall"]["rules"]["office"] = {"start": "203.0.113.1", "end": "203.0.113.9"}
        values["tags"]["cost-center"] = "4711"

    readers.edit(change)
    readers.up()
    assert readers.arm("GET", "-reports")["tags"]["cost-center"] == "4711"
    assert readers.arm("GET", "-reports/firewallRules/office")["properties"]["endIpAddress"] == "203.0.113.9"
    readers.edit(lambda values: values["firewall"]["rules"].pop("office"))
    assert readers.up()["changed"] == {"update": 1, "delete": 1}
    assert [rule["name"] for rule in readers.arm("GET", "-reports/firewallRules")["value"]] == ["this-machine"]
    readers.run("refresh", "--expect-no-changes")
    readers.run("up", "--expect-no-changes")


def test_a_server_is_restored_once_and_what_it_came_from_changes_nothing_later(restored: StackAtWork) -> None:
    with restored.connect() as connection:
        assert connection.execute("SELECT current_database()").fetchone() == ("contracts",)
    restored.run("up", "--expect-no-changes")
    restored.run("refresh", "--expect-no-changes")
    restored.edit(lambda values: values["server"]["origin"].update(pointInTime="2026-01-31T12:00:00Z"))
    restored.run("up", "--expect-no-changes")
    restored.edit(lambda values: values["server"].update(storageGb=64))
    assert restored.up()["changed"] == {"update": 1}
    restored.edit(lambda values: values["server"]["origin"].update(restored=True))
    assert restored.up()["changed"] == {"update": 1}
    restored.run("up", "--expect-no-changes")


def test_a_switchover_in_azure_is_no_reason_to_make_a_server_again(readers: StackAtWork) -> None:
    promotion = {"role": "Primary", "promoteMode": "Switchover", "promoteOption": "Planned"}
    readers.arm("PATCH", "-reports", {"properties": {"replica": promotion}})
    assert readers.arm("GET", "")["properties"]["replicationRole"] == "AsyncReplica"
    readers.run("refresh")
    readers.run("up", "--expect-no-changes")
    readers.arm("PATCH", "", {"properties": {"replica": promotion}})
    readers.run("refresh")
    readers.run("up", "--expect-no-changes")
