"""Server parameters: what the service does with values, defaults, restarts and refusals."""

import threading

import pytest

from emulator.arm import parameters
from tests.emulator.arm_daemon import SERVERS, ArmDaemon, server_body

SERVER = f"{SERVERS}/tuned"
CONFIGURATIONS = f"{SERVER}/configurations"


@pytest.fixture(scope="module", autouse=True)
def server(arm: ArmDaemon) -> None:
    arm.server("tuned")


def value(arm: ArmDaemon, name: str, text: str) -> dict[str, object]:
    """Set a parameter and return what is read back."""
    body = {"properties": {"value": text, "source": "user-override"}}
    found: dict[str, object] = arm.done("PUT", f"{CONFIGURATIONS}/{name}", body)["properties"]
    return found


def test_every_parameter_is_there_with_its_default(arm: ArmDaemon) -> None:
    listed = arm.call("GET", CONFIGURATIONS).json()["value"]
    assert len(listed) >= 100
    preload = arm.call("GET", f"{CONFIGURATIONS}/shared_preload_libraries").json()["properties"]
    assert preload["value"] == preload["defaultValue"] == "pg_cron,pg_stat_statements"
    assert (preload["dataType"], preload["isDynamicConfig"], preload["source"]) == ("Set", False, "system-default")
    assert "age" in preload["allowedValues"].split(",")
    assert arm.call("GET", f"{CONFIGURATIONS}/max_connections").json()["properties"]["defaultValue"] == "429"


@pytest.mark.parametrize("version", ["16", "17", "18"])
def test_defaults_are_allowed_values(version: str) -> None:
    known = parameters.of_server(version, "Standard_D2ds_v5")
    assert len(known) >= 40
    wrong = {
        name: parameter.problem(parameter.default)
        for name, parameter in known.items()
        if parameter.kind != "read-only" and parameter.default and parameter.problem(parameter.default)
    }
    assert wrong == {}
    assert {"vector", "azure_ai"} <= set(known["azure.extensions"].allowed.split(","))


def test_a_dynamic_set_is_applied_and_read_back_in_order(arm: ArmDaemon) -> None:
    found = value(arm, "azure.extensions", "VECTOR, azure_ai")
    assert (found["value"], found["source"]) == ("azure_ai,vector", "user-override")
    assert found["isConfigPendingRestart"] is False
    assert ("set_parameters", "tuned", {"azure.extensions": "azure_ai,vector"}) in arm.backend.calls


def test_a_value_equal_to_the_default_changes_nothing(arm: ArmDaemon) -> None:
    before = len(arm.backend.calls)
    found = value(arm, "work_mem", "4096")
    assert found["source"] == "system-default"
    assert len(arm.backend.calls) == before


def test_the_default_value_undoes_an_override(arm: ArmDaemon) -> None:
    assert value(arm, "statement_timeout", "60000")["source"] == "user-override"
    found = value(arm, "statement_timeout", "0")
    assert (found["value"], found["source"]) == ("0", "system-default")
    assert arm.backend.calls[-1] == ("set_parameters", "tuned", {"statement_timeout": "0"})


def test_a_static_parameter_waits_for_a_restart(arm: ArmDaemon) -> None:
    assert value(arm, "max_connections", "100")["isConfigPendingRestart"] is True
    assert value(arm, "max_connections", "429")["isConfigPendingRestart"] is False
    assert value(arm, "max_connections", "200")["isConfigPendingRestart"] is True
    status = arm.daemon.status()["servers"]
    assert [item["pendingRestart"] for item in status if item["name"] == "tuned"] == [["max_connections"]]
    arm.done("POST", f"{SERVER}/restart")
    found = arm.call("GET", f"{CONFIGURATIONS}/max_connections").json()["properties"]
    assert (found["value"], found["isConfigPendingRestart"]) == ("200", False)
    assert value(arm, "max_connections", "429")["isConfigPendingRestart"] is True


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("work_mem", "4MB", "a number in kB"),
        ("work_mem", "1", "allowed: 4096-2097151"),
        ("log_statement", "everything", "allowed: none,ddl,mod,all"),
        ("azure.extensions", "vector,timescale_of_mine", "cannot hold timescale_of_mine"),
        ("fsync", "off", "read-only"),
        ("fsync", "on", "read-only"),
        ("search_path", "a;b", "cannot be"),
    ],
)
def test_refused_values(arm: ArmDaemon, name: str, text: str, expected: str) -> None:
    status, code, message = arm.refused("PUT", f"{CONFIGURATIONS}/{name}", {"properties": {"value": text}})
    assert (status, code) == (400, "InvalidParameterValue")
    assert "Invalid value given for parameter configurationValue" in message
    assert expected in message


def test_an_unknown_parameter_is_not_found(arm: ArmDaemon) -> None:
    path = f"{CONFIGURATIONS}/no_such_parameter"
    assert arm.refused("PUT", path, {"properties": {"value": "1"}})[:2] == (404, "ResourceNotFound")
    assert arm.call("GET", path).status_code == 404


def test_the_server_is_busy_and_updating_meanwhile(arm: ArmDaemon) -> None:
    arm.backend.gate.clear()
    try:
        answer = arm.call("PUT", f"{CONFIGURATIONS}/log_statement", {"properties": {"value": "ddl"}})
        assert answer.status_code == 202
        assert arm.call("GET", SERVER).json()["properties"]["state"] == "Updating"
        refused = arm.refused("PUT", f"{CONFIGURATIONS}/log_duration", {"properties": {"value": "on"}})
        assert refused[:2] == (409, "ServerIsBusy")
        admin = "00000000-0000-4000-8000-00000000d001"
        body = {"properties": {"principalName": "deployer", "principalType": "User"}}
        code = arm.refused("PUT", f"{SERVER}/administrators/{admin}", body)[1]
        assert code == "AadAuthOperationCannotBePerformedWhenServerIsNotAccessible"
        assert arm.refused("POST", f"{SERVER}/restart")[1] == "ServerIsBusy"
    finally:
        arm.backend.gate.set()
    while arm.call("GET", SERVER).json()["properties"]["state"] == "Updating":
        threading.Event().wait(0.02)
    assert arm.call("GET", f"{CONFIGURATIONS}/log_statement").json()["properties"]["value"] == "ddl"


def test_a_failure_in_postgresql_changes_nothing(arm: ArmDaemon) -> None:
    arm.backend.failure = "the value breaks the server"
    try:
        body = {"properties": {"value": "on"}}
        status, error = arm.outcome("PUT", f"{CONFIGURATIONS}/log_lock_waits", body)
    finally:
        arm.backend.failure = None
    assert status == "Failed"
    assert "breaks the server" in error["message"]
    assert arm.call("GET", f"{CONFIGURATIONS}/log_lock_waits").json()["properties"]["value"] == "off"
    assert arm.call("GET", SERVER).json()["properties"]["state"] == "Ready"


def test_the_poolers_parameters_are_hidden_until_it_is_on(arm: ArmDaemon) -> None:
    on = {"properties": {"value": "true", "source": "user-override"}}
    assert "needs GeneralPurpose" in arm.refused("PUT", f"{CONFIGURATIONS}/pgbouncer.enabled", on)[2]
    body = server_body()
    arm.done("PUT", f"{SERVERS}/pooled", {**body, "sku": {"name": "Standard_D2ds_v5", "tier": "GeneralPurpose"}})
    size = f"{SERVERS}/pooled/configurations/pgbouncer.default_pool_size"
    assert arm.refused("PUT", size, {"properties": {"value": "100"}})[0] == 404
    arm.done("PUT", f"{SERVERS}/pooled/configurations/pgbouncer.enabled", on)
    assert arm.done("PUT", size, {"properties": {"value": "100"}})["properties"]["value"] == "100"
    listed = arm.call("GET", f"{SERVERS}/pooled/configurations").json()["value"]
    assert "pgbouncer.pool_mode" in [one["name"] for one in listed]
