"""ReplicaFirewall against the emulator's Resource Manager: what is inherited stays, and what differs is written."""

from __future__ import annotations

from typing import Any

import pytest

from components.dynamic.replica_firewall import ReplicaFirewallProvider as Provider
from tests.emulator.arm_daemon import SERVERS, ArmDaemon
from tests.protocol.plugin import Plugin, PluginError

RULES = f"{SERVERS}/pg-1/firewallRules"
OFFICE = {"start": "203.0.113.1", "end": "203.0.113.9"}
HOME = {"start": "198.51.100.7", "end": "198.51.100.7"}


@pytest.fixture
def inputs(server_inputs: dict[str, Any]) -> dict[str, Any]:
    return {**server_inputs, "rules": {"office": OFFICE, "home": HOME}}


def write(arm: ArmDaemon, name: str, rule: dict[str, str]) -> None:
    arm.done("PUT", f"{RULES}/{name}", {"properties": {"startIpAddress": rule["start"], "endIpAddress": rule["end"]}})


def there(arm: ArmDaemon) -> dict[str, dict[str, str]]:
    found = {one["name"]: one["properties"] for one in arm.call("GET", RULES).json()["value"]}
    return {name: {"start": one["startIpAddress"], "end": one["endIpAddress"]} for name, one in found.items()}


def test_what_is_inherited_stays_and_what_differs_is_written(
    arm: ArmDaemon, arm_plugin: Plugin, inputs: dict[str, Any]
) -> None:
    write(arm, "office", OFFICE)
    write(arm, "home", OFFICE)
    write(arm, "by-hand", HOME)
    id_, outs = arm_plugin.create(Provider, inputs)
    assert id_ == "pg-1/firewall"
    assert there(arm) == {"office": OFFICE, "home": HOME, "by-hand": HOME}
    assert not arm_plugin.diff(Provider, outs, inputs).any
    assert arm_plugin.read(Provider, id_, outs) == (id_, outs, inputs)


def test_a_rule_that_leaves_the_program_leaves_the_replica_and_others_stay(
    arm: ArmDaemon, arm_plugin: Plugin, inputs: dict[str, Any]
) -> None:
    _, outs = arm_plugin.create(Provider, inputs)
    write(arm, "by-hand", HOME)
    outs = arm_plugin.update(Provider, outs, {**inputs, "rules": {"office": HOME}})
    assert there(arm) == {"office": HOME, "by-hand": HOME}
    arm_plugin.delete(Provider, outs)
    assert there(arm) == {"by-hand": HOME}


def test_a_change_by_hand_is_found_and_mended(arm: ArmDaemon, arm_plugin: Plugin, inputs: dict[str, Any]) -> None:
    id_, outs = arm_plugin.create(Provider, inputs)
    arm.done("DELETE", f"{RULES}/home")
    write(arm, "office", HOME)
    _, read, _ = arm_plugin.read(Provider, id_, outs)
    assert read["rules"] == {"office": HOME}
    assert arm_plugin.diff(Provider, read, inputs).any
    arm_plugin.update(Provider, read, inputs)
    assert there(arm) == inputs["rules"]


def test_a_replica_that_is_gone_takes_them_along(arm: ArmDaemon, arm_plugin: Plugin, inputs: dict[str, Any]) -> None:
    id_, outs = arm_plugin.create(Provider, inputs)
    arm.done("DELETE", f"{SERVERS}/pg-1")
    assert arm_plugin.read(Provider, id_, outs)[0] == ""
    arm_plugin.delete(Provider, outs)


def test_a_refusal_names_the_replica(arm_plugin: Plugin, inputs: dict[str, Any]) -> None:
    with pytest.raises(PluginError, match="firewall rules of replica pg-1"):
        arm_plugin.read(Provider, "x", {**inputs, "subscriptionId": "99999999-9999-4999-8999-999999999999"})
