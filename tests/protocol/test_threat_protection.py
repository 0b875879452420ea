"""ThreatProtection against the emulator's Resource Manager: switched on, found switched off, left switched off."""

from __future__ import annotations

from typing import Any

import pytest

from components.dynamic.threat_protection import ThreatProtectionProvider as Provider
from tests.emulator.arm_daemon import SERVERS, ArmDaemon
from tests.protocol.plugin import Plugin, PluginError

SETTING = f"{SERVERS}/pg-1/advancedThreatProtectionSettings/Default"


def found(arm: ArmDaemon) -> str:
    return str(arm.call("GET", SETTING).json()["properties"]["state"])


def test_it_is_switched_on_and_off_again(arm: ArmDaemon, arm_plugin: Plugin, server_inputs: dict[str, Any]) -> None:
    assert found(arm) == "Disabled"
    id_, outs = arm_plugin.create(Provider, server_inputs)
    assert (id_, outs["state"], found(arm)) == ("pg-1/threat-protection", "Enabled", "Enabled")
    assert not arm_plugin.diff(Provider, outs, server_inputs).any
    assert arm_plugin.read(Provider, id_, outs) == (id_, outs, server_inputs)
    arm_plugin.delete(Provider, outs)
    assert found(arm) == "Disabled"


def test_that_somebody_switched_it_off_is_found_and_mended(
    arm: ArmDaemon, arm_plugin: Plugin, server_inputs: dict[str, Any]
) -> None:
    id_, outs = arm_plugin.create(Provider, server_inputs)
    arm.done("PUT", SETTING, {"properties": {"state": "Disabled"}})
    _, read, _ = arm_plugin.read(Provider, id_, outs)
    assert read["state"] == "Disabled"
    assert arm_plugin.diff(Provider, read, server_inputs).any
    assert arm_plugin.update(Provider, read, server_inputs)["state"] == "Enabled"
    assert found(arm) == "Enabled"


def test_a_server_that_is_gone_takes_it_along(
    arm: ArmDaemon, arm_plugin: Plugin, server_inputs: dict[str, Any]
) -> None:
    id_, outs = arm_plugin.create(Provider, server_inputs)
    arm.done("DELETE", f"{SERVERS}/pg-1")
    assert arm_plugin.read(Provider, id_, outs)[0] == ""
    arm_plugin.delete(Provider, outs)


def test_a_wrong_subscription_is_not_a_server_that_is_gone(
    arm: ArmDaemon, arm_plugin: Plugin, server_inputs: dict[str, Any]
) -> None:
    id_, outs = arm_plugin.create(Provider, server_inputs)
    elsewhere = {**outs, "subscriptionId": "99999999-9999-4999-8999-999999999999"}
    with pytest.raises(PluginError, match="threat protection of server pg-1"):
        arm_plugin.read(Provider, id_, elsewhere)
