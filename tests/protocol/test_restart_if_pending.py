"""RestartIfPending against the emulator's Resource Manager: a restart when one is due, and only then."""

from __future__ import annotations

from typing import Any

import pytest

from components.dynamic.restart_if_pending import RestartIfPendingProvider as Provider
from tests.emulator.arm_daemon import SERVERS, ArmDaemon
from tests.protocol.plugin import Plugin, PluginError

PRELOAD = "shared_preload_libraries"


@pytest.fixture
def inputs(server_inputs: dict[str, Any]) -> dict[str, Any]:
    return {**server_inputs, "triggers": {PRELOAD: "pg_cron,pg_stat_statements,age"}}


def preload(arm: ArmDaemon, value: str) -> None:
    body = {"properties": {"value": value, "source": "user-override"}}
    arm.done("PUT", f"{SERVERS}/pg-1/configurations/{PRELOAD}", body)


def restarts(arm: ArmDaemon) -> int:
    return sum(call[0] == "restart" for call in arm.backend.calls)


def test_restarts_once_when_a_static_parameter_waits(
    arm: ArmDaemon, arm_plugin: Plugin, inputs: dict[str, Any]
) -> None:
    preload(arm, inputs["triggers"][PRELOAD])
    id_, outs = arm_plugin.create(Provider, inputs)
    assert id_ == "pg-1/restart"
    assert outs["restarted"] is True
    assert restarts(arm) == 1
    assert not arm_plugin.diff(Provider, outs, inputs).any
    assert arm_plugin.create(Provider, inputs)[1]["restarted"] is False
    assert restarts(arm) == 1
    assert arm_plugin.read(Provider, id_, outs) == (id_, outs, inputs)


def test_a_change_by_hand_is_found_and_mended(arm: ArmDaemon, arm_plugin: Plugin, inputs: dict[str, Any]) -> None:
    id_, outs = arm_plugin.create(Provider, inputs)
    assert outs == {**inputs, "restarted": False, "pending": []}
    preload(arm, "pg_cron,pg_stat_statements,age")
    _, read, _ = arm_plugin.read(Provider, id_, outs)
    assert read["pending"] == [PRELOAD]
    assert arm_plugin.diff(Provider, read, inputs).any
    assert arm_plugin.update(Provider, read, inputs)["restarted"] is True


def test_only_the_stack_s_own_parameters_count(arm: ArmDaemon, arm_plugin: Plugin, inputs: dict[str, Any]) -> None:
    preload(arm, "pg_cron,pg_stat_statements,age")
    _, outs = arm_plugin.create(Provider, {**inputs, "triggers": {}})
    assert outs["restarted"] is False
    assert restarts(arm) == 0


def test_a_server_that_is_gone_or_stopped(arm: ArmDaemon, arm_plugin: Plugin, inputs: dict[str, Any]) -> None:
    id_, outs = arm_plugin.create(Provider, inputs)
    arm.done("POST", f"{SERVERS}/pg-1/stop")
    with pytest.raises(PluginError, match="the server is Stopped and not Ready: start it"):
        arm_plugin.create(Provider, inputs)
    arm.done("DELETE", f"{SERVERS}/pg-1")
    assert arm_plugin.read(Provider, id_, outs)[0] == ""


def test_a_refusal_is_explained(arm_plugin: Plugin, inputs: dict[str, Any]) -> None:
    with pytest.raises(PluginError, match=r"Azure Resource Manager said: .*Check that you are signed in") as caught:
        arm_plugin.read(Provider, "x", {**inputs, "subscriptionId": "00000000-0000-4000-8000-0000000000ff"})
    assert "restart of server pg-1" in str(caught.value)
