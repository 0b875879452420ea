"""ThreatProtection against the emulator's Resource Manager: switched on, found switched off, left switched off."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from components.dynamic.threat_protection import ThreatProtectionProvider as Provider
from emulator import state
from tests.emulator.arm_daemon import SERVERS, ArmDaemon
from tests.protocol.plugin import Plugin, PluginError

SETTING = f"{SERVERS}/pg-1/advancedThreatProtectionSettings/Default"


@pytest.fixture
def arm(tmp_path: Path) -> Iterator[ArmDaemon]:
    with ArmDaemon(tmp_path / "home") as daemon:
        daemon.group()
        daemon.server("pg-1")
        yield daemon


@pytest.fixture
def guard(arm: ArmDaemon) -> Iterator[Plugin]:
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
    }


def found(arm: ArmDaemon) -> str:
    return str(arm.call("GET", SETTING).json()["properties"]["state"])


def test_it_is_switched_on_and_off_again(arm: ArmDaemon, guard: Plugin, inputs: dict[str, Any]) -> None:
    assert found(arm) == "Disabled"
    id_, outs = guard.create(Provider, inputs)
    assert (id_, outs["state"], found(arm)) == ("pg-1/threat-protection", "Enabled", "Enabled")
    assert not guard.diff(Provider, outs, inputs).any
    assert guard.read(Provider, id_, outs) == (id_, outs, inputs)
    guard.delete(Provider, outs)
    assert found(arm) == "Disabled"


def test_that_somebody_switched_it_off_is_found_and_mended(
    arm: ArmDaemon, guard: Plugin, inputs: dict[str, Any]
) -> None:
    id_, outs = guard.create(Provider, inputs)
    arm.done("PUT", SETTING, {"properties": {"state": "Disabled"}})
    _, read, _ = guard.read(Provider, id_, outs)
    assert read["state"] == "Disabled"
    assert guard.diff(Provider, read, inputs).any
    assert guard.update(Provider, read, inputs)["state"] == "Enabled"
    assert found(arm) == "Enabled"


def test_a_server_that_is_gone_takes_it_along(arm: ArmDaemon, guard: Plugin, inputs: dict[str, Any]) -> None:
    id_, outs = guard.create(Provider, inputs)
    arm.done("DELETE", f"{SERVERS}/pg-1")
    assert guard.read(Provider, id_, outs)[0] == ""
    guard.delete(Provider, outs)


def test_a_wrong_subscription_is_not_a_server_that_is_gone(
    arm: ArmDaemon, guard: Plugin, inputs: dict[str, Any]
) -> None:
    id_, outs = guard.create(Provider, inputs)
    elsewhere = {**outs, "subscriptionId": "99999999-9999-4999-8999-999999999999"}
    with pytest.raises(PluginError, match="threat protection of server pg-1"):
        guard.read(Provider, id_, elsewhere)
