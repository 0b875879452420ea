"""Management locks: what they refuse, and where."""

from collections.abc import Iterator

import pytest

from tests.emulator.arm_daemon import GROUP, SERVERS, ArmDaemon

SERVER = f"{SERVERS}/locked"
LOCKS = "providers/Microsoft.Authorization/locks"


@pytest.fixture(scope="module", autouse=True)
def server(arm: ArmDaemon) -> None:
    arm.server("locked")
    arm.done("PUT", f"{SERVER}/databases/contracts", {})


@pytest.fixture
def lock(arm: ArmDaemon, request: pytest.FixtureRequest) -> Iterator[str]:
    """A lock of the scope and the level that the test asks for."""
    scope, level = request.param
    path = f"{scope}/{LOCKS}/keep"
    arm.done("PUT", path, {"properties": {"level": level, "notes": "holds vectors"}})
    yield scope
    assert arm.call("DELETE", path).status_code == 200


everywhere = pytest.mark.parametrize(
    "lock",
    [(SERVER, "CanNotDelete"), (GROUP, "CanNotDelete"), (GROUP.rpartition("/resourceGroups")[0], "CanNotDelete")],
    indirect=True,
    ids=["the server", "its group", "the subscription"],
)


@everywhere
def test_a_lock_keeps_a_server_and_its_children_and_its_group(arm: ArmDaemon, lock: str) -> None:
    for path in (SERVER, f"{SERVER}/databases/contracts", GROUP):
        status, code, message = arm.refused("DELETE", path)
        assert (status, code) == (409, "ScopeLocked")
        assert f"The scope '{path}' cannot perform delete operation" in message
        assert f"following scope(s) are locked: '{lock}'. Please remove the lock and try again." in message
    arm.done("PATCH", SERVER, {"tags": {"may": "change"}})
    arm.done("POST", f"{SERVER}/restart")


@pytest.mark.parametrize("lock", [(SERVER, "ReadOnly")], indirect=True)
def test_a_read_only_lock_refuses_changes_and_actions_too(arm: ArmDaemon, lock: str) -> None:
    for method, path in (("PATCH", SERVER), ("PUT", f"{SERVER}/databases/other"), ("POST", f"{SERVER}/restart")):
        status, code, message = arm.refused(method, path, {"properties": {}})
        assert (status, code) == (409, "ScopeLocked")
        assert "cannot perform write operation" in message
    assert arm.call("GET", SERVER).status_code == 200
    arm.done("PUT", f"{SERVERS}/unlocked", arm.call("GET", SERVER).json() | {"identity": {"type": "None"}})
    assert arm.refused("DELETE", lock)[1] == "ScopeLocked"


@pytest.mark.parametrize("lock", [(f"{SERVER}/databases/contracts", "CanNotDelete")], indirect=True)
def test_a_locked_child_keeps_its_parent(arm: ArmDaemon, lock: str) -> None:
    assert f"are locked: '{lock}'" in arm.refused("DELETE", SERVER)[2]


def test_without_the_lock_everything_goes(arm: ArmDaemon) -> None:
    arm.server("free")
    arm.done("DELETE", f"{SERVERS}/free")


def test_levels(arm: ArmDaemon) -> None:
    assert (
        "allowed: CanNotDelete, ReadOnly"
        in arm.refused("PUT", f"{SERVER}/{LOCKS}/odd", {"properties": {"level": "Sometimes"}})[2]
    )
