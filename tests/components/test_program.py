"""The whole program: tokens, parents, one total order for the server's children, exports without a secret."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from pulumi import RunError
from pulumi.output import Unknown

from components.mistakes import SettingsError

TOKENS = {
    "pgai:server:FlexibleServer": 1,
    "pgai:server:ServerParameters": 1,
    "pgai:ai:AiAccounts": 1,
    "pgai:database:VectorDatabase": 1,
    "pgai:operations:Operations": 1,
    "azure-native:resources:ResourceGroup": 1,
    "azure-native:dbforpostgresql:Server": 1,
    "azure-native:dbforpostgresql:FirewallRule": 2,
    "azure-native:dbforpostgresql:AdministratorsMicrosoftEntra": 1,
    "azure-native:dbforpostgresql:Configuration": 1,
    "azure-native:dbforpostgresql:Database": 1,
    "azure-native:cognitiveservices:Account": 2,
    "azure-native:cognitiveservices:Deployment": 2,
    "azure-native:authorization:RoleAssignment": 2,
    "random:index/randomString:RandomString": 1,
    "pulumi-python:dynamic/postgresql:RestartIfPending": 1,
    "pulumi-python:dynamic/postgresql:Extension": 2,
    "pulumi-python:dynamic/postgresql:AzureAiSettings": 1,
    "pulumi-python:dynamic/postgresql:SqlMigration": 2,
    "pulumi-python:dynamic/postgresql:SourceStatistics": 1,
    "pulumi-python:dynamic/postgresql:VectorizationJob": 2,
}
SECRET_TEXTS = ("first-key-of-the-account", "Ab-3d-Ef", "Ab3dEf6hIj9lMn2pQr5tUv8x")
PASSWORD = {"entra": False, "password": True, "administratorLogin": "pgadmin"}


def test_every_resource_has_its_token(deploy: Callable[..., Any]) -> None:
    recording = deploy()
    counted: dict[str, int] = {}
    for registration in recording.registrations:
        counted[registration.token] = counted.get(registration.token, 0) + 1
    assert counted == TOKENS


def test_children_hang_below_their_component_and_carry_its_name(deploy: Callable[..., Any]) -> None:
    recording = deploy()
    components = {one.name for one in recording.registrations if one.token.startswith("pgai:")}
    for registration in recording.registrations:
        if registration.parent in components:
            # The server itself is called as its component is: the name that a reader looks for.
            assert registration.name == registration.parent or registration.name.startswith(f"{registration.parent}-")


def test_the_servers_children_are_in_one_total_order(deploy: Callable[..., Any]) -> None:
    recording = deploy(
        {
            "extensions": ["vector", "azure_ai", "age"],
            "parameters": {"work_mem": 8192, "max_connections": 100, "log_checkpoints": "off"},
        }
    )
    order = [
        "server",
        "server-firewall-home",
        "server-firewall-office",
        "server-administrator-team",
        "server-parameters-azure.extensions",
        "server-parameters-log_checkpoints",
        "server-parameters-work_mem",
        "server-parameters-max_connections",
        "server-parameters-shared_preload_libraries",
        "server-parameters-restart",
        "server-database",
        "database-extension-age",
        "database-extension-vector",
        "database-extension-azure_ai",
        "database-azure-ai",
        "database-sql-vectorize",
        "database-sql-search",
        "database-statistics",
    ]
    resources = {one.name for one in recording.registrations if not one.token.startswith("pgai:")}
    assert set(order) <= resources
    for earlier, later in pairwise(order):
        assert recording.reaches(later, earlier), f"{later} does not wait for {earlier}"


def test_what_is_inside_the_server_goes_with_it(deploy: Callable[..., Any]) -> None:
    recording = deploy()
    for registration in recording.registrations:
        inside = registration.name.startswith(("server-firewall", "server-admin", "server-database", "database-"))
        if inside or registration.name in ("server-parameters-azure.extensions", "server-parameters-restart"):
            assert registration.deleted_with == "server", registration.name


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"ai": {"authentication": "keys"}},
        {"authentication": PASSWORD},
        {"extensions": ["vector"], "jobs": {}, "deployments": {}},
    ],
    ids=["identity", "keys", "password", "without azure_ai"],
)
def test_the_exports_are_those_of_the_contract_without_a_secret(
    deploy: Callable[..., Any], config: dict[str, Any]
) -> None:
    recording = deploy(config)
    expected = {
        "resourceGroup", "serverName", "serverFqdn", "serverId", "serverPrincipalId", "database", "databaseUser",
        "connection", "extensions", "unavailable", "jobs",
    }  # fmt: skip
    if "extensions" not in config:
        expected |= {"openaiId", "openaiEndpoint", "languageId", "languageEndpoint", "deployments"}
    assert set(recording.exports) == expected
    text = json.dumps(recording.exports, default=repr)
    assert "4dabf18193072939515e22adb298388d" not in text, "an export is marked as a secret"
    assert not [secret for secret in SECRET_TEXTS if secret in text]


def test_secrets_reach_resources_as_secrets_only(deploy: Callable[..., Any]) -> None:
    recording = deploy({"ai": {"authentication": "keys"}, "authentication": PASSWORD})
    found = 0
    for registration in recording.registrations:
        for name, value in registration.inputs.items():
            plain = json.dumps(value, default=repr)
            if any(secret in plain for secret in SECRET_TEXTS):
                found += 1
                assert isinstance(value, dict), f"{registration.name}.{name} is in clear"
                assert value.get("4dabf18193072939515e22adb298388d"), f"{registration.name}.{name} is in clear"
    assert found >= 3  # the server's password, the connection's password, two keys


def test_a_preview_asks_the_server_nothing_before_it_exists(deploy: Callable[..., Any]) -> None:
    keys = {"ai": {"authentication": "keys"}}
    assert deploy(keys, preview=True, exists=False).calls == ["azure-native:authorization:getClientConfig"]
    assert sorted(call.rpartition(":")[2] for call in deploy(keys, preview=True).calls) == [
        "getClientConfig", "getConfiguration", "getServer", "listAccountKeys", "listAccountKeys",
    ]  # fmt: skip


def test_a_preview_of_a_new_stack_knows_every_resource_and_no_number(deploy: Callable[..., Any]) -> None:
    recording = deploy(preview=True, exists=False)
    assert len(recording.registrations) == sum(TOKENS.values())
    assert isinstance(recording.one("ai-openai-role").inputs["principalId"], Unknown)
    assert len([line for line in recording.lines if "rows not known yet" in line]) == 2


def test_mistakes_end_the_program_before_anything_is_registered(deploy: Callable[..., Any]) -> None:
    with pytest.raises(SettingsError) as caught:
        deploy({"server": {"version": "9"}, "smaple": "true"})
    assert isinstance(caught.value, RunError)
    assert [mistake.path for mistake in caught.value.mistakes] == ["server.version", "smaple"]


def test_notes_are_printed(deploy: Callable[..., Any]) -> None:
    recording = deploy({"extensions": ["vector", "azure_ai", "age"], "unavailable": {"age": "not built here"}})
    assert "extension age is left out: not built here" in recording.lines
    assert recording.exports["unavailable"] == {"age": "not built here"}
    assert not [one for one in recording.registrations if one.name.endswith("-age")]


def test_a_preview_of_an_update_makes_up_no_other_change(deploy: Callable[..., Any]) -> None:
    """The provider says nothing of an updated server's outputs; what hangs on them must not seem to change."""
    applied, previewed = deploy(), deploy(preview=True, updating=True)
    for registration in previewed.registrations:
        before = applied.one(registration.name) if registration.name != "server" else None
        if before is not None and registration.token != "pulumi-python:dynamic/postgresql:VectorizationJob":
            assert registration.inputs == before.inputs, registration.name
    assert {"getServer", "getAccount"} <= {call.rpartition(":")[2] for call in previewed.calls}
    assert not {"getServer", "getAccount"} & {call.rpartition(":")[2] for call in applied.calls}
