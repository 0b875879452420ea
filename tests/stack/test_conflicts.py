"""Order: with conflicts drawn at random, every profile comes up all the same, and says what it waited for."""

from __future__ import annotations

import random
from typing import Any

import pytest
import yaml

from tests.stack.conftest import PROJECT, StackAtWork, Workplace
from tools.places import ROOT


@pytest.fixture(params=("dev", "staging", "prod"))
def profile(request: pytest.FixtureRequest, place: Workplace) -> StackAtWork:
    """A stack with the config of a profile, except that it may go again."""
    config = yaml.safe_load((ROOT / f"Pulumi.{request.param}.yaml").read_text(encoding="utf-8"))["config"]
    values: dict[str, Any] = {key.removeprefix(f"{PROJECT}:"): value for key, value in config.items()}
    stack = place.stack(f"busy-{request.param}")
    stack.write(**{**values, "protect": False})
    return stack


def test_it_comes_up_although_others_keep_server_and_accounts_busy(profile: StackAtWork) -> None:
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    place = profile.place
    place.run("start", module="emulator")
    place.run("fault", "conflicts", "--rate", "0.3", "--seed", str(seed), "--requests", "100", module="emulator")
    printed = profile.run("up")
    conflicts = place.data("status", module="emulator")["conflicts"]
    place.run("fault", "none", module="emulator")
    assert conflicts["met"] == {}, "the program's own order brings no conflict about"
    # Two may meet in one round, and what the dynamic resources meet they ask again themselves.
    assert printed.count("Busy: ") <= conflicts["drawn"]
    profile.run("up", "--expect-no-changes")
    profile.run("destroy")
    assert not profile.status()["resources"]
