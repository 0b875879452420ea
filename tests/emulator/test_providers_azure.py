"""The azure-native provider over gRPC, in front of a tiny Resource Manager."""

from __future__ import annotations

import importlib
import inspect
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from pulumi.runtime.proto import provider_pb2 as pb

from emulator.providers import values
from emulator.providers.resource_types import RESOURCE_TYPES
from emulator.providers.values import UNKNOWN
from emulator.state import SUBSCRIPTION_ID
from tests.emulator.provider_arm import TinyArm, configuration, serving
from tests.emulator.provider_client import EMPTY, Client, incomplete, refused, running

GROUP = "azure-native:resources:ResourceGroup"
SERVER = "azure-native:dbforpostgresql:Server"
CONFIGURATION = "azure-native:dbforpostgresql:Configuration"
DATABASE = "azure-native:dbforpostgresql:Database"
RULE = "azure-native:dbforpostgresql:FirewallRule"
ACCOUNT = "azure-native:cognitiveservices:Account"
DEPLOYMENT = "azure-native:cognitiveservices:Deployment"
ROLE = "azure-native:authorization:RoleAssignment"
PASSWORD = "correct-Horse7"
SERVER_ID = (
    f"/subscriptions/{SUBSCRIPTION_ID}/resourceGroups/contracts/providers/Microsoft.DBforPostgreSQL/flexibleServers/db1"
)


def server_inputs(**more: Any) -> dict[str, Any]:
    return {
        "resourceGroupName": "contracts",
        "serverName": "db1",
        "location": "East US 2",
        "availabilityZone": "",
        "sku": {"name": "Standard_B2s", "tier": "Burstable"},
        "storage": {"storageSizeGB": 32},
        "administratorLogin": "boss",
        "administratorLoginPassword": PASSWORD,
        **more,
    }


def configuration_inputs(name: str, value: str) -> dict[str, Any]:
    parameter = {"configurationName": name, "source": "user-override", "value": value}
    return {"resourceGroupName": "contracts", "serverName": "db1", **parameter}


@pytest.fixture(scope="module")
def shared_arm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TinyArm]:
    with serving(tmp_path_factory.mktemp("arm")) as found:
        yield found


@pytest.fixture(scope="module")
def port(shared_arm: TinyArm) -> Iterator[int]:
    with running(shared_arm) as providers:
        yield providers.ports[0]


@pytest.fixture
def arm(shared_arm: TinyArm) -> Iterator[TinyArm]:
    yield shared_arm
    for part in (shared_arm.resources, shared_arm.seen, shared_arm.refuse, shared_arm.fail, shared_arm.operations):
        part.clear()  # type: ignore[attr-defined]
    shared_arm.stuck = False


@pytest.fixture
def client(arm: TinyArm, port: int) -> Iterator[Client]:
    found = Client(port)
    yield found
    found.channel.close()


def made(client: Client, token: str, news: dict[str, Any]) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """Create a resource; return its id, its inputs and its outputs."""
    inputs = client.inputs(token, news)
    resource_id, outputs = client.create(token, inputs)
    return resource_id, inputs, outputs


# What the provider is


def test_the_version_is_that_of_the_installed_package(client: Client) -> None:
    assert client.stub.GetPluginInfo(EMPTY).version == "3.29.0"
    assert not client.stub.Handshake(pb.ProviderHandshakeRequest()).accept_secrets
    assert client.configure().supportsPreview


@pytest.mark.parametrize("token", sorted(RESOURCE_TYPES))
def test_the_table_agrees_with_the_installed_package(token: str) -> None:
    entry = RESOURCE_TYPES[token]
    sdk = getattr(importlib.import_module(f"pulumi_azure_native.{entry.module}"), entry.name)
    assert f"API version {entry.api_version}" in inspect.getsource(sdk)
    assert set(entry.path_parameters) | entry.force_new | entry.required | entry.secrets <= set(entry.inputs)


# Check


def test_check_says_everything_that_is_wrong_at_once_and_shows_no_value(client: Client) -> None:
    wrong = server_inputs(
        sku={"name": "Standard_B2s"}, storage={"storageSizeGB": "32", "size": 1}, tags=["a"], colour=1
    )
    del wrong["resourceGroupName"]
    _, failures = client.check(SERVER, wrong | {"administratorLoginPassword": [PASSWORD], "serverName": "_"})
    expected = [
        "'administratorLoginPassword' should be of type 'string' but got an array",
        "'serverName' does not match expression '^[a-zA-Z0-9]+(-[a-zA-Z0-9]+)*'",
        "'serverName' is too short (1): at least 3 characters required",
        "'storage.storageSizeGB' should be of type 'integer' but got a string",
        "'tags' should be of type 'object' but got an array",
        "missing required property 'resourceGroupName'",
        "missing required property 'sku.tier'",
    ]
    assert [reason for reason in failures if not reason.startswith("unknown")] == expected
    unknown = [reason.split(".")[0] for reason in failures if reason.startswith("unknown property 'colour'")]
    assert unknown == ["unknown property 'colour'"]
    assert any(reason.startswith("unknown property 'storage.size'") for reason in failures)
    assert PASSWORD not in str(failures)


def test_check_accepts_what_a_preview_does_not_know(client: Client) -> None:
    news = server_inputs(resourceGroupName=UNKNOWN, storage=UNKNOWN, sku={"name": UNKNOWN, "tier": "Burstable"})
    assert client.check(SERVER, news)[1] == []


def test_check_accepts_a_fraction_only_where_the_sdk_has_one(client: Client) -> None:
    _, failures = client.check(SERVER, server_inputs(storage={"storageSizeGB": 32.5}))
    assert failures == ["'storage.storageSizeGB' must be an integer but got 32.500000"]


def test_names_are_random_for_a_top_resource_a_copy_for_a_child_and_a_guid_for_a_role(client: Client) -> None:
    group = client.inputs(GROUP, {"location": "eastus2"})
    assert group["resourceGroupName"].startswith("thing")
    assert len(group["resourceGroupName"]) == len("thing") + 8
    assert group["__createBeforeDelete"] is True
    database = client.inputs(DATABASE, {"resourceGroupName": "contracts", "serverName": "db1"})
    assert database["databaseName"] == "thing"
    assert "__createBeforeDelete" not in database
    role = client.inputs(ROLE, {"scope": "/subscriptions/x", "principalId": "p", "roleDefinitionId": "r"})
    assert len(role["roleAssignmentName"]) == 36


def test_a_name_stays_from_update_to_update_and_follows_the_seed(client: Client) -> None:
    first, _ = client.check(GROUP, {"location": "eastus2"}, randomSeed=b"seed")
    again, _ = client.check(GROUP, {"location": "eastus2"}, randomSeed=b"seed")
    later, _ = client.check(GROUP, {"location": "eastus2"}, olds=first, randomSeed=b"other")
    assert first == again == later


def test_automatic_names_can_be_proposed_and_switched_off(client: Client) -> None:
    mode = pb.CheckRequest.AutonamingOptions.Mode
    proposed = pb.CheckRequest.AutonamingOptions(proposed_name="mine", mode=mode.PROPOSE)
    assert client.check(GROUP, {"location": "eastus2"}, autonaming=proposed)[0]["resourceGroupName"] == "mine"
    off = pb.CheckRequest.AutonamingOptions(mode=mode.DISABLE)
    _, failures = client.check(GROUP, {"location": "eastus2"}, autonaming=off)
    assert failures == ["missing required property 'resourceGroupName'"]


def test_the_location_comes_from_the_configuration_or_from_the_resource_group(client: Client) -> None:
    news = server_inputs()
    del news["location"]
    assert "missing required property 'location'" in client.check(SERVER, news)[1][0]
    made(client, GROUP, {"resourceGroupName": "contracts", "location": "westus3"})
    assert client.inputs(SERVER, news)["location"] == "westus3"
    client.configure(location="swedencentral")
    assert client.inputs(SERVER, news)["location"] == "swedencentral"


def test_each_engine_keeps_its_own_configuration(client: Client, port: int) -> None:
    other = Client(port)
    client.configure(location="eastus2")
    other.configure(location="westus3")
    assert client.inputs(GROUP, {})["location"] == "eastus2"
    other.channel.close()


# Create


def test_a_preview_knows_its_inputs_and_nothing_else(client: Client, arm: TinyArm) -> None:
    resource_id, outputs = client.create(SERVER, client.inputs(SERVER, server_inputs()), preview=True)
    assert resource_id == ""
    assert outputs["storage"] == dict.fromkeys(("autoGrow", "iops", "throughput", "tier", "type"), UNKNOWN) | {
        "storageSizeGB": 32
    }
    assert outputs["fullyQualifiedDomainName"] is UNKNOWN
    assert outputs["name"] is UNKNOWN
    assert "administratorLoginPassword" not in outputs
    assert not arm.seen


def test_create_sends_the_body_arm_knows_waits_and_lifts_properties(client: Client, arm: TinyArm) -> None:
    resource_id, _, outputs = made(client, SERVER, server_inputs(tags={"a": "b"}))
    assert resource_id == SERVER_ID
    (put,) = arm.sent("PUT")
    assert put.query == {"api-version": "2025-08-01"}
    assert put.body == {
        "location": "East US 2",
        "sku": {"name": "Standard_B2s", "tier": "Burstable"},
        "tags": {"a": "b"},
        "properties": {
            "administratorLogin": "boss",
            "administratorLoginPassword": PASSWORD,
            "availabilityZone": "",
            "storage": {"storageSizeGB": 32},
        },
    }
    assert isinstance(put.body["properties"]["storage"]["storageSizeGB"], int)
    assert outputs["fullyQualifiedDomainName"] == "db1.postgres.database.azure.com"
    assert outputs["azureApiVersion"] == "2025-08-01"
    assert outputs["availabilityZone"] == "1"
    assert "properties" not in outputs
    assert PASSWORD not in str(outputs)


def test_accounts_keep_properties_and_turn_identity_lists_into_objects(client: Client, arm: TinyArm) -> None:
    identity = "/subscriptions/x/userAssignedIdentities/one"
    news = {"resourceGroupName": "contracts", "accountName": "brain", "location": "eastus2", "kind": "OpenAI"}
    news |= {"sku": {"name": "S0"}, "properties": {"customSubDomainName": "brain"}}
    news |= {"identity": {"type": "UserAssigned", "userAssignedIdentities": [identity]}}
    resource_id, inputs, outputs = made(client, ACCOUNT, news)
    assert outputs["properties"]["endpoint"] == "https://brain.openai.azure.com/"
    body = arm.sent("PUT")[0].body
    assert body is not None
    assert body["properties"] == {"customSubDomainName": "brain"}
    assert body["identity"] == {"type": "UserAssigned", "userAssignedIdentities": {identity: {}}}
    assert client.read(ACCOUNT, resource_id, inputs, outputs)[1] == inputs
    assert client.read(ACCOUNT, resource_id)[1]["identity"]["userAssignedIdentities"] == [identity]


def test_a_role_assignment_lies_below_its_scope(client: Client) -> None:
    news = {"scope": SERVER_ID, "principalId": "p", "roleDefinitionId": "r", "roleAssignmentName": "name"}
    resource_id, _, outputs = made(client, ROLE, news)
    assert resource_id == f"{SERVER_ID}/providers/Microsoft.Authorization/roleAssignments/name"
    assert outputs["principalId"] == "p"


def test_create_refuses_what_exists_but_takes_a_server_parameter(client: Client, arm: TinyArm) -> None:
    _, inputs, _ = made(client, SERVER, server_inputs())
    with refused() as texts:
        client.create(SERVER, inputs)
    assert texts == [f"cannot create already existing resource '{SERVER_ID}'"]
    arm.resources.update([configuration(SERVER_ID, "azure.extensions", "")])
    _, _, outputs = made(client, CONFIGURATION, configuration_inputs("azure.extensions", "vector"))
    assert outputs["value"] == "vector"
    assert outputs["isDynamicConfig"] is True


def test_a_refusal_has_arms_code_and_message_and_no_password(client: Client, arm: TinyArm) -> None:
    inputs = client.inputs(SERVER, server_inputs())
    arm.refuse.append(("PUT", 400, "InvalidPassword", f"The password {PASSWORD} is weak."))
    with refused() as texts:
        client.create(SERVER, inputs)
    assert texts == ['Status=400 Code="InvalidPassword" Message="The password [secret] is weak."']


@pytest.mark.parametrize(
    ("code", "tried"), [("ServerIsBusy", 1), ("RequestConflict", 1), ("AnotherOperationInProgress", 2)]
)
def test_only_one_kind_of_conflict_is_tried_again(client: Client, arm: TinyArm, code: str, tried: int) -> None:
    inputs = client.inputs(SERVER, server_inputs())
    arm.refuse.append(("PUT", 409, code, "busy"))
    if tried == 1:
        with refused() as texts:
            client.create(SERVER, inputs)
        assert texts == [f'Status=409 Code="{code}" Message="busy"']
    else:
        client.create(SERVER, inputs)
    assert len(arm.sent("PUT")) == tried


def test_an_overloaded_resource_manager_is_asked_again_a_few_times(client: Client, arm: TinyArm) -> None:
    inputs = client.inputs(SERVER, server_inputs())
    arm.refuse += [("PUT", 429, "TooManyRequests", "slow down")] * 3
    client.create(SERVER, inputs)
    client.delete(SERVER, SERVER_ID)
    arm.refuse += [("PUT", 503, "ServiceUnavailable", "later")] * 4
    with refused() as texts:
        client.create(SERVER, inputs)
    assert texts == ['Status=503 Code="ServiceUnavailable" Message="later"']


def test_an_operation_that_fails_leaves_the_resource_in_state_as_incomplete(client: Client, arm: TinyArm) -> None:
    inputs = client.inputs(SERVER, server_inputs())
    arm.fail.append(("ServerGroupDropping", "Operation is not allowed."))
    with incomplete() as kept:
        client.create(SERVER, inputs)
    (detail,) = kept
    assert detail.id == SERVER_ID
    assert list(detail.reasons) == ['Status=200 Code="ServerGroupDropping" Message="Operation is not allowed."']
    assert values.read(detail.properties)["state"] == "Ready"
    assert values.read(detail.inputs) == inputs
    # The next update goes on from there.
    assert client.update(SERVER, SERVER_ID, values.read(detail.properties), inputs, inputs)["state"] == "Ready"


def test_a_wait_ends_at_the_time_limit(client: Client, arm: TinyArm) -> None:
    inputs = client.inputs(SERVER, server_inputs())
    arm.stuck = True
    with incomplete() as kept:
        client.create(SERVER, inputs, timeout=0.05)
    assert list(kept[0].reasons) == ["operation timed out"]


def test_a_cancel_ends_the_waits_of_its_engine_alone(client: Client, arm: TinyArm, port: int) -> None:
    inputs = client.inputs(SERVER, server_inputs())
    other = Client(port)
    for one in (client, other):
        one.configure()
    arm.stuck = True
    with ThreadPoolExecutor(2) as pool:
        mine = pool.submit(client.create, SERVER, inputs)
        theirs = pool.submit(other.create, SERVER, inputs | {"serverName": "other"})
        pause = threading.Event()
        while len(arm.operations) < 2:
            assert not pause.wait(0.005)
        client.stub.Cancel(EMPTY)
        with incomplete() as kept:
            mine.result()
        assert list(kept[0].reasons) == ["the operation was cancelled"]
        assert not theirs.done()
        arm.stuck = False
        assert theirs.result()[1]["state"] == "Ready"
    other.channel.close()


def test_a_resource_manager_that_is_gone_is_named_with_what_to_do(tmp_path: Path) -> None:
    with serving(tmp_path) as arm:
        endpoint = arm.endpoint
    with running(arm) as providers:
        client = Client(providers.ports[0])
        with refused() as texts:
            client.create(GROUP, client.inputs(GROUP, {"location": "eastus2"}))
        client.channel.close()
    assert f"at {endpoint} does not answer" in texts[0]
    assert "python -m emulator start" in texts[0]


# Diff


@pytest.mark.parametrize(
    ("change", "diffs", "replaces"),
    [
        ({}, [], []),
        ({"location": "eastus2"}, [], []),
        ({"resourceGroupName": "Contracts"}, [], []),
        ({"location": "westus3"}, ["location"], ["location"]),
        ({"serverName": "other"}, ["serverName"], ["serverName"]),
        ({"administratorLogin": "chief"}, ["administratorLogin"], ["administratorLogin"]),
        ({"availabilityZone": "2"}, ["availabilityZone"], ["availabilityZone"]),
        ({"storage": {"storageSizeGB": 64}}, ["storage"], []),
        ({"backup": {"geoRedundantBackup": "Enabled"}}, ["backup"], []),
        ({"administratorLoginPassword": "other-Horse7"}, ["administratorLoginPassword"], []),
        ({"tags": {"a": "b"}}, ["tags"], []),
    ],
)
def test_diff_replaces_where_the_real_provider_does(
    client: Client, change: dict[str, Any], diffs: list[str], replaces: list[str]
) -> None:
    old = client.inputs(SERVER, server_inputs())
    response = client.diff(SERVER, old, old | change)
    assert list(response.diffs) == diffs
    assert list(response.replaces) == replaces
    assert response.deleteBeforeReplace is bool(replaces)
    assert response.changes == (response.DIFF_SOME if diffs else response.DIFF_NONE)


def test_diff_is_detailed_down_to_the_property(client: Client) -> None:
    old = client.inputs(SERVER, server_inputs(tags={"a": "b", "c": "d"}))
    new = old | {"storage": {"storageSizeGB": 32, "autoGrow": "Enabled"}, "tags": {"a": "x"}}
    kinds = {path: change.kind for path, change in client.diff(SERVER, old, new).detailedDiff.items()}
    kind = pb.PropertyDiff.Kind
    assert kinds == {"storage.autoGrow": kind.ADD, "tags.a": kind.UPDATE, "tags.c": kind.DELETE}


def test_a_random_name_lets_the_new_resource_come_first(client: Client) -> None:
    old = client.inputs(GROUP, {"location": "eastus2"})
    assert not client.diff(GROUP, old, old | {"location": "westus3"}).deleteBeforeReplace


def test_an_input_that_repeats_what_azure_chose_replaces_nothing(client: Client) -> None:
    old = client.inputs(SERVER, server_inputs())
    del old["availabilityZone"]
    response = client.diff(SERVER, old, old | {"availabilityZone": "1"}, state={"availabilityZone": "1"})
    assert list(response.replaces) == []
    assert list(response.diffs) == ["availabilityZone"]


def test_children_are_replaced_by_their_names_alone(client: Client) -> None:
    old = client.inputs(CONFIGURATION, configuration_inputs("azure.extensions", "vector"))
    assert not client.diff(CONFIGURATION, old, old | {"value": "vector,azure_ai"}).replaces
    assert list(client.diff(CONFIGURATION, old, old | {"configurationName": "x"}).replaces) == ["configurationName"]


def test_an_unknown_value_is_a_change(client: Client) -> None:
    old = client.inputs(SERVER, server_inputs())
    assert list(client.diff(SERVER, old, old | {"location": UNKNOWN}).replaces) == ["location"]


# Read


def test_a_refresh_without_a_change_gives_back_the_inputs(client: Client) -> None:
    resource_id, inputs, outputs = made(client, SERVER, server_inputs())
    assert client.read(SERVER, resource_id, inputs, outputs) == (resource_id, inputs, outputs)
    assert inputs["administratorLoginPassword"] == PASSWORD


def test_drift_comes_into_the_inputs_and_nothing_else_does(client: Client, arm: TinyArm) -> None:
    resource_id, inputs, outputs = made(client, SERVER, server_inputs(tags={"a": "b"}))
    live = arm.resources[SERVER_ID.lower()]
    live["properties"]["storage"] |= {"storageSizeGB": 64, "autoGrow": "Enabled"}
    live["properties"]["state"] = "Stopped"
    live["tags"] = {}
    _, now, state = client.read(SERVER, resource_id, inputs, outputs)
    assert now == inputs | {"storage": {"storageSizeGB": 64, "autoGrow": "Enabled"}, "tags": {}}
    assert state["state"] == "Stopped"


def test_a_resource_that_is_gone_reads_as_gone(client: Client, arm: TinyArm) -> None:
    resource_id, inputs, outputs = made(client, SERVER, server_inputs())
    arm.resources.clear()
    assert client.read(SERVER, resource_id, inputs, outputs)[0] == ""


def test_a_read_that_is_refused_is_not_taken_for_gone(client: Client, arm: TinyArm) -> None:
    resource_id, inputs, outputs = made(client, SERVER, server_inputs())
    arm.refuse.append(("GET", 403, "AuthorizationFailed", "no right"))
    with refused() as texts:
        client.read(SERVER, resource_id, inputs, outputs)
    assert texts == ['Status=403 Code="AuthorizationFailed" Message="no right"']


def test_an_import_makes_inputs_of_the_id_and_the_answer(client: Client) -> None:
    resource_id, _, _ = made(client, SERVER, server_inputs())
    _, inputs, _ = client.read(SERVER, resource_id)
    assert inputs["resourceGroupName"] == "contracts"
    assert inputs["serverName"] == "db1"
    assert inputs["storage"] == {"storageSizeGB": 32, "autoGrow": "Disabled"}
    assert "state" not in inputs


# Update and delete


def test_update_writes_everything_and_previews_what_stays(client: Client, arm: TinyArm) -> None:
    resource_id, old, state = made(client, SERVER, server_inputs())
    new = old | {"storage": {"storageSizeGB": 64}}
    preview = client.update(SERVER, resource_id, state, old, new, preview=True)
    assert preview["name"] == "db1"
    assert preview["fullyQualifiedDomainName"] is UNKNOWN
    assert len(arm.sent("PUT")) == 1
    assert client.update(SERVER, resource_id, state, old, new)["storage"]["storageSizeGB"] == 64
    body = arm.sent("PUT")[-1].body
    assert body is not None
    assert body["properties"]["administratorLoginPassword"] == PASSWORD


def test_delete_waits_and_takes_what_is_gone_for_deleted(client: Client, arm: TinyArm) -> None:
    resource_id, inputs, _ = made(client, SERVER, server_inputs())
    client.delete(SERVER, resource_id, inputs)
    assert not arm.resources
    assert all(len(steps) == 1 for steps in arm.operations.values())
    client.delete(SERVER, resource_id, inputs)
    arm.refuse.append(("DELETE", 404, "ResourceGroupNotFound", "no group"))
    client.delete(SERVER, resource_id, inputs)


def test_a_delete_that_fails_says_why(client: Client, arm: TinyArm) -> None:
    resource_id, inputs, _ = made(client, SERVER, server_inputs())
    arm.fail.append(("ScopeLocked", "The scope is locked."))
    with refused() as texts:
        client.delete(SERVER, resource_id, inputs)
    assert texts == ['Status=200 Code="ScopeLocked" Message="The scope is locked."']


def test_deleting_a_server_parameter_writes_its_default_and_keeps_its_source(client: Client, arm: TinyArm) -> None:
    arm.resources.update([configuration(SERVER_ID, "azure.extensions", "")])
    resource_id, inputs, _ = made(client, CONFIGURATION, configuration_inputs("azure.extensions", "vector"))
    client.delete(CONFIGURATION, resource_id, inputs)
    assert arm.sent("PUT")[-1].body == {"properties": {"value": "", "source": "user-override"}}
    assert not arm.sent("DELETE")
    assert arm.resources[resource_id.lower()]["properties"]["source"] == "system-default"


# Functions


def test_the_keys_of_an_account(client: Client, arm: TinyArm) -> None:
    arguments = {"resourceGroupName": "contracts", "accountName": "brain"}
    assert client.invoke("azure-native:cognitiveservices:listAccountKeys", arguments) == {"key1": "one", "key2": "two"}
    assert arm.sent("POST")[0].path.endswith("/accounts/brain/listKeys")


def test_a_getter_gives_what_the_resource_gives(client: Client, arm: TinyArm) -> None:
    arm.resources.update([configuration(SERVER_ID, "azure.extensions", "")])
    arguments = {"resourceGroupName": "contracts", "serverName": "db1", "configurationName": "azure.extensions"}
    found = client.invoke("azure-native:dbforpostgresql:getConfiguration", arguments)
    assert found["defaultValue"] == ""
    assert found["id"].endswith("/configurations/azure.extensions")
    with refused() as texts:
        client.invoke("azure-native:dbforpostgresql:getConfiguration", arguments | {"configurationName": "nothing"})
    assert texts[0].startswith(f'request failed {SERVER_ID}/configurations/nothing: Status=404 Code="ResourceNotFound"')


def test_what_the_emulator_does_not_have_is_refused_with_what_it_has(client: Client) -> None:
    with refused() as texts:
        client.create("azure-native:storage:StorageAccount", {})
    assert SERVER in texts[0]
    with refused() as texts:
        client.invoke("azure-native:storage:listStorageAccountKeys")
    assert "listAccountKeys" in texts[0]
