"""dev, staging and prod with the config that is checked in: up, unchanged, without drift, and gone when it may go."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.stack.conftest import PROJECT, StackAtWork, Workplace
from tools.places import ROOT

PROFILES = ("dev", "staging", "prod")
PROTECTED = ("staging", "prod")
RATE = 0.3  # of changes that meet a conflict which the program has not brought about


@pytest.fixture(scope="module", params=PROFILES)
def profile(request: pytest.FixtureRequest, place: Workplace) -> Iterator[StackAtWork]:
    """One profile, brought up by its own config; the tests run in the order of the file.

    All that while, the emulator refuses whatever comes for a server or an account before its client knows that the
    operation before has ended.
    """
    stack = place.stack(request.param)
    place.run("start", module="emulator")
    place.run("fault", "strict", module="emulator")
    stack.up()
    yield stack
    place.run("fault", "none", module="emulator")


def conflicts(profile: StackAtWork) -> dict[str, int]:
    """Return the conflicts that the program has brought about, by code."""
    found = profile.place.data("status", module="emulator")["conflicts"]
    assert found["strict"]
    return dict(found["met"])


def test_it_comes_up_with_its_own_config(profile: StackAtWork) -> None:
    assert profile.file.read_bytes() == (ROOT / profile.file.name).read_bytes()
    assert set(profile.outputs()["extensions"]) == {"vector", "azure_ai", "age"}
    assert conflicts(profile) == {}


def test_a_second_up_changes_nothing_and_a_refresh_finds_no_drift(profile: StackAtWork) -> None:
    profile.run("up", "--expect-no-changes")
    profile.run("refresh", "--expect-no-changes")
    profile.run("up", "--expect-no-changes")


def exempt(stack: StackAtWork, rule: str) -> None:
    """Let a stack's server pass a rule, as whoever owns the policies would."""
    path = stack.place.root / "policy" / "stacks.yaml"
    decisions = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    decision = {"rule": rule, "resource": "server", "reason": "This stack is taken down.", "until": "2999-12-31"}
    decisions.setdefault(stack.name, {}).setdefault("exemptions", []).append(decision)
    path.write_text(yaml.safe_dump(decisions), encoding="utf-8")


def test_what_is_protected_goes_only_once_it_is_not(profile: StackAtWork) -> None:
    before = profile.status()["resources"]
    if profile.name in PROTECTED:
        refused = profile.run("destroy", code=1)
        assert "server, server-database" in refused
        assert f"set `postgres-genai:protect: false` in Pulumi.{profile.name}.yaml" in refused
        assert profile.status()["resources"] == before, "nothing was deleted"
        profile.edit(lambda values: values.update(protect=False))
        if profile.name == "prod":
            assert "pg-cannot-delete" in profile.run("up", code=1)
            exempt(profile, "pg-cannot-delete")
        profile.up()
    profile.run("destroy")
    assert not profile.status()["resources"]
    assert conflicts(profile) == {}


def draws(seed: int) -> list[bool]:
    """Return which of the first changes of a server's or an account's parts meet a conflict."""
    dice = random.Random(seed)
    return [dice.random() < RATE for _ in range(20)]


def test_it_comes_up_although_others_keep_server_and_accounts_busy(profile: StackAtWork) -> None:
    """Its config is that of the file, except that what was protected may go again."""
    seed = next(seed for seed in iter(lambda: random.randrange(10**6), None) if draws(seed)[:6].count(True) >= 2)
    print(f"seed {seed}")
    profile.place.run("fault", "none", module="emulator")
    drawing = ("--rate", str(RATE), "--seed", str(seed), "--requests", "100")
    profile.place.run("fault", "conflicts", *drawing, module="emulator")
    printed = profile.run("up")
    found = profile.place.data("status", module="emulator")["conflicts"]
    assert found["met"] == {}, "the program's own order brings no conflict about"
    rounds = printed.count("Busy: ")
    print(f"{found['drawn']} conflicts drawn, begun again {rounds} times")
    # Two may be drawn in one round, and what the dynamic resources meet they ask again themselves.
    assert 1 <= rounds <= found["drawn"]
    profile.run("up", "--expect-no-changes")
    profile.run("destroy")
    assert not profile.status()["resources"]


@pytest.mark.parametrize("name", PROFILES)
def test_a_profile_names_no_secret_and_no_password(name: str) -> None:
    config = yaml.safe_load((ROOT / f"Pulumi.{name}.yaml").read_text(encoding="utf-8"))["config"]
    values: dict[str, Any] = {key.removeprefix(f"{PROJECT}:"): value for key, value in config.items()}
    assert values["authentication"]["password"] is False
    assert values["ai"]["authentication"] == "managed-identity"
    assert values.get("protect", False) is (name in PROTECTED)
