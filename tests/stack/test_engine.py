"""The engine and the plugins that it is given: programs, errors, and what happens when it is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from tools.engine import find, wrappers

PROVIDER = """
import os, pathlib, sys, time
from pulumi.dynamic import CreateResult, Resource, ResourceProvider
from database.errors import DatabaseError

class SlowProvider(ResourceProvider):
    serialize_as_secret_always = False

    def create(self, props):
        if props["mistake"] == "people":
            raise DatabaseError("the table is not there: create it first") from None
        if props["mistake"] == "bug":
            raise KeyError("surprise")
        pathlib.Path(props["file"]).write_text(str(os.getpid()))
        for turn in range(int(props["turns"])):
            print("turn", turn, file=sys.stderr, flush=True)
            time.sleep(0.1)
        return CreateResult("slow", {**props})

class Slow(Resource, module="postgresql", name="Slow"):
    def __init__(self, name, props):
        super().__init__(SlowProvider(), name, props)
"""
PROGRAM = """
import os, sys
import pulumi
from parts.slow import Slow

what = os.environ["WHAT"]
if what == "mistakes":
    raise pulumi.RunError("two mistakes:\\n  one: is wrong\\n  two: is wrong")
if what == "crash":
    {}["missing"]
if what == "exit":
    sys.exit("not today")
Slow("slow", {"mistake": what, "turns": os.environ.get("TURNS", "0"), "file": os.environ["FILE"]})
"""


@dataclass
class Toy:
    """A small program in a folder with a space in its name, and the environment of its engine."""

    folder: Path
    environment: dict[str, str]

    def command(self, operation: str) -> list[str]:
        """Return the command line."""
        return [
            str(find.find().pulumi), operation, "--stack", "toy", "--non-interactive", "--color", "never",
            "--suppress-permalink=true", *(["--yes", "--skip-preview"] if operation != "preview" else []),
        ]  # fmt: skip

    def run(self, operation: str, what: str, **more: str) -> tuple[int, str]:
        """Run the engine to its end and return its status and what it printed."""
        environment = {**self.environment, "WHAT": what, **more}
        done = subprocess.run(
            self.command(operation),
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr


@pytest.fixture
def toy(tmp_path: Path) -> Toy:
    folder = tmp_path / "a program"
    (folder / "parts").mkdir(parents=True)
    (folder / "database").mkdir()
    (folder / "database" / "errors.py").write_text("class DatabaseError(Exception): ...\n")
    (folder / "parts" / "slow.py").write_text(PROVIDER)
    (folder / "__main__.py").write_text(PROGRAM)
    (folder / "Pulumi.yaml").write_text("name: toy\nruntime: python\n")
    (folder / "backend").mkdir()
    engine = find.find()
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PULUMI_")}
    environment |= {
        "PATH": f"{engine.folder}{os.pathsep}{os.environ['PATH']}",
        "PULUMI_BACKEND_URL": f"file://{folder / 'backend'}",
        "PULUMI_HOME": str(folder / "home"),
        "PULUMI_CONFIG_PASSPHRASE": "toy",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "FILE": str(folder / "pid"),
    }
    toy = Toy(folder, environment)
    subprocess.run(
        [str(engine.pulumi), "stack", "init", "toy"], cwd=folder, env=environment, capture_output=True, check=True
    )
    return toy


def wait_for(condition: Callable[[], bool], what: str, seconds: float = 60) -> None:
    """Poll until it holds; fails after the limit."""
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit, f"waited {seconds} s in vain: {what}"
        time.sleep(0.05)


def test_a_program_runs_and_a_second_run_changes_nothing(toy: Toy) -> None:
    code, printed = toy.run("up", "", TURNS="2")
    assert code == 0, printed
    assert "turn 1" in printed
    assert "warning" not in printed
    code, printed = toy.run("up", "", TURNS="2")
    assert code == 0, printed
    assert "2 unchanged" in printed


@pytest.mark.parametrize(
    ("what", "said"), [("mistakes", "two: is wrong"), ("exit", "the program ended with: not today")]
)
def test_a_mistake_in_the_program_is_reported_without_a_traceback(toy: Toy, what: str, said: str) -> None:
    code, printed = toy.run("preview", what)
    assert code != 0
    assert said in printed
    assert "Traceback" not in printed
    assert "File " not in printed
    assert "an unhandled error occurred" not in printed


def test_a_crash_of_the_program_names_its_own_line_and_no_other(toy: Toy) -> None:
    code, printed = toy.run("preview", "crash")
    assert code != 0
    assert "KeyError: 'missing'" in printed
    assert "__main__.py" in printed
    assert "language_host" not in printed
    assert "runpy" not in printed


def test_an_error_for_people_comes_out_of_a_provider_alone(toy: Toy) -> None:
    code, printed = toy.run("up", "people")
    assert code != 0
    assert "the table is not there: create it first" in printed
    assert "Traceback" not in printed
    assert "Exception calling application" not in printed


def test_a_bug_in_a_provider_keeps_its_traceback(toy: Toy) -> None:
    code, printed = toy.run("up", "bug")
    assert code != 0
    assert "surprise" in printed
    assert "Traceback" in printed


def test_the_plugins_end_when_their_engine_is_killed(toy: Toy) -> None:
    environment = {**toy.environment, "WHAT": "", "TURNS": "600"}
    engine = subprocess.Popen(
        toy.command("up"), cwd=toy.folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        marker = toy.folder / "pid"
        wait_for(lambda: marker.exists() and bool(marker.read_text()), "the provider to create")
        plugins = psutil.Process(engine.pid).children(recursive=True)
        assert int(marker.read_text()) in {plugin.pid for plugin in plugins}
    finally:
        engine.send_signal(signal.SIGKILL)
        engine.wait()
    wait_for(lambda: not any(plugin.is_running() for plugin in plugins), "the plugins to end")


def test_a_built_engine_is_completed_once_and_then_left_alone(tmp_path: Path) -> None:
    engine = tmp_path / "cache" / "pulumi"
    engine.parent.mkdir()
    engine.write_text("an engine")
    folder = tmp_path / "bin"
    assert wrappers.complete(engine, folder) == folder / "pulumi"
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert set(before) == {"pulumi", *wrappers.MODULES}
    wrappers.complete(engine, folder)
    assert before == {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
