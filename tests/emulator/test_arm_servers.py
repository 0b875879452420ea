"""Flexible servers in Resource Manager: life, changes, refusals."""

import threading
from collections.abc import Iterator

import pytest

from tests.emulator.arm_daemon import SERVERS, ArmDaemon, RecordingBackend, server_body

PASSWORD = "Correct-horse-9-battery"


@pytest.fixture
def backend(arm: ArmDaemon) -> Iterator[RecordingBackend]:
    yield arm.backend
    arm.backend.gate.set()
    arm.backend.failure = None


def test_a_server_is_created_with_what_the_service_fills_in(arm: ArmDaemon) -> None:
    made = arm.server("filled")
    properties = made["properties"]
    assert made["id"] == f"{SERVERS}/filled"
    assert made["location"] == "eastus2"
    assert properties["state"] == "Ready"
    assert properties["fullyQualifiedDomainName"] == "filled.postgres.database.azure.com"
    assert properties["minorVersion"] == "14"
    assert properties["storage"] == {
        "storageSizeGB": 32, "tier": "P4", "iops": 120, "autoGrow": "Disabled", "type": "",
    }  # fmt: skip
    assert properties["highAvailability"] == {"mode": "Disabled", "state": "NotEnabled"}
    assert made["identity"]["principalId"]
    databases = arm.call("GET", f"{SERVERS}/filled/databases").json()["value"]
    assert {item["name"] for item in databases} == {"postgres", "azure_sys", "azure_maintenance"}


def test_creating_is_a_long_running_operation(arm: ArmDaemon, backend: RecordingBackend) -> None:
    backend.gate.clear()
    answer = arm.call("PUT", f"{SERVERS}/slow", server_body())
    assert answer.status_code == 202
    assert "Retry-After" not in answer.headers
    assert answer.headers["x-ms-retry-after-ms"] == "100"
    assert arm.call("GET", answer.headers["Azure-AsyncOperation"]).json()["status"] == "InProgress"
    assert arm.call("GET", answer.headers["Location"]).status_code == 202
    assert arm.call("GET", f"{SERVERS}/slow").json()["properties"]["state"] == "Provisioning"
    status, code, message = arm.refused("PUT", f"{SERVERS}/slow/databases/contracts", {})
    assert (status, code) == (409, "ServerIsBusy")
    assert "'slow' is busy processing another operation" in message
    backend.gate.set()
    poll = answer.headers["Azure-AsyncOperation"]
    while arm.call("GET", poll).json()["status"] == "InProgress":
        threading.Event().wait(0.02)
    assert arm.call("GET", answer.headers["Location"]).json()["properties"]["state"] == "Ready"


def test_a_server_that_cannot_be_made_leaves_nothing(arm: ArmDaemon, backend: RecordingBackend) -> None:
    backend.failure = "there is no room for another server"
    status, error = arm.outcome("PUT", f"{SERVERS}/failing", server_body())
    assert status == "Failed"
    assert "no room" in error["message"]
    assert arm.call("GET", f"{SERVERS}/failing").status_code == 404


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"sku": {"name": "Standard_B2s", "tier": "GeneralPurpose"}}, "belongs to the tier Burstable"),
        ({"sku": {"name": "Standard_Z2", "tier": "Burstable"}}, "is not a compute size"),
        ({"location": None}, "'location' is required"),
        ({"location": "atlantis"}, "is not available for resource type"),
        ({"properties": {"version": "9"}}, "allowed: 11, 12"),
        ({"properties": {"storage": {"storageSizeGB": 33}}}, "33 is not a size"),
        ({"properties": {"storage": {"storageSizeGB": 64, "tier": "P80"}}}, "can have the tiers P6 to P50"),
        ({"properties": {"backup": {"backupRetentionDays": 99}}}, "allowed: 7 to 35"),
        ({"properties": {"highAvailability": {"mode": "ZoneRedundant"}}}, "needs GeneralPurpose"),
        ({"properties": {"administratorLoginPassword": PASSWORD}}, "password authentication is disabled"),
        ({"properties": {"administratorLogin": "owner"}}, "password authentication is disabled"),
        ({"properties": {"authConfig": {"passwordAuth": "Disabled"}}}, "neither password nor"),
        ({"properties": {"authConfig": {"passwordAuth": "Enabled"}}}, "needs a login"),
        ({"properties": {"network": {"delegatedSubnetResourceId": "/x"}}}, "private DNS zone"),
    ],
)
def test_refusals_at_creation(arm: ArmDaemon, change: dict[str, object], expected: str) -> None:
    body = {**server_body(), **change}
    if "properties" in change:
        body["properties"] = {**server_body()["properties"], **change["properties"]}  # type: ignore[dict-item]
    status, _, message = arm.refused("PUT", f"{SERVERS}/refused", body)
    assert status == 400
    assert expected in message
    assert PASSWORD not in message


@pytest.mark.parametrize("name", ["ab", "-abc", "abc-", "Abc", "a_b_c", "x" * 64])
def test_refused_names(arm: ArmDaemon, name: str) -> None:
    assert arm.refused("PUT", f"{SERVERS}/{name}", server_body())[1] == "InvalidParameterValue"


@pytest.mark.parametrize(
    ("login", "password", "expected"),
    [
        ("admin", PASSWORD, "none of azure_superuser"),
        ("pg_owner", PASSWORD, "pg_*"),
        ("owner", "short1A", "8 to 128"),
        ("owner", "onlylowercase", "three of"),
        ("owner", "The-Owner-2000", "three or more characters of the login"),
        ("owner", None, "needs a password"),
    ],
)
def test_refused_logins_and_passwords(arm: ArmDaemon, login: str, password: str | None, expected: str) -> None:
    auth = {"passwordAuth": "Enabled", "activeDirectoryAuth": "Disabled"}
    body = server_body(authConfig=auth, administratorLogin=login, administratorLoginPassword=password)
    _, _, message = arm.refused("PUT", f"{SERVERS}/logins", body)
    assert expected in message
    assert password is None or password not in message


def test_a_password_is_never_read_back(arm: ArmDaemon) -> None:
    auth = {"passwordAuth": "Enabled", "activeDirectoryAuth": "Enabled"}
    made = arm.server("secretive", authConfig=auth, administratorLogin="owner", administratorLoginPassword=PASSWORD)
    assert made["properties"]["administratorLogin"] == "owner"
    assert PASSWORD not in str(made)
    assert PASSWORD not in arm.home.resources.read_text()
    changed = {"properties": {"administratorLoginPassword": PASSWORD[::-1]}}
    arm.done("PATCH", f"{SERVERS}/secretive", changed)
    assert ("set_password", "secretive", "owner") in arm.backend.calls


def test_what_cannot_change(arm: ArmDaemon) -> None:
    arm.server("settled", storage={"storageSizeGB": 64})
    path = f"{SERVERS}/settled"
    refusals = {
        "cannot shrink": {"properties": {"storage": {"storageSizeGB": 32}}},
        "geoRedundantBackup": {"properties": {"backup": {"geoRedundantBackup": "Enabled"}}},
        "availabilityZone": {"properties": {"availabilityZone": "2"}},
        "cannot go back": {"properties": {"version": "15"}},
        "does not upgrade": {"properties": {"version": "17"}},
    }
    for expected, body in refusals.items():
        assert expected in arm.refused("PATCH", path, body)[2]
    assert arm.refused("PATCH", path, {"location": "westus"})[1] == "InvalidResourceLocation"


def test_put_on_a_server_that_exists_changes_it(arm: ArmDaemon) -> None:
    first = arm.server("updated")
    body = server_body(storage={"storageSizeGB": 128})
    body["tags"] = {"environment": "test"}
    second = arm.done("PUT", f"{SERVERS}/updated", body)
    assert second["properties"]["storage"]["tier"] == "P10"
    assert second["tags"] == {"environment": "test"}
    assert second["identity"]["principalId"] == first["identity"]["principalId"]
    assert second["properties"]["state"] == "Ready"


def test_stop_start_restart(arm: ArmDaemon) -> None:
    arm.server("sleeper")
    path = f"{SERVERS}/sleeper"
    arm.done("POST", f"{path}/stop")
    assert arm.call("GET", path).json()["properties"]["state"] == "Stopped"
    assert arm.refused("PUT", f"{path}/databases/contracts", {})[:2] == (409, "ServerIsNotReady")
    assert arm.refused("POST", f"{path}/restart")[:2] == (409, "ServerIsNotReady")
    arm.done("POST", f"{path}/start")
    arm.done("POST", f"{path}/restart", {"restartWithFailover": False})
    assert arm.call("GET", path).json()["properties"]["state"] == "Ready"
    assert [call[0] for call in arm.backend.calls if call[1] == "sleeper"] == [
        "create_server", "stop", "start", "restart",
    ]  # fmt: skip


def test_a_name_is_taken_in_every_group(arm: ArmDaemon) -> None:
    arm.server("unique")
    other = SERVERS.replace("contracts", "elsewhere")
    arm.done("PUT", other.partition("/providers/")[0], {"location": "westus"}, "2024-03-01")
    assert arm.refused("PUT", f"{other}/unique", server_body())[1] == "ServerNameAlreadyExists"
    provider = f"{SERVERS.partition('/resourceGroups')[0]}/providers/Microsoft.DBforPostgreSQL"
    question = {"name": "unique", "type": "Microsoft.DBforPostgreSQL/flexibleServers"}
    answer = arm.call("POST", f"{provider}/checkNameAvailability", question)
    assert answer.json()["nameAvailable"] is False


def test_delete_takes_the_children_along(arm: ArmDaemon) -> None:
    arm.server("brief")
    arm.done("PUT", f"{SERVERS}/brief/databases/contracts", {})
    arm.done("DELETE", f"{SERVERS}/brief")
    assert arm.call("GET", f"{SERVERS}/brief").status_code == 404
    assert arm.call("GET", f"{SERVERS}/brief/databases/contracts").status_code == 404
    assert arm.call("DELETE", f"{SERVERS}/brief").status_code == 204
