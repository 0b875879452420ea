"""Keys instead of identity, a password instead of Entra; a wrong key said plainly; no secret anywhere."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.stack.conftest import StackAtWork, Workplace
from tools.places import ENGINE_VERSION


@pytest.fixture(scope="module")
def keys(place: Workplace, small: dict[str, Any]) -> Iterator[StackAtWork]:
    stack = place.stack("keys")
    stack.write(
        **{
            **small,
            "namePrefix": "keys",
            "authentication": {"entra": False, "password": True, "administratorLogin": "pgadmin"},
            "ai": {**small["ai"], "authentication": "keys"},
            "sample": True,
            "jobs": {
                "vendors": {"table": "public.vendors", "template": "{name}: {description}", "deployment": "embedding"}
            },
        }
    )
    place.exempt(
        "keys",
        ("pg-entra-admin", "server"),
        ("ai-local-auth-off", "ai-openai"),
        ("ai-local-auth-off", "ai-language"),
    )
    stack.up()
    yield stack
    stack.run("destroy")


def test_a_stack_with_keys_and_a_password_comes_up(keys: StackAtWork) -> None:
    job = keys.status()["jobs"]["vendors"]
    assert job["embedded"] == job["rows"] > 0
    found = keys.place.data("search", "steel", "--stack", "keys")
    assert found
    keys.run("up", "--expect-no-changes")
    keys.run("refresh", "--expect-no-changes")


def test_a_wrong_key_is_said_plainly_and_mended(keys: StackAtWork) -> None:
    with keys.connect() as connection:
        connection.execute("SELECT azure_ai.set_setting('azure_openai.subscription_key', %s)", ["0" * 32])
        with pytest.raises(psycopg.Error, match=r"401|invalid subscription key"):
            connection.execute("SELECT azure_openai.create_embeddings('embedding', 'a text')")
    printed = keys.run("search", "steel", code=1)
    assert "key" in printed
    assert "Traceback" not in printed
    keys.run("refresh")
    assert keys.up()["changed"] == {"update": 1}
    assert keys.place.data("search", "steel", "--stack", "keys")


def secrets_of(stack: StackAtWork) -> dict[str, str]:
    """Return every secret of the stack that the test can know, by a name for the message."""
    shown = stack.variables()
    passphrase = (stack.place.homes / "stacks" / "passphrase").read_text()
    exported = json.loads(stack.engine_quietly("stack", "export", "--show-secrets"))
    found = {"passphrase": passphrase, "password": shown["PGPASSWORD"], "identity": shown["IDENTITY_HEADER"]}

    def walk(value: object, path: str) -> None:
        if isinstance(value, dict):
            if "plaintext" in value:
                plain = json.loads(value["plaintext"])
                if isinstance(plain, str) and len(plain) >= 8:
                    found[path] = plain
            for key, inner in value.items():
                walk(inner, f"{path}.{key}")
        elif isinstance(value, list):
            for position, inner in enumerate(value):
                walk(inner, f"{path}[{position}]")

    walk(exported, "state")
    return found


def test_no_secret_is_in_any_output_log_or_plain_state(keys: StackAtWork, place: Workplace) -> None:
    known = secrets_of(keys)
    assert any(path.endswith("openaiKey") for path in known), "the account's key is a secret of the state"
    texts = {f"output {number}": text for number, text in enumerate(place.printed)}
    texts["state"] = keys.state()
    for path in readable(place.homes):
        texts[str(path)] = path.read_text(encoding="utf-8", errors="replace")
    leaks = [
        f"{name} in {where}"
        for name, secret in known.items()
        for where, text in texts.items()
        if secret in text and not (name == "passphrase" and where.endswith("/passphrase"))
    ]
    assert not leaks


def readable(homes: Path) -> list[Path]:
    """List the files that a run leaves behind for people: logs, backend, working copies; not the emulator's state."""
    places = (homes / "emulator" / "logs", homes / "stacks")
    return [path for top in places for path in top.rglob("*") if path.is_file() and path.stat().st_size < 50_000_000]


def test_what_holds_secrets_is_for_its_owner_alone(place: Workplace, keys: StackAtWork) -> None:
    for name in ("stacks/passphrase", "emulator/emulator.json", "emulator/resources.json"):
        assert (place.homes / name).stat().st_mode & 0o077 == 0, name
    assert ENGINE_VERSION in place.run("pulumi", "--stack", keys.name, "--", "version")
