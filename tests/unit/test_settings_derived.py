"""What follows from the settings: the order of the extensions, the user, the notes."""

from __future__ import annotations

from typing import Any

import pytest

from components.settings import StackSettings

GUID = "33333333-3333-4333-8333-333333333333"
GOOD: dict[str, Any] = {
    "authentication": {"administrators": [{"name": "team", "objectId": GUID, "type": "Group"}]},
    "network": {"mode": "public"},
    "firewall": {"rules": {"office": {"start": "203.0.113.1"}}},
    "extensions": ["vector", "azure_ai"],
}


def test_extensions_are_created_in_an_order_in_which_each_finds_what_it_needs() -> None:
    config = {
        **GOOD,
        "extensions": ["pg_diskann", "azure_ai", "age", "vector", "hstore"],
        "unavailable": {"hstore": "not wanted"},
    }
    assert StackSettings.parse(config).enabled_extensions == ("age", "vector", "pg_diskann", "azure_ai")


@pytest.mark.parametrize(
    ("access", "user"),
    [
        ({}, "team"),
        ({"signInAs": "team"}, "team"),
        ({"deployer": {"name": "pipeline"}}, "pipeline"),
        ({"deployer": {"name": "pipeline"}, "signInAs": "team"}, "team"),
        ({"password": True, "administratorLogin": "pgadmin"}, "team"),
    ],
)
def test_the_program_signs_in_as(access: dict[str, Any], user: str) -> None:
    config = {**GOOD, "authentication": {**GOOD["authentication"], **access}}
    assert StackSettings.parse(config).database_user == user


def test_with_a_password_alone_it_signs_in_with_the_login() -> None:
    config = {**GOOD, "authentication": {"entra": False, "password": True, "administratorLogin": "pgadmin"}}
    assert StackSettings.parse(config).database_user == "pgadmin"


@pytest.mark.parametrize(
    ("change", "value", "words"),
    [
        ("parameters", {"work_mem": 4096}, "4096 is the default, so nothing is created"),
        ("parameters", {"require_secure_transport": "yes"}, "on is the default"),
        ("unavailable", {"azure_ai": "x"}, "extension azure_ai is left out: x"),
    ],
)
def test_notes_say_what_is_dropped(change: str, value: Any, words: str) -> None:
    assert [note for note in StackSettings.parse({**GOOD, change: value}).notes if words in note]


@pytest.mark.parametrize(("version", "unverified"), [("16", False), ("17", True), ("18", True)])
def test_age_on_17_and_18_is_called_unverified(version: str, unverified: bool) -> None:
    config = {**GOOD, "extensions": ["vector", "azure_ai", "age"], "server": {"version": version}}
    assert any("age" in note and "unverified" in note for note in StackSettings.parse(config).notes) is unverified
