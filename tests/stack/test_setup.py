"""Set-up: what is made once, what is left alone, and what each thing that goes wrong says."""

from __future__ import annotations

import errno
import json
import os
import re
import socket
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tools import environment, locks, stack, target
from tools.engine import build, download, find
from tools.failure import Failure, from_os_error
from tools.places import ENGINE_VERSION, ROOT


@pytest.fixture(scope="session")
def engine() -> find.Engine:
    """The machine's own engine, found before a test moves the cache."""
    return find.find()


@pytest.fixture
def homes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Homes of its own, in a path with a space."""
    top = tmp_path / "with space"
    monkeypatch.setenv("STACKS_HOME", str(top / "stacks"))
    monkeypatch.setenv("EMULATOR_HOME", str(top / "emulator"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(top / "cache"))
    return top


def write_lock(local: stack.LocalStack, **changes: Any) -> Path:
    """Write a lock as the engine does, with some values changed."""
    lock = {"pid": 1, "username": "me", "hostname": socket.gethostname(), "timestamp": "2026-01-02T03:04:05.123456789Z"}
    local.locks.mkdir(parents=True)
    path = local.locks / "5e0f.json"
    path.write_text(json.dumps({**lock, **changes}))
    (local.locks / "5e0f.json.attrs").write_text("{}")
    return path


def dead_process() -> int:
    """Return the number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_the_lock_of_a_dead_process_is_cleared_and_said(homes: Path, capfd: pytest.CaptureFixture[str]) -> None:
    local = stack.LocalStack("local")
    lock = write_lock(local, pid=dead_process())
    locks.clear_stale(local)
    assert not lock.exists()
    assert not list(local.locks.iterdir())
    assert "Cleared the lock of a run that died" in capfd.readouterr().err


def test_the_lock_of_a_process_that_only_has_the_number_is_cleared(homes: Path) -> None:
    local = stack.LocalStack("local")
    lock = write_lock(local, pid=os.getpid(), timestamp="2001-01-01T00:00:00Z")
    locks.clear_stale(local)
    assert not lock.exists()


def test_the_lock_of_a_living_process_stays(homes: Path) -> None:
    local = stack.LocalStack("local")
    lock = write_lock(local, pid=os.getpid(), timestamp="2999-01-01T00:00:00Z")
    with pytest.raises(Failure, match=f"another run: process {os.getpid()}"):
        locks.clear_stale(local)
    assert lock.exists()


def test_the_lock_of_another_host_stays_whatever_lives_here(homes: Path) -> None:
    local = stack.LocalStack("local")
    lock = write_lock(local, pid=dead_process(), hostname="elsewhere")
    with pytest.raises(Failure, match="on the host elsewhere") as caught:
        locks.clear_stale(local)
    assert lock.exists()
    assert "cancel" in caught.value.way_out


def test_a_lock_that_cannot_be_read_stays(homes: Path) -> None:
    local = stack.LocalStack("local")
    lock = write_lock(local)
    lock.write_text("{")
    with pytest.raises(Failure, match="cannot be read"):
        locks.clear_stale(local)
    assert lock.exists()


def test_a_stack_is_made_without_touching_the_checked_in_file(engine: find.Engine, homes: Path) -> None:
    checked_in = ROOT / "Pulumi.local.yaml"
    before = checked_in.read_bytes()
    local = stack.LocalStack("local")
    settings = {**os.environ, **target.local_backend()}
    local.prepare(engine.pulumi, settings)
    copy = yaml.safe_load(local.config_file.read_text())
    salt = copy.pop("encryptionsalt")
    assert copy == yaml.safe_load(before)
    assert checked_in.read_bytes() == before
    assert stat.S_IMODE((homes / "stacks" / "passphrase").stat().st_mode) == 0o600
    passphrase = (homes / "stacks" / "passphrase").read_text()
    assert len(passphrase) > 30

    local.config_file.unlink()
    local.config_file.write_text(f"encryptionsalt: {salt}\n")
    local.prepare(engine.pulumi, settings)
    assert yaml.safe_load(local.config_file.read_text())["encryptionsalt"] == salt
    assert (homes / "stacks" / "passphrase").read_text() == passphrase


@pytest.mark.parametrize(
    ("name", "said"), [("../secrets", "not a stack's name"), ("nowhere", "There is no Pulumi.nowhere.yaml")]
)
def test_a_wrong_stack_is_a_sentence(name: str, said: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tools", "up", "--stack", name], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) == 2


def test_a_config_that_is_no_yaml_names_the_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "Pulumi.odd.yaml").write_text("config:\n  a: [1,\n")
    monkeypatch.setattr(stack, "ROOT", tmp_path)
    with pytest.raises(Failure, match=r"Pulumi.odd.yaml: not valid YAML.*line"):
        stack.read_config("odd")


def test_secrets_of_another_backend_are_refused_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, homes: Path
) -> None:
    (tmp_path / "Pulumi.odd.yaml").write_text("config:\n  postgres-genai:jobs:\n    a:\n      secure: v1:abc\n")
    monkeypatch.setattr(stack, "ROOT", tmp_path)
    with pytest.raises(Failure, match="encrypted with a key of another backend"):
        stack.LocalStack("odd").prepare(Path("pulumi"), {})


def test_no_way_to_an_engine_names_every_way_and_one_out(
    homes: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(download, "PROBE", "https://127.0.0.1:9/")
    with pytest.raises(Failure) as caught:
        find.find()
    told = str(caught.value)
    assert "the official download cannot be reached" in told
    assert "no `go` on PATH" in told
    assert f"Put pulumi {ENGINE_VERSION} on PATH" in told
    assert [path.name for path in (homes / "cache" / "postgres-genai").iterdir()] == ["engine.lock"]


def test_what_a_killed_set_up_left_is_removed_by_the_next(homes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    left = homes / "cache" / "postgres-genai" / "engine.part-1234"
    left.mkdir(parents=True)
    (left / "pulumi").write_text("half")
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(download, "PROBE", "https://127.0.0.1:9/")
    with pytest.raises(Failure):
        find.find()
    assert not left.exists()


def test_a_build_that_fails_says_what_go_said(homes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "go"
    program.write_text("#!/bin/sh\necho 'go: go.mod requires go >= 1.25.11 (running go 1.20.1)'\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    folder = tmp_path / "part"
    folder.mkdir()
    with pytest.raises(Failure, match=r"requires go >= 1.25.11 \(running go 1.20.1\)"):
        build.build(folder)


@pytest.mark.parametrize(
    ("version", "usable"),
    [("v3.259.0", True), ("v3.259.4", True), ("v3.260.0", False), ("v3.25.0", False), ("", False)],
)
def test_a_pulumi_on_path_counts_only_with_the_supported_version(
    homes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str, usable: bool
) -> None:
    for name in ("pulumi", find.LANGUAGE_HOST):
        (tmp_path / name).write_text(f"#!/bin/sh\necho {version}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    cached = homes / "cache" / "postgres-genai" / f"engine-{ENGINE_VERSION}" / "pulumi"
    cached.parent.mkdir(parents=True)
    cached.write_text("#!/bin/sh\n")
    cached.chmod(0o755)
    assert (find.find().folder == tmp_path) is usable


def test_packages_are_installed_only_when_a_lock_file_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed: list[tuple[str, ...]] = []
    monkeypatch.setattr(environment, "VENV", tmp_path)
    monkeypatch.setattr(environment, "VENV_PYTHON", Path(sys.executable))
    monkeypatch.setattr(environment, "STAMP", tmp_path / "stamp.json")
    monkeypatch.setattr(environment, "ROOT", tmp_path)
    (tmp_path / "requirements").mkdir()
    for name in environment.CHECKS:
        (tmp_path / name).write_text(name)

    def install(locks: tuple[str, ...]) -> None:
        installed.append(locks)
        environment._write_stamp(locks)

    monkeypatch.setattr(environment, "_install", install)
    environment.ensure(environment.PROGRAM)
    environment.ensure(environment.PROGRAM)
    assert installed == [environment.PROGRAM]
    environment.ensure(environment.CHECKS)
    environment.ensure(environment.PROGRAM)
    assert installed == [environment.PROGRAM, environment.CHECKS]
    (tmp_path / "requirements.txt").write_text("changed")
    environment.ensure(environment.PROGRAM)
    assert installed[2:] == [environment.CHECKS], "what the checks need is not thrown away by `up`"


@pytest.mark.parametrize(
    ("number", "said"), [(errno.ENOSPC, "The disk is full"), (errno.EACCES, "No permission to write"), (errno.EIO, "")]
)
def test_the_system_refuses_in_a_sentence(number: int, said: str) -> None:
    failure = from_os_error(OSError(number, os.strerror(number), "/some/file"))
    assert said in failure.what
    assert "/some/file" in failure.what


def test_an_unsupported_python_is_told_which_are_supported() -> None:
    text = (ROOT / "tools" / "__main__.py").read_text()
    code = text.replace("version = sys.version_info[:2]", "version = (3, 9)")
    assert code != text
    settings = {**os.environ, "PATH": "/nowhere"}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT, env=settings, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "needs 3.11, 3.12 or 3.13" in done.stderr
    assert not re.search("Traceback", done.stderr)


def test_make_help_names_every_target() -> None:
    done = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True)
    targets = re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert len(targets) > 15
    assert all(f"make {name}" in done.stdout for name in targets)
