"""State over restarts, after a crash in the middle, and when the disk is full."""

import errno
import os
from pathlib import Path
from typing import Any, NoReturn

import pytest
import requests

from emulator.daemon import StartError
from emulator.postgres.backend import BackendError
from emulator.state import Home, StateError, write_json
from tests.emulator.arm_daemon import (
    ACCOUNTS,
    COGNITIVE,
    GROUP,
    RESOURCES,
    SERVERS,
    ArmDaemon,
    RecordingBackend,
    account_body,
    deployment_body,
)


def test_everything_is_there_after_a_restart(tmp_path: Path) -> None:
    with ArmDaemon(tmp_path) as arm:
        arm.group()
        arm.server("kept")
        arm.server("resting")
        arm.done("POST", f"{SERVERS}/resting/stop")
        waiting = {"properties": {"value": "120"}}
        arm.done("PUT", f"{SERVERS}/kept/configurations/max_connections", waiting)
        arm.done("PUT", f"{ACCOUNTS}/kept-ai", account_body(customSubDomainName="kept-ai"), COGNITIVE)
        arm.done("PUT", f"{ACCOUNTS}/kept-ai/deployments/embedding", deployment_body(), COGNITIVE)
        before = arm.call("GET", f"{SERVERS}/kept").json()
        token, ports = arm.token(), arm.daemon.settings
    with ArmDaemon(tmp_path) as again:
        assert again.daemon.settings.https_port == ports.https_port
        assert again.daemon.settings.identity_header == ports.identity_header
        again.session.headers["Authorization"] = f"Bearer {token}"
        assert again.call("GET", f"{SERVERS}/kept").json() == before
        assert again.backend.running == {"kept"}
        assert again.call("GET", f"{SERVERS}/resting").json()["properties"]["state"] == "Stopped"
        read = again.call("GET", f"{SERVERS}/kept/configurations/max_connections").json()["properties"]
        assert (read["value"], read["isConfigPendingRestart"]) == ("120", False)
        account = again.daemon.lookup.account_by_host("kept-ai.openai.azure.com")
        assert account is not None
        assert list(account.deployments) == ["embedding"]
        assert again.daemon.status()["calls"]["arm"] > 10


def test_what_a_crash_left_half_done(tmp_path: Path) -> None:
    with ArmDaemon(tmp_path) as arm:
        arm.group()
        for name in ("half", "going", "changing", "broken"):
            arm.server(name)
        store = arm.daemon.store
        states = {"half": "Provisioning", "going": "Dropping", "changing": "Updating", "broken": "Ready"}
        arm.done("PUT", f"{ACCOUNTS}/half-ai", account_body(), COGNITIVE)
    with ArmDaemon(tmp_path) as arm:
        store = arm.daemon.store
        for name, state in states.items():
            store.update(f"{SERVERS}/{name}", {"state": state})
        store.update(f"{ACCOUNTS}/half-ai", {"provisioningState": "Creating"})
    with ArmDaemon(tmp_path, FailsToStart("broken")) as again:
        assert again.call("GET", f"{SERVERS}/half").status_code == 404
        assert again.call("GET", f"{SERVERS}/going").status_code == 404
        assert again.call("GET", f"{SERVERS}/changing").json()["properties"]["state"] == "Ready"
        assert again.call("GET", f"{SERVERS}/broken").json()["properties"]["state"] == "Inaccessible"
        read = again.call("GET", f"{ACCOUNTS}/half-ai", version=COGNITIVE).json()
        assert read["properties"]["provisioningState"] == "Succeeded"


class FailsToStart(RecordingBackend):
    """A backend on which one server does not start."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name

    async def start(self, name: str) -> None:
        if name == self._name:
            raise BackendError("its files are damaged")
        await super().start(name)


def test_only_one_daemon_in_a_home(tmp_path: Path) -> None:
    with ArmDaemon(tmp_path), pytest.raises(StartError, match="already runs"), ArmDaemon(tmp_path):
        pass


def full_disk(*_: Any, **__: Any) -> NoReturn:
    """Fail as a write on a full disk does."""
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_is_a_sentence_and_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with ArmDaemon(tmp_path) as arm:
        arm.group()
        with monkeypatch.context() as disk:
            disk.setattr(Path, "replace", full_disk)
            refused = arm.refused("PUT", GROUP.replace("contracts", "other"), {"location": "eastus2"}, RESOURCES)
            assert refused[0] == 500
            assert "is full. Free some space" in refused[2]
            assert arm.call("GET", GROUP, version=RESOURCES).status_code == 200
        assert arm.call("GET", GROUP.replace("contracts", "other"), version=RESOURCES).status_code == 404
        assert not [path for path in tmp_path.iterdir() if path.name.startswith(".resources")]
        arm.done("PUT", GROUP.replace("contracts", "other"), {"location": "eastus2"}, RESOURCES)


def test_a_home_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StateError, match="file/home"):
        Home(tmp_path / "file" / "home").prepare()
    with pytest.raises(StateError, match=r"absent/x\.json"):
        write_json(tmp_path / "absent" / "x.json", {})


def test_certificates_are_verified(tmp_path: Path) -> None:
    with ArmDaemon(tmp_path) as arm:
        with pytest.raises(requests.exceptions.SSLError):
            requests.get(f"{arm.endpoint}{GROUP}", timeout=30, verify=True)
        assert requests.get(f"{arm.endpoint}{GROUP}", timeout=30, verify=arm.session.verify).status_code == 401
