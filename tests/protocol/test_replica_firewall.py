"""ReplicaFirewall against the emulator's Resource Manager: what is inherited stays, and what differs is written."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from components.dynamic.replica_firewall import ReplicaFirewallProvider as Provider
from emulator import state
from tests.emulator.arm_daemon import SERVERS, ArmDaemon
from tests.protocol.plugin import Plugin, PluginError

RULES = f"{SERVERS}/pg-1/firewallRules"
OFFICE = {"start": "203.0.113.1", "end": "203.0.113.9"}
HOME = {"start": "198.51.100.7", "end": "198.51.100.7"}


@pytest.fixture
def arm(tmp_path: Path) -> Iterator[ArmDaemon]:
    with ArmDaemon(tmp_path / "home") as daemon:
        daemon.group()
        daemon.server("pg-1")
        yield daemon


@pytest.fixture
def firewall(arm: ArmDaemon) -> Iterator[Plugin]:
    running = Plugin(arm.environment)
    yield running
    assert "Traceback" not in running.stop()


@pytest.fixture
def inputs(arm: ArmDaemon) -> dict[str, Any]:
    return {
        "resourceManager": arm.endpoint,
        "resourceManagerScope": "https://management.azure.com/.default",
        "subscriptionId": state.SUBSCRIPTION_ID,
        "resourceGroup": "contracts",
        "serverName": "pg-1",
        "rules": {"office": OFFICE, "home": HOME},
    }


def write(arm: ArmDaemon, name: str, rule: dict[str, str]) -> None:
    arm.done("PUT", f"{RULES}/{name}", {"properties": {"startIpAddress": rule["start"], "endIpAddress": rule["end"]}})


def there(arm: ArmDaemon) -> dict[str, dict[str, str]]:
    found = {one["name"]: one["properties"] for one in arm.call("GET", RULES).json()["value"]}
    return {name: {"start": one["startIpAddress"], "end": one["endIpAddress"]} for name, one in found.items()}


def test_what_is_inherited_stays_and_what_differs_is_written(
    arm: ArmDaemon, firewall: Plugin, inputs: dict[str, Any]
) -> None:
    write(arm, "office", OFFICE)
    write(arm, "home", OFFICE)
    write(arm, "by-hand", HOME)
    id_, outs = firewall.create(Provider, inputs)
    assert id_ == "pg-1/firewall"
    assert there(arm) == {"office": OFFICE, "home": HOME, "by-hand": HOME}
    assert not firewall.diff(Provider, outs, inputs).any
    assert firewall.read(Provider, id_, outs) == (id_, outs, inputs)


def test_a_rule_that_leaves_the_program_leaves_the_replica_and_others_stay(
    arm: ArmDaemon, firewall: Plugin, inputs: dict[str, Any]
) -> None:
    _, outs = firewall.create(Provider, inputs)
    write(arm, "by-hand", HOME)
    outs = firewall.update(Provider, outs, {**inputs, "rules": {"office": HOME}})
    assert there(arm) == {"office": HOME, "by-hand": HOME}
    firewall.delete(Provider, outs)
    assert there(arm) == {"by-hand": HOME}


def test_a_change_by_hand_is_found_and_mended(arm: ArmDaemon, firewall: Plugin, inputs: dict[str, Any]) -> None:
    id_, outs = firewall.create(Provider, inputs)
    arm.done("DELETE", f"{RULES}/home")
    write(arm, "office", HOME)
    _, read, _ = firewall.read(Provider, id_, outs)
    assert read["rules"] == {"office": HOME}
    assert firewall.diff(Provider, read, inputs).any
    firewall.update(Provider, read, inputs)
    assert there(arm) == inputs["rules"]


def test_a_replica_that_is_gone_takes_them_along(arm: ArmDaemon, firewall: Plugin, inputs: dict[str, Any]) -> None:
    id_, outs = firewall.create(Provider, inputs)
    arm.done("DELETE", f"{SERVERS}/pg-1")
    assert firewall.read(Provider, id_, outs)[0] == ""
    firewall.delete(Provider, outs)


def test_a_refusal_names_the_replica(firewall: Plugin, inputs: dict[str, Any]) -> None:
    with pytest.raises(PluginError, match="firewall rules of replica pg-1"):
        firewall.read(Provider, "x", {**inputs, "subscriptionId": "99999999-9999-4999-8999-999999999999"})
