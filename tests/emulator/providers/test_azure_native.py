"""What azure-native checks and compares, over gRPC."""

from __future__ import annotations

import importlib
import inspect
from typing import Any

import pytest
from pulumi.runtime.proto import provider_pb2 as pb

from emulator.providers.resource_types import RESOURCE_TYPES
from emulator.providers.values import UNKNOWN
from tests.emulator.provider_client import (
    CONFIGURATION,
    DATABASE,
    EMPTY,
    GROUP,
    PASSWORD,
    ROLE,
    SERVER,
    Client,
    configuration_inputs,
    made,
    server_inputs,
)

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
    nested = {path.split(".")[0] for path in (*entry.secrets, *entry.sub_resources, *entry.refused)}
    plain = {*entry.path_parameters, *entry.force_new, *entry.required, *entry.inside, *entry.beside}
    named = plain | nested
    assert named <= set(entry.inputs)


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
