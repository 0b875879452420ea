"""The embedded backend: in which folders it runs, and as whom."""

import asyncio
import json
import os
import pwd
import tempfile
import traceback
from pathlib import Path
from typing import Any

import pytest

from emulator.postgres.account import Account
from emulator.postgres.backend import BackendError
from emulator.postgres.embedded import EmbeddedBackend
from tests.emulator.embedded_servers import (
    Embedded,
    asked_as_superuser,
    create,
    postmaster,
    processes_of,
    query,
    services,
)


def test_a_cache_that_cannot_be_written_is_done_without(
    embedded: Embedded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "file"
    file.touch()
    monkeypatch.setattr(Account, "cache_folder", lambda self: file / "cache")
    backend = embedded()
    create(backend)
    assert query(backend, "SELECT 1") == 1
    asyncio.run(backend.stop_all())


@pytest.mark.parametrize("name", ["with a space", "a" * 120, "a, comma"], ids=["space", "long", "comma"])
def test_odd_homes(embedded: Embedded, tmp_path: Path, name: str) -> None:
    backend = embedded(tmp_path / name)
    create(backend)
    assert query(backend, "SELECT 1") == 1
    assert asked_as_superuser(backend, "SELECT 1") == 1
    folder, port = backend.address("pg-a")
    assert len(os.fsencode(folder / f".s.PGSQL.{port}")) <= 103
    asyncio.run(backend.restart("pg-a"))
    assert asked_as_superuser(backend, "SELECT 1") == 1
    last, _ = backend.address("pg-a")
    asyncio.run(backend.delete("pg-a"))
    assert not last.exists()
    assert not folder.exists()


@pytest.mark.parametrize("name", ["../pg", "", "a/b", "a b"])
def test_names_that_leave_the_folder_are_refused(embedded: Embedded, name: str) -> None:
    with pytest.raises(BackendError, match="not a server name"):
        create(embedded(), name)


def test_a_foreign_account_runs_it_for_root(embedded: Embedded) -> None:
    backend = embedded()
    create(backend)
    expected = pwd.getpwnam("nobody").pw_uid if os.geteuid() == 0 else os.geteuid()
    assert postmaster(backend).uids().real == expected


@pytest.mark.skipif(
    os.geteuid() != 0, reason="only root can become another user; an ordinary user's run is the other tests"
)
def test_an_ordinary_user_runs_it() -> None:
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home of nobody"
        home.mkdir()
        nobody = pwd.getpwnam("nobody")
        for path in (Path(folder), home):
            os.chown(path, nobody.pw_uid, nobody.pw_gid)
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            _as_user(nobody, home, writing)
        os.close(writing)
        with os.fdopen(reading) as stream:
            answer = json.loads(stream.read() or "{}")
        os.waitpid(child, 0)
        assert answer == {"uid": nobody.pw_uid, "inside": True, "left": []}


def _as_user(user: pwd.struct_passwd, home: Path, answer: int) -> None:
    """In a forked process: become the user, run a server in its home, tell what happened, end."""
    try:
        os.setgroups([])
        os.setgid(user.pw_gid)
        os.setuid(user.pw_uid)
        os.environ.update(HOME=str(home), XDG_CACHE_HOME=str(home / "cache"))
        os.chdir(home)
        backend = EmbeddedBackend(home, services(home))
        create(backend)
        report: dict[str, Any] = {
            "uid": postmaster(backend).uids().real,
            "inside": str(asked_as_superuser(backend, "SHOW data_directory")).startswith(str(home.resolve())),
        }
        asyncio.run(backend.remove_all())
        report["left"] = processes_of(backend)
        os.write(answer, json.dumps(report).encode())
    except BaseException:  # noqa: BLE001 - the parent shows it
        os.write(answer, json.dumps({"error": traceback.format_exc()}).encode())
    finally:
        os._exit(0)
