"""What azure-native does to resources, over gRPC and in front of a tiny Resource Manager."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from emulator.identity import Identity, Principal
from emulator.providers import values
from emulator.providers.values import UNKNOWN
from emulator.state import SUBSCRIPTION_ID
from tests.emulator.provider_arm import TinyArm, configuration, serving
from tests.emulator.provider_client import (
    ACCOUNT,
    CONFIGURATION,
    EMPTY,
    GROUP,
    PASSWORD,
    ROLE,
    SERVER,
    SERVER_ID,
    Client,
    configuration_inputs,
    incomplete,
    made,
    refused,
    running,
    server_inputs,
)

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


def test_the_signed_in_principal_is_the_tokens(arm: TinyArm) -> None:
    principal = Principal("object-id", "deployer", "User")
    token = Identity("tenant-id", "k" * 32).issue(principal, "https://management.azure.com/")
    with running(arm, token) as providers:
        client = Client(providers.ports[0])
        found = client.invoke("azure-native:authorization:getClientConfig")
        client.configure(subscriptionId="another")
        assert client.invoke("azure-native:authorization:getClientConfig")["subscriptionId"] == "another"
        client.channel.close()
    assert found == {
        "clientId": "",
        "objectId": "object-id",
        "subscriptionId": SUBSCRIPTION_ID,
        "tenantId": "tenant-id",
    }


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
