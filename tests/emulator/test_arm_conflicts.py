"""Conflicts on demand: the strict mode, and conflicts that are drawn."""

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.emulator.arm_daemon import ACCOUNTS, SERVERS, ArmDaemon, account_body, deployment_body

SERVER = f"{SERVERS}/strict"
ACCOUNT = f"{ACCOUNTS}/strict"


@pytest.fixture(scope="module", autouse=True)
def resources(arm: ArmDaemon) -> None:
    arm.server("strict")
    arm.done("PUT", ACCOUNT, account_body(customSubDomainName="strict"))


@pytest.fixture(autouse=True)
def no_fault(arm: ArmDaemon) -> Iterator[None]:
    yield
    fault(arm, kind="none")


def fault(arm: ArmDaemon, **query: Any) -> dict[str, Any]:
    """Set a fault as `python -m emulator fault` does; return what is set then."""
    base = arm.environment["IDENTITY_ENDPOINT"].removesuffix("/msi/token")
    headers = {"X-Emulator-Secret": arm.daemon.settings.control_secret}
    answer = requests.post(f"{base}/emulator/fault", params=query, headers=headers, timeout=30)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def test_strict_an_operation_goes_on_until_its_client_knows_of_the_end(arm: ArmDaemon) -> None:
    fault(arm, kind="strict")
    started = arm.call("PUT", f"{SERVER}/databases/first", {})
    while "first" not in [call[2] for call in arm.backend.calls if call[0] == "create_database"]:
        pass
    for path in (f"{SERVER}/databases/second", f"{SERVER}/administrators/{'0' * 8}-0000-0000-0000-{'0' * 12}"):
        administrator = {"properties": {"principalName": "x", "principalType": "User"}}
        assert arm.refused("PUT", path, administrator)[0] == 409
    while arm.call("GET", started.headers["Azure-AsyncOperation"]).json()["status"] == "InProgress":
        pass
    arm.done("PUT", f"{SERVER}/databases/second", {})
    assert sum(arm.daemon.conflicts.met.values()) == 2
    assert arm.daemon.status()["conflicts"]["met"] == dict(sorted(arm.daemon.conflicts.met.items()))


def test_strict_a_program_that_waits_meets_none(arm: ArmDaemon) -> None:
    fault(arm, kind="strict")
    for name in ("one", "two", "three"):
        arm.done("PUT", f"{SERVER}/databases/{name}", {})
        arm.done("PUT", f"{ACCOUNT}/deployments/{name}", deployment_body())
    for name in ("one", "two", "three"):
        arm.done("DELETE", f"{ACCOUNT}/deployments/{name}")
    assert arm.daemon.conflicts.met == {}


def test_strict_parallel_deployments_conflict(arm: ArmDaemon) -> None:
    fault(arm, kind="strict")
    started = arm.call("PUT", f"{ACCOUNT}/deployments/left", deployment_body())
    assert arm.refused("PUT", f"{ACCOUNT}/deployments/right", deployment_body())[1] == "RequestConflict"
    assert arm.daemon.conflicts.met == {"RequestConflict": 1}
    while arm.call("GET", started.headers["Azure-AsyncOperation"]).json()["status"] == "InProgress":
        pass
    fault(arm, kind="strict", requests=0)
    assert not arm.daemon.conflicts.strict


def draws(arm: ArmDaemon, seed: int, count: int = 12) -> list[str]:
    """Write a database again and again under drawn conflicts; return how each attempt ended."""
    fault(arm, kind="conflicts", rate=0.5, seed=seed, requests=100)
    return [arm.outcome("PUT", f"{SERVER}/databases/drawn", {})[0] for _ in range(count)]


def test_drawn_conflicts_follow_from_the_seed(arm: ArmDaemon) -> None:
    first = draws(arm, seed=7)
    assert {"409", "Succeeded"} == set(first)
    assert draws(arm, seed=7) == first
    assert draws(arm, seed=8) != first
    assert arm.daemon.conflicts.met == {}


def test_drawn_conflicts_end_after_so_many(arm: ArmDaemon) -> None:
    fault(arm, kind="conflicts", rate=1, requests=2)
    refusals = [arm.refused("PUT", f"{SERVER}/databases/x", {}), arm.refused("DELETE", f"{ACCOUNT}/deployments/x")]
    assert [code for _, code, _ in refusals] == ["ServerIsBusy", "RequestConflict"]
    arm.done("PUT", f"{SERVER}/databases/x", {})
    assert arm.daemon.conflicts.to_json() == {"strict": False, "met": {}, "drawn": 2, "toDraw": 0}


def test_nothing_is_busy_with_what_is_yet_to_be_made(arm: ArmDaemon) -> None:
    fault(arm, kind="conflicts", rate=1, requests=100)
    arm.server("newcomer")
    assert arm.refused("POST", f"{SERVERS}/newcomer/restart")[1] == "ServerIsBusy"


def test_a_rate_is_a_share(arm: ArmDaemon) -> None:
    base = arm.environment["IDENTITY_ENDPOINT"].removesuffix("/msi/token")
    headers = {"X-Emulator-Secret": arm.daemon.settings.control_secret}
    query = {"kind": "conflicts", "rate": "2", "requests": "1"}
    answer = requests.post(f"{base}/emulator/fault", params=query, headers=headers, timeout=30)
    assert answer.status_code == 400
    assert "not a share" in answer.text
