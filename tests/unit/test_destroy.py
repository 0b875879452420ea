"""What `destroy` says of things that are not simply gone."""

from __future__ import annotations

from typing import Any

from tools.commands.destroy import retained, soft_deleted

SERVER = {"urn": "urn:pulumi:s::p::azure-native:dbforpostgresql:Server::server", "type": "Server", "id": "/x/pg-1"}


def resource(name: str, **more: Any) -> dict[str, Any]:
    kind = "pulumi-python:dynamic/postgresql:SqlMigration"
    return {"urn": f"urn:pulumi:s::p::{kind}::{name}", "type": kind, "id": f"pg-1/contracts/sql/{name}", **more}


def test_what_stays_is_listed_and_what_went_with_its_server_is_named() -> None:
    kept = resource("kept", retainOnDelete=True)
    went = resource("went", retainOnDelete=True, deletedWith=SERVER["urn"])
    assert retained([SERVER, kept, went]) == [
        "Retained: 1",
        "  SqlMigration kept: pg-1/contracts/sql/kept",
        "Gone with the server, not one by one: went",
    ]
    assert retained([SERVER, resource("plain")]) == ["Retained: nothing."]


def test_accounts_that_azure_keeps_for_a_while_are_named() -> None:
    account = {"urn": "urn:account", "type": "azure-native:cognitiveservices:Account", "id": "/s/accounts/oai-1"}
    (line,) = soft_deleted([SERVER, account])
    assert "48 hours" in line
    assert "oai-1" in line
    assert soft_deleted([SERVER, {**account, "retainOnDelete": True}]) == []
