"""dev, staging and prod with the config that is checked in: up, without drift, changed, and gone when it may go."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
import yaml

from tests.elsewhere import ELSEWHERE, from_elsewhere
from tests.stack.conftest import PROJECT, StackAtWork, Workplace, planned
from tools.places import ROOT

PROFILES = ("dev", "staging", "prod")
PROTECTED = ("staging", "prod")
# The machine and the disk that each grows to: from, to.
MACHINES = {
    "dev": ("Standard_B2s", "Standard_B2ms"),
    "staging": ("Standard_D2ds_v5", "Standard_D4ds_v5"),
    "prod": ("Standard_D4ds_v5", "Standard_D8ds_v5"),
}
DISKS = {"dev": (32, 64), "staging": (64, 128), "prod": (128, 256)}
ANALYST = {"name": "analyst", "objectId": "00000000-0000-4000-8000-00000000a001", "type": "ServicePrincipal"}
# The only model in the catalogue with two versions that can be deployed.
OLDER = {"model": "text-embedding-ada-002", "version": "1", "sku": "GlobalStandard", "capacity": 5}
ACCOUNTS = "2025-06-01"  # the API version that deployments are asked by
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


def grow(values: dict[str, Any], name: str) -> None:
    """Change a profile's config by one of each kind that it can have, and declare what the next change needs."""
    values["server"]["sku"]["name"], values["server"]["storageGb"] = MACHINES[name][1], DISKS[name][1]
    values["parameters"] = {**values.get("parameters", {}), "work_mem": 8192, "max_prepared_transactions": 8}
    values["authentication"]["administrators"] = [ANALYST]
    values["deployments"]["embedding"]["capacity"] += 10
    values["deployments"]["older"] = OLDER
    if name == "dev":
        values["firewall"]["rules"]["office"] = {"start": ELSEWHERE}


def comes_in_from_elsewhere(stack: StackAtWork) -> bool:
    """Tell whether the server lets in an address other than that of the program."""
    with from_elsewhere(int(stack.variables()["PGPORT"])) as port:
        try:
            stack.connect(port=str(port)).close()
        except psycopg.OperationalError as refused:
            if f'no pg_hba.conf entry for host "{ELSEWHERE}"' in str(refused):
                return False
            raise
    return True


def deployments(stack: StackAtWork) -> dict[str, dict[str, Any]]:
    """Return the deployments as Azure has them, by name."""
    found = stack.arm("GET", f"{stack.outputs()['openaiId']}/deployments", version=ACCOUNTS)["value"]
    return {one["name"]: one for one in found}


def test_a_change_of_each_kind_is_previewed_with_what_follows_and_applied(profile: StackAtWork) -> None:
    capacity = profile.values()["deployments"]["embedding"]["capacity"] + 10
    (machine, larger), (disk, grown) = MACHINES[profile.name], DISKS[profile.name]
    assert not comes_in_from_elsewhere(profile)
    profile.edit(lambda values: grow(values, profile.name))

    warned, diff = profile.run("preview").split("Previewing update", 1)
    assert f"warning: server sku: {machine} -> {larger} [change-server-larger]" in warned
    assert "Open transactions are rolled back" in warned
    assert f"warning: server storage.storageSizeGB: {disk} -> {grown} [change-storage-larger]" in warned
    assert "It never shrinks again, so the new size is what is billed" in warned
    restarts = "server-parameters-restart for max_prepared_transactions: its default -> 8 [change-restart]"
    assert f"warning: {restarts}" in warned
    assert "denied" not in warned
    for name in ("server", "server-parameters-restart", "ai-deployment-embedding"):
        assert planned(diff, "update", name), name
    office = ["server-firewall-office"] if profile.name == "dev" else []
    parameters = ["server-parameters-work_mem", "server-parameters-max_prepared_transactions"]
    for name in (*office, *parameters, "server-administrator-analyst", "ai-deployment-older"):
        assert planned(diff, "create", name), name
    assert "to replace" not in diff
    assert "to delete" not in diff

    assert not {"replace", "delete"} & set(profile.up()["changed"])
    server = profile.arm("GET", "")
    assert (server["sku"]["name"], server["properties"]["storage"]["storageSizeGB"]) == (larger, grown)
    assert deployments(profile)["embedding"]["sku"]["capacity"] == capacity
    with profile.connect() as connection:
        for parameter, value in (("work_mem", "8MB"), ("max_prepared_transactions", "8")):
            assert connection.execute(f"SHOW {parameter}".encode()).fetchone() == (value,)
        paced = connection.execute("SELECT tokens_per_minute FROM vectorize.deployment WHERE name = 'embedding'")
        assert paced.fetchone() == (capacity * 1000,)
    name, object_id = ANALYST["name"], ANALYST["objectId"]
    with profile.connect(user=name, password=profile.token(name, object_id)) as connection:
        assert connection.execute("SELECT current_user").fetchone() == (name,)
    assert comes_in_from_elsewhere(profile) is (profile.name == "dev")
    profile.run("up", "--expect-no-changes")
    assert conflicts(profile) == {}


def test_another_version_of_a_model_is_told_and_denied_until_it_is_meant(profile: StackAtWork) -> None:
    denied = profile.name == "prod"
    profile.edit(lambda values: values["deployments"]["older"].update(version="2"))
    printed = profile.run("preview", code=1 if denied else 0)
    verdict = "denied" if denied else "warning"
    assert f"{verdict}: ai-deployment-older properties.model.version: 1 -> 2 [change-model]" in printed
    assert "is embedded again and paid for again" in printed
    assert planned(printed, "update", "ai-deployment-older")
    if denied:
        assert "The policies of prod deny this, so nothing was changed: change-model" in profile.run("up", code=1)
        exempt(profile, "change-model", "ai-deployment-older")
    assert profile.up()["changed"] == {"update": 1}
    assert deployments(profile)["older"]["properties"]["model"]["version"] == "2"
    profile.run("up", "--expect-no-changes")
    assert conflicts(profile) == {}


def to_mode(mode: str) -> Callable[[dict[str, Any]], None]:
    """Return the change of config that leads to another way into the server."""
    return lambda values: values.update(network={**values.get("network", {}), "mode": mode}, firewall={})


REFUSED: dict[str, list[tuple[Callable[[dict[str, Any]], None], str]]] = {
    "dev": [(to_mode("injected"), "lies in no subnet, and the mode is now injected. Azure fixes that")],
    "staging": [
        (to_mode("private-endpoint"), "lies in the subnet server, and the mode is now another. Azure fixes that"),
        (
            lambda values: values.update(firewall={"rules": {"office": {"start": ELSEWHERE}}}),
            "firewall.rules: is for network.mode public; with injected nothing comes from the internet",
        ),
    ],
}
REFUSED["prod"] = REFUSED["staging"]


def test_what_a_profile_cannot_become_is_refused_before_anything_changes(profile: StackAtWork) -> None:
    config, state = profile.file.read_bytes(), profile.state()
    for change, said in REFUSED[profile.name]:
        profile.edit(change)
        refused = profile.run("up", code=None)
        profile.file.write_bytes(config)
        assert said in refused
        assert "so nothing was changed" in refused
    assert profile.state() == state


def exempt(stack: StackAtWork, rule: str, resource: str) -> None:
    """Let a resource of a stack pass a rule, as whoever owns the policies would."""
    path = stack.place.root / "policy" / "stacks.yaml"
    decisions = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    decision = {"rule": rule, "resource": resource, "reason": "What this test is about.", "until": "2999-12-31"}
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
            exempt(profile, "pg-cannot-delete", "server")
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
    profile.file.write_bytes((ROOT / profile.file.name).read_bytes())
    profile.edit(lambda values: values.update(protect=False))
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
