"""What surrounds a server, by the real engine: made, unchanged the second time, without drift, another key, gone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from tests.stack.conftest import StackAtWork, Workplace

READER = "00000000-0000-4000-8000-00000000d001"
MAILS = ["team@example.com"]


@pytest.fixture(scope="module")
def watched(place: Workplace, small: dict[str, Any]) -> Iterator[StackAtWork]:
    stack = place.stack("watched")
    stack.write(
        **{
            **small,
            "namePrefix": "watch",
            "ai": {**small["ai"], "authentication": "keys"},
            "monitoring": {"enabled": True, "emails": MAILS, "threatProtection": True},
            "cost": {
                "budget": {"monthly": 200, "emails": MAILS},
                "autostop": {"stopAt": "19:00", "startAt": "07:00"},
            },
            "keyVault": {"enabled": True, "readers": [{"objectId": READER, "type": "User"}]},
        }
    )
    place.exempt("watched", ("ai-local-auth-off", "ai-openai"), ("ai-local-auth-off", "ai-language"))
    stack.up()
    yield stack
    stack.run("destroy")


def key_in_the_database(stack: StackAtWork) -> str:
    with stack.connect() as connection:
        row = connection.execute("SELECT azure_ai.get_setting('azure_openai.subscription_key')").fetchone()
    assert row is not None
    return str(row[0])


def test_it_comes_up_and_changes_no_more(watched: StackAtWork) -> None:
    outputs = watched.outputs()
    assert outputs["workspaceId"].endswith("/workspaces/log-watch-watched")
    assert outputs["keyVaultSecrets"] == ["language-key", "openai-key"]
    watched.run("up", "--expect-no-changes")
    watched.run("refresh", "--expect-no-changes")
    watched.run("up", "--expect-no-changes")


def test_threat_protection_that_was_switched_off_is_found_and_mended(watched: StackAtWork) -> None:
    watched.arm("PUT", "/advancedThreatProtectionSettings/Default", {"properties": {"state": "Disabled"}})
    watched.run("refresh")
    assert watched.up()["changed"] == {"update": 1}


def test_the_other_key_is_used_before_the_first_one_ends(watched: StackAtWork) -> None:
    before = key_in_the_database(watched)
    watched.edit(lambda values: values["ai"].update(keyInUse=2))
    changed = watched.up()["changed"]
    assert changed == {"update": 3}, "azure_ai's settings, and two secrets of the vault"
    assert key_in_the_database(watched) != before
    with watched.connect() as connection:
        try:
            connection.execute("SELECT azure_openai.create_embeddings('embedding', 'a text')")
        except psycopg.Error as error:
            pytest.fail(f"the second key does not work: {error}")
    watched.run("up", "--expect-no-changes")
