"""The command line: start, stop, status, env, logs, reset; what is left, kept, cleared, and said."""

import json
import os
import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from emulator.state import Home, Settings
from tests.emulator.arm_daemon import RESOURCES
from tests.emulator.conftest import ROOT, run_emulator
from tests.emulator.whole_emulator import call, make_server, postmasters


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "a home"
    yield path
    run_emulator(path, "reset")


def status(home: Path) -> dict[str, object]:
    """Return the status document."""
    document: dict[str, object] = json.loads(run_emulator(home, "status", "--json").stdout)
    return document


def lives(process: psutil.Process) -> bool:
    """Return whether a process runs, and does not only wait for its parent."""
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def test_a_whole_life(home: Path) -> None:
    assert status(home) == {"running": False}
    assert "No emulator was running" in run_emulator(home, "stop").stdout
    refused = run_emulator(home, "env")
    assert refused.returncode == 1
    assert "python -m emulator start" in refused.stderr
    assert run_emulator(home, "start").returncode == 0
    again = run_emulator(home, "start")
    assert again.returncode == 0
    assert "runs already" in again.stdout
    make_server(home, "lasting")
    found = status(home)
    assert [(server["name"], server["state"], server["runs"]) for server in found["servers"]] == [  # type: ignore[attr-defined]
        ("lasting", "Ready", found["servers"][0]["runs"])  # type: ignore[index]
    ]
    assert found["servers"][0]["runs"].startswith("16.")  # type: ignore[index]
    assert "lasting" in run_emulator(home, "status").stdout
    assert "PUT" in run_emulator(home, "logs").stdout
    assert "Logs: emulator" in run_emulator(home, "logs", "absent").stderr
    ports, process = found["ports"], psutil.Process(int(str(found["pid"])))
    family = [process, *process.children(recursive=True)]
    servers = postmasters(home)
    assert servers
    assert "stopped" in run_emulator(home, "stop").stdout
    assert not [member for member in family if lives(member)]
    assert not any(psutil.pid_exists(pid) for pid in servers)
    for port in ports.values():  # type: ignore[attr-defined]
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", port)) != 0
    assert run_emulator(home, "start").returncode == 0
    later = status(home)
    assert later["ports"] == ports
    assert later["servers"][0]["state"] == "Ready"  # type: ignore[index]
    assert "Nothing is left" in run_emulator(home, "reset").stdout
    assert not postmasters(home)
    assert {path.name for path in home.iterdir()} <= {"daemon.lock", "start.lock"}


def test_a_home_keeps_its_backend(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "(backend embedded)" in run_emulator(home, "start").stdout
    assert status(home)["backend"]["name"] == "embedded"  # type: ignore[index]
    for running in (True, False):
        refused = run_emulator(home, "start", "--backend", "debian")
        assert refused.returncode == 1, running
        assert "has the backend embedded" in refused.stderr
        assert "python -m emulator reset" in refused.stderr
        run_emulator(home, "stop")
    monkeypatch.setenv("BACKEND", "oracle")
    assert "BACKEND=oracle is no backend" in run_emulator(home, "start").stderr


@pytest.mark.parametrize(
    "wanted",
    ["external", "postgresql://super:Never-show-5-this@db/x", "host=db user=super password=Never-show-5-this"],
)
def test_a_postgresql_of_somebody_else_is_refused_and_its_password_not_shown(
    home: Path, monkeypatch: pytest.MonkeyPatch, wanted: str
) -> None:
    monkeypatch.setenv("BACKEND", wanted)
    refused = run_emulator(home, "start")
    assert refused.returncode == 1
    assert "no backend for a PostgreSQL that somebody else runs" in refused.stderr
    assert "Leave BACKEND out, or choose one of: embedded, debian." in refused.stderr
    pages = re.findall(r"docs/[\w/-]+\.md", refused.stderr)
    assert len(pages) == 2
    assert all((ROOT / page).is_file() for page in pages)
    kept = "".join(path.read_text() for path in home.rglob("*") if path.is_file())
    assert "Never-show" not in refused.stdout + refused.stderr + kept
    assert not (home / "emulator.json").exists()


def test_env_is_read_by_a_shell(home: Path) -> None:
    run_emulator(home, "start")
    lines = run_emulator(home, "env").stdout
    script = f'{lines}\nprintf "%s|%s" "$REQUESTS_CA_BUNDLE" "$PGPORT"'
    shown = subprocess.run(["sh", "-c", script], text=True, capture_output=True, check=True, env={"PATH": os.defpath})
    bundle, port = shown.stdout.split("|")
    assert Path(bundle).read_text().count("BEGIN CERTIFICATE") > 50
    assert int(port) == Settings.read(Home(home)).gateway_port
    assert oct(Path(home, "emulator.json").stat().st_mode & 0o777) == "0o600"


def test_a_killed_emulator_is_cleared_and_its_servers_taken_over(home: Path) -> None:
    run_emulator(home, "start")
    make_server(home, "survivor")
    pid = Settings.read(Home(home)).pid
    assert pid is not None
    process = psutil.Process(pid)
    os.kill(pid, signal.SIGKILL)
    process.wait(30)
    assert status(home) == {"running": False}
    assert run_emulator(home, "start").returncode == 0
    assert status(home)["servers"][0]["state"] == "Ready"  # type: ignore[index]
    pid = Settings.read(Home(home)).pid
    assert pid is not None
    process = psutil.Process(pid)
    os.kill(pid, signal.SIGKILL)
    process.wait(30)
    assert postmasters(home)
    run_emulator(home, "stop")
    assert not postmasters(home)
    assert Settings.read(Home(home)).pid is None


def test_a_process_id_of_somebody_else_is_not_believed(home: Path) -> None:
    run_emulator(home, "start")
    run_emulator(home, "stop")
    settings = Settings.read(Home(home))
    settings.pid = os.getpid()
    settings.write(Home(home))
    run_emulator(home, "stop")
    assert run_emulator(home, "start").returncode == 0
    assert Settings.read(Home(home)).pid != os.getpid()


def test_ports_that_are_taken(home: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        for option in ("--https-port", "--http-port", "--gateway-port"):
            refused = run_emulator(home, "start", option, str(port))
            assert refused.returncode == 1
            assert f"Port {port} on 127.0.0.1 is taken" in refused.stderr
            assert "Traceback" not in refused.stderr
        settings = Settings.read(Home(home))
        settings.https_port = settings.gateway_port = settings.azure_native_port = port
        settings.write(Home(home))
        assert run_emulator(home, "start").returncode == 0
        assert port not in status(home)["ports"].values()  # type: ignore[attr-defined]


def test_a_damaged_state_is_said(home: Path) -> None:
    home.mkdir()
    (home / "resources.json").write_text("{ half")
    refused = run_emulator(home, "start")
    assert refused.returncode == 1
    assert "is not valid JSON" in refused.stderr
    assert "reset" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_two_emulators_side_by_side(home: Path, tmp_path: Path) -> None:
    second = tmp_path / "second"
    try:
        for place in (home, second):
            run_emulator(place, "start")
        make_server(home, "twin")
        make_server(second, "twin")
        assert run_emulator(home, "reset").returncode == 0
        assert status(second)["servers"][0]["state"] == "Ready"  # type: ignore[index]
    finally:
        run_emulator(second, "reset")


def test_no_secret_is_in_a_log(home: Path) -> None:
    run_emulator(home, "start")
    make_server(home, "discreet", password="Never-show-4-this")
    group = f"/subscriptions/{'00000000-0000-4000-8000-000000000002'}/resourceGroups/whole"
    assert call(home, "GET", group, RESOURCES).status_code == 200
    settings = json.loads((home / "emulator.json").read_text())
    private = (home / "resources.json").read_text()
    header = json.loads(private)["resources"]
    secrets = {"Never-show-4-this", settings["identity_header"], settings["control_secret"], settings["signing_key"]}
    secrets |= {item["private"]["identityHeader"] for item in header.values() if "identityHeader" in item["private"]}
    shown = run_emulator(home, "status", "--json").stdout + run_emulator(home, "logs", "--lines", "10000").stdout
    shown += "".join(path.read_text(errors="replace") for path in (home / "logs").iterdir())
    assert not [secret for secret in secrets if secret in shown]
    assert "Never-show-4-this" not in private


def test_conflicts_are_set_and_ended(home: Path) -> None:
    run_emulator(home, "start")
    assert "Strict: operations on a server" in run_emulator(home, "fault", "strict").stdout
    drawn = run_emulator(home, "fault", "conflicts", "--rate", "0.25", "--seed", "7", "--requests", "20").stdout
    assert "25% of the changes of a server's or an account's parts meet a conflict, 20 at most." in drawn
    assert "Conflicts met, strict mode: none. Drawn: 0, up to 20 more." in run_emulator(home, "status").stdout
    assert run_emulator(home, "fault", "none").stdout == "Nothing goes wrong.\n"
