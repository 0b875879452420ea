"""The stack level: the real engine against the emulator, in a private copy of the program with homes of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
import requests
import yaml

from emulator.state import Home, Settings
from tools.places import ROOT, VENV

LEFT_OUT = (".git", ".venv", ".stacks", ".emulator", ".*_cache", "__pycache__", "tests", "docs", "*.pyc", ".hypothesis")
OUTER = ("STACK", "TARGET", "BACKEND", "PYTHONPATH", "MAKEFLAGS", "MFLAGS", "MAKEOVERRIDES", "MAKELEVEL")
PROJECT = "postgres-genai"
DATABASES = "https://ossrdbms-aad.database.windows.net"  # whom a token for databases is for
SECONDS = 300  # longest that one command may take before the test gives up on it


@dataclass
class Workplace:
    """A copy of the program with an emulator and a backend of its own.

    Attributes:
        root: the copy.
        homes: the folder above the emulator's home and the stacks.
        backend: what runs PostgreSQL, where it is not the default.
        printed: everything that any command printed, for the search for secrets.
    """

    root: Path
    homes: Path
    backend: str = ""
    printed: list[str] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        """The environment of the commands: the homes, no terminal, nothing of an outer test run or an outer `make`."""
        own = {key: value for key, value in os.environ.items() if key not in OUTER}
        return {
            **own,
            "EMULATOR_HOME": str(self.homes / "emulator"),
            "STACKS_HOME": str(self.homes / "stacks"),
            "POSTGRES_GENAI_VENV": str(VENV),
            "COLUMNS": "200",
            **({"BACKEND": self.backend} if self.backend else {}),
        }

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start `python -m tools ...` without waiting for it."""
        command = [sys.executable, "-m", "tools", *arguments]
        return subprocess.Popen(
            command, cwd=self.root, env=self.environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip

    def run(self, *arguments: str, code: int | None = 0, module: str = "tools") -> str:
        """Run `python -m tools ...` and return what it printed, both streams.

        Args:
            arguments: the command and its arguments.
            code: the exit status that it must have, or None for any but 0.
            module: another module to run.
        """
        command = [sys.executable, "-m", module, *arguments]
        done = subprocess.run(
            command, cwd=self.root, env=self.environment, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=SECONDS, check=False,
        )  # fmt: skip
        self.printed += [done.stdout, done.stderr]
        told = f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
        assert done.returncode == code if code is not None else done.returncode, told
        return done.stdout + done.stderr

    def data(self, *arguments: str, module: str = "tools", code: int = 0) -> Any:
        """Run a command with `--json`, which must end with `code`, and return its data."""
        command = [sys.executable, "-m", module, *arguments, "--json"]
        done = subprocess.run(
            command, cwd=self.root, env=self.environment, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=SECONDS, check=False,
        )  # fmt: skip
        assert done.returncode == code, done.stdout + done.stderr
        self.printed += [done.stdout, done.stderr]
        return json.loads(done.stdout)

    def processes(self) -> list[psutil.Process]:
        """Return the processes of this workplace that run, its servers among them."""
        found = []
        for process in psutil.process_iter(["cmdline", "environ"]):
            words = [*(process.info["cmdline"] or []), *(process.info["environ"] or {}).values()]
            if process.pid != os.getpid() and any(str(self.homes) in word for word in words):
                found.append(process)
        return found

    def exempt(self, stack: str, *violations: tuple[str, str], until: str = "2099-12-31") -> None:
        """Let a stack violate rules of the policy pack: pairs of a rule and a resource; none takes all back."""
        path = self.root / "policy" / "stacks.yaml"
        decided = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        decided[stack] = {
            "exemptions": [
                {"rule": rule, "resource": resource, "reason": "What this test is about.", "until": until}
                for rule, resource in violations
            ]
        }
        path.write_text(yaml.safe_dump(decided), encoding="utf-8")

    def stack(self, name: str) -> StackAtWork:
        """Return one stack of this workplace."""
        return StackAtWork(self, name)


@dataclass
class StackAtWork:
    """One stack: its config file, its commands, its database."""

    place: Workplace
    name: str

    @property
    def file(self) -> Path:
        """The config file."""
        return self.place.root / f"Pulumi.{self.name}.yaml"

    def write(self, **values: Any) -> None:
        """Write the whole config, by the names in YAML without the project's prefix."""
        config = {f"{PROJECT}:{key}": value for key, value in values.items()}
        self.file.write_text(yaml.safe_dump({"config": config}, sort_keys=False), encoding="utf-8")

    def values(self) -> dict[str, Any]:
        """Read the whole config."""
        config = yaml.safe_load(self.file.read_text(encoding="utf-8"))["config"]
        return {key.removeprefix(f"{PROJECT}:"): value for key, value in config.items()}

    def edit(self, change: Callable[[dict[str, Any]], None]) -> None:
        """Change the config in place."""
        values = self.values()
        change(values)
        self.write(**values)

    def run(self, command: str, *arguments: str, code: int | None = 0) -> str:
        """Run a command of the stack."""
        return self.place.run(command, "--stack", self.name, *arguments, code=code)

    def up(self) -> dict[str, Any]:
        """Bring the stack up and return the facts of the summary."""
        facts: dict[str, Any] = self.place.data("up", "--stack", self.name)
        return facts

    def status(self, code: int = 0) -> dict[str, Any]:
        """Return what `status --json` says."""
        found: dict[str, Any] = self.place.data("status", "--stack", self.name, code=code)
        return found

    def variables(self) -> dict[str, str]:
        """Return the exports that `env` prints; not recorded, because a token is meant to be among them."""
        command = [sys.executable, "-m", "tools", "env", "--stack", self.name]
        line = 'eval "$("$@")" && exec "$0" -c \'import json, os; print(json.dumps(dict(os.environ)))\''
        done = subprocess.run(
            ["/bin/sh", "-c", line, sys.executable, *command], cwd=self.place.root, env=self.place.environment,
            capture_output=True, text=True, timeout=SECONDS, check=True,
        )  # fmt: skip
        variables: dict[str, str] = json.loads(done.stdout)
        return variables

    def outputs(self) -> dict[str, Any]:
        """Return the stack's outputs as the engine masks them."""
        outputs: dict[str, Any] = json.loads(self.engine("stack", "output", "--json"))
        return outputs

    def state(self) -> str:
        """Return the stack's state as it is kept, secrets encrypted."""
        return (self.place.homes / "stacks/backend/.pulumi/stacks" / PROJECT / f"{self.name}.json").read_text("utf-8")

    def engine(self, *arguments: str) -> str:
        """Run the engine's own command line and return what it printed."""
        return self.place.run("pulumi", "--stack", self.name, "--", *arguments)

    def engine_quietly(self, *arguments: str) -> str:
        """Do the same without recording it, for what is meant to show secrets."""
        printed = self.engine(*arguments)
        del self.place.printed[-2:]
        return printed

    def arm(
        self, method: str, suffix: str, body: dict[str, Any] | None = None, version: str = "2024-08-01"
    ) -> dict[str, Any]:
        """Change the server by hand in Resource Manager, as the portal would, and wait for it.

        Args:
            method: of HTTP.
            suffix: what follows the server's id, such as "/firewallRules/office"; or the whole id of something else.
            body: of the request.
            version: of the API.
        """
        shown = self.variables()
        manager = shown["AZURE_RESOURCE_MANAGER_ENDPOINT"]
        identity = requests.get(
            shown["IDENTITY_ENDPOINT"], params={"api-version": "2019-08-01", "resource": "https://management.azure.com"},
            headers={"X-IDENTITY-HEADER": shown["IDENTITY_HEADER"]}, timeout=30,
        )  # fmt: skip
        header = {"Authorization": f"Bearer {identity.json()['access_token']}"}
        path = suffix if suffix.startswith("/subscriptions/") else f"{self.outputs()['serverId']}{suffix}"
        roots = shown["REQUESTS_CA_BUNDLE"]
        answer = requests.request(
            method,
            f"{manager}{path}",
            params={"api-version": version},
            json=body,
            headers=header,
            verify=roots,
            timeout=60,
        )
        answer.raise_for_status()
        operation = answer.headers.get("Azure-AsyncOperation")
        limit = time.monotonic() + 60
        while operation:
            state = requests.get(operation, headers=header, verify=roots, timeout=60).json()["status"]
            if state in ("Succeeded", "Failed", "Canceled"):
                assert state == "Succeeded"
                break
            assert time.monotonic() < limit, f"{method} {suffix} is still {state}"
            time.sleep(0.1)
        found: dict[str, Any] = answer.json() if answer.content else {}
        return found

    def token(self, name: str, object_id: str, kind: str = "ServicePrincipal") -> str:
        """Return a token of somebody for databases, as the directory would give it to them alone."""
        settings = Settings.read(Home(self.place.homes / "emulator"))
        answer = requests.post(
            f"http://127.0.0.1:{settings.http_port}/emulator/tokens",
            json={"objectId": object_id, "name": name, "kind": kind, "resource": DATABASES},
            headers={"X-Emulator-Secret": settings.control_secret},
            timeout=30,
        )
        return str(answer.json()["access_token"])

    def connect(self, **others: str) -> psycopg.Connection[Any]:
        """Connect as a person would, by libpq's variables, or as somebody else."""
        shown = self.variables()
        names = {
            "host": "PGHOST", "hostaddr": "PGHOSTADDR", "port": "PGPORT", "dbname": "PGDATABASE", "user": "PGUSER",
            "password": "PGPASSWORD", "sslmode": "PGSSLMODE", "sslrootcert": "PGSSLROOTCERT",
        }  # fmt: skip
        return psycopg.connect(**{**{key: shown[name] for key, name in names.items()}, **others}, autocommit=True)


def planned(printed: str, operation: str, name: str) -> bool:
    """Tell whether a preview says that it would do this to that resource."""
    return any(f" {name} {operation}" in line for line in printed.splitlines())


@pytest.fixture(scope="session")
def place() -> Iterator[Workplace]:
    """A workplace for the whole level."""
    with workplace() as place:
        yield place


@contextmanager
def workplace(backend: str = "") -> Iterator[Workplace]:
    """Make a workplace, its folders with a space in their names; nothing of it stays."""
    # Short, because the sockets of PostgreSQL lie below it and a socket's path has at most 107 bytes.
    top = Path(tempfile.mkdtemp(prefix="pgai stack "))
    top.chmod(0o755)
    root = top / "copy"
    shutil.copytree(ROOT, root, ignore=shutil.ignore_patterns(*LEFT_OUT))
    place = Workplace(root, top, backend)
    try:
        yield place
    finally:
        place.run("reset", module="emulator", code=0)
        left = [
            process
            for process in psutil.process_iter(["cmdline"])
            if str(top) in " ".join(process.info["cmdline"] or [])
        ]
        shutil.rmtree(top)
        assert not left, f"left running: {left}"


@pytest.fixture(scope="session")
def small() -> dict[str, Any]:
    """The config of a small stack: a server, a database, the extensions, one deployment, no data."""
    local = yaml.safe_load((ROOT / "Pulumi.local.yaml").read_text(encoding="utf-8"))["config"]
    values = {key.removeprefix(f"{PROJECT}:"): value for key, value in local.items()}
    return {**values, "jobs": {}, "sample": False}
