"""The server: authentication, firewall, administrators, protection, and strings that ARM understands."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from pulumi.runtime import rpc

DEPLOYER = "33333333-3333-4333-8333-333333333333"
TENANT = "22222222-2222-4222-8222-222222222222"


def test_entra_alone_has_no_password_anywhere(deploy: Callable[..., Any]) -> None:
    recording = deploy()
    server = recording.of("azure-native:dbforpostgresql:Server")[0]
    assert server.inputs["authConfig"] == {
        "activeDirectoryAuth": "Enabled",
        "passwordAuth": "Disabled",
        "tenantId": TENANT,
    }
    assert "administratorLogin" not in server.inputs
    assert "administratorLoginPassword" not in server.inputs
    assert not recording.of("random:index/randomPassword:RandomPassword")
    assert not [one for one in recording.registrations if one.inputs.get("password") is not None]


def test_password_authentication_generates_one_that_azure_accepts(deploy: Callable[..., Any]) -> None:
    recording = deploy({"authentication": {"entra": False, "password": True, "administratorLogin": "pgadmin"}})
    server = recording.of("azure-native:dbforpostgresql:Server")[0]
    assert server.inputs["administratorLogin"] == "pgadmin"
    secret = server.inputs["administratorLoginPassword"]
    assert secret[rpc._special_sig_key] == rpc._special_secret_sig
    assert re.fullmatch(r"([A-Za-z0-9]{2}-){11}[A-Za-z0-9]{2}", secret["value"])
    extension = recording.one("database-extension-vector")
    assert extension.inputs["connection"]["authentication"] == "password"
    assert extension.inputs["connection"]["user"] == "pgadmin"
    assert extension.inputs["password"][rpc._special_sig_key] == rpc._special_secret_sig
    assert not recording.of("azure-native:dbforpostgresql:AdministratorsMicrosoftEntra")


def test_with_both_the_program_signs_in_without_the_password(deploy: Callable[..., Any]) -> None:
    recording = deploy(
        {
            "authentication": {
                "password": True,
                "administratorLogin": "pgadmin",
                "administrators": [{"name": "team", "objectId": DEPLOYER, "type": "Group"}],
            }
        }
    )
    extension = recording.one("database-extension-vector")
    assert extension.inputs["connection"]["authentication"] == "entra"
    assert extension.inputs.get("password") is None


def test_the_deployer_becomes_an_administrator_under_its_object_id(deploy: Callable[..., Any]) -> None:
    recording = deploy({"authentication": {"deployer": {"name": "pipeline"}}})
    administrator = recording.one("server-administrator-pipeline")
    assert administrator.inputs["objectId"] == DEPLOYER
    assert administrator.inputs["principalType"] == "ServicePrincipal"  # ARM's spelling, not that of the SDK's enum
    assert administrator.inputs["tenantId"] == TENANT
    assert recording.exports["databaseUser"] == "pipeline"


def test_allowing_azure_is_the_rule_of_zeros(deploy: Callable[..., Any]) -> None:
    recording = deploy({"firewall": {"allowAzureServices": True}})
    rule = recording.one("server-firewall-allow-azure-services")
    assert (rule.inputs["startIpAddress"], rule.inputs["endIpAddress"]) == ("0.0.0.0", "0.0.0.0")


def test_identity_zone_and_database_follow_azures_rules(deploy: Callable[..., Any]) -> None:
    recording = deploy()
    server = recording.of("azure-native:dbforpostgresql:Server")[0]
    assert server.inputs["identity"]["type"] == "SystemAssigned"
    assert set(server.request.ignoreChanges) == {
        "availabilityZone", "pointInTimeUTC", "sourceServerResourceId", "replicationRole", "replica",
    }  # fmt: skip
    database = recording.one("server-database")
    assert set(database.request.replaceOnChanges) == {"charset", "collation"}


def test_protect_covers_the_server_and_the_database(deploy: Callable[..., Any]) -> None:
    for wanted in (True, False):
        recording = deploy({"protect": wanted})
        server = recording.of("azure-native:dbforpostgresql:Server")[0]
        assert server.request.protect is wanted
        assert recording.one("server-database").request.protect is wanted


def test_another_signed_in_principal_is_warned_of(deploy: Callable[..., Any]) -> None:
    other = "55555555-5555-4555-8555-555555555555"
    recording = deploy({"authentication": {"administrators": [{"name": "ada", "objectId": other, "type": "User"}]}})
    assert [line for line in recording.lines if "signs in to the database as 'ada'" in line and DEPLOYER in line]


def test_a_group_or_the_signed_in_principal_itself_is_no_reason_to_warn(deploy: Callable[..., Any]) -> None:
    team = {"name": "team", "objectId": "55555555-5555-4555-8555-555555555555", "type": "Group"}
    for access in ({"administrators": [team]}, {"deployer": {"name": "pipeline"}}):
        assert not [line for line in deploy({"authentication": access}).lines if "signs in" in line]
