"""RestartIfPending against the emulator's Resource Manager: a restart when one is due, and only then."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from components.dynamic.restart_if_pending import RestartIfPendingProvider as Provider
from emulator import state
from tests.emulator.arm_daemon import SERVERS, ArmDaemon
from tests.protocol.plugin import Plugin, PluginError

PRELOAD = "shared_preload_libraries"


@pytest.fixture
def arm(tmp_path: Path) -> Iterator[ArmDaemon]:
    with ArmDaemon(tmp_path / "home") as daemon:
        daemon.group()
        daemon.server("pg-1")
        yield daemon


@pytest.fixture
def restarter(arm: ArmDaemon) -> Iterator[Plugin]:
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
        "triggers": {PRELOAD: "pg_cron,pg_stat_statements,age"},
    }


def preload(arm: ArmDaemon, value: str) -> None:
    body = {"properties": {"value": value, "source": "user-override"}}
    arm.done("PUT", f"{SERVERS}/pg-1/configurations/{PRELOAD}", body)


def restarts(arm: ArmDaemon) -> int:
    return sum(call[0] == "restart" for call in arm.backend.calls)


def test_restarts_once_when_a_static_parameter_waits(arm: ArmDaemon, restarter: Plugin, inputs: dict[str, Any]) -> None:
    preload(arm, inputs["triggers"][PRELOAD])
    id_, outs = restarter.create(Provider, inputs)
    assert id_ == "pg-1/restart"
    assert outs["restarted"] is True
    assert restarts(arm) == 1
    assert not restarter.diff(Provider, outs, inputs).any
    assert restarter.create(Provider, inputs)[1]["restarted"] is False
    assert restarts(arm) == 1
    assert restarter.read(Provider, id_, outs) == (id_, outs, inputs)


def test_a_change_by_hand_is_found_and_mended(arm: ArmDaemon, restarter: Plugin, inputs: dict[str, Any]) -> None:
    id_, outs = restarter.create(Provider, inputs)
    assert outs == {**inputs, "restarted": False, "pending": []}
    preload(arm, "pg_cron,pg_stat_statements,age")
    _, read, _ = restarter.read(Provider, id_, outs)
    assert read["pending"] == [PRELOAD]
    assert restarter.diff(Provider, read, inputs).any
    assert restarter.update(Provider, read, inputs)["restarted"] is True


def test_only_the_stack_s_own_parameters_count(arm: ArmDaemon, restarter: Plugin, inputs: dict[str, Any]) -> None:
    preload(arm, "pg_cron,pg_stat_statements,age")
    _, outs = restarter.create(Provider, {**inputs, "triggers": {}})
    assert outs["restarted"] is False
    assert restarts(arm) == 0


def test_a_server_that_is_gone_or_stopped(arm: ArmDaemon, restarter: Plugin, inputs: dict[str, Any]) -> None:
    id_, outs = restarter.create(Provider, inputs)
    arm.done("POST", f"{SERVERS}/pg-1/stop")
    with pytest.raises(PluginError, match="the server is Stopped and not Ready: start it"):
        restarter.create(Provider, inputs)
    arm.done("DELETE", f"{SERVERS}/pg-1")
    assert restarter.read(Provider, id_, outs)[0] == ""


def test_a_refusal_is_explained(restarter: Plugin, inputs: dict[str, Any]) -> None:
    with pytest.raises(PluginError, match=r"Azure Resource Manager said: .*Check that you are signed in") as caught:
        restarter.read(Provider, "x", {**inputs, "subscriptionId": "00000000-0000-4000-8000-0000000000ff"})
    assert "restart of server pg-1" in str(caught.value)
