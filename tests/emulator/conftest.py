"""Fixtures of the emulator's tests: a whole emulator as its own process, and its parts alone."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from azure.identity import DefaultAzureCredential

from emulator.postgres.embedded import EmbeddedBackend
from tests.emulator.arm_daemon import ArmDaemon
from tests.emulator.embedded_servers import Embedded, processes_of, services
from tests.emulator.gateway_site import Site, wait_until

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Emulator:
    """A running emulator.

    Attributes:
        home: Its state folder.
        env: The variables that `python -m emulator env` prints.
        https: `https://127.0.0.1:PORT`, Resource Manager and the AI accounts.
        http: `http://127.0.0.1:PORT`, identity and control.
        gateway_port: Where PostgreSQL clients connect.
    """

    home: Path
    env: dict[str, str]
    https: str
    http: str
    gateway_port: int

    @property
    def ca_file(self) -> str:
        """The certificate of the emulator's authority."""
        return self.env["PGSSLROOTCERT"]

    def token(self, resource: str) -> str:
        """Return the deployer's token for a resource."""
        answer = requests.get(
            self.env["IDENTITY_ENDPOINT"],
            params={"api-version": "2019-08-01", "resource": resource},
            headers={"X-IDENTITY-HEADER": self.env["IDENTITY_HEADER"]},
            timeout=30,
        )
        answer.raise_for_status()
        return str(answer.json()["access_token"])


def run_emulator(home: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run `python -m emulator` in a home."""
    command = [sys.executable, "-m", "emulator", arguments[0], "--home", str(home), *arguments[1:]]
    return subprocess.run(command, cwd=ROOT, text=True, capture_output=True, timeout=180, check=False)


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """A whole emulator in a home of its own, with a space in its path."""
    home = tmp_path_factory.mktemp("emulator home")
    started = run_emulator(home, "start")
    assert started.returncode == 0, started.stderr
    try:
        env = json.loads(run_emulator(home, "env", "--json").stdout)
        http = env["IDENTITY_ENDPOINT"].removesuffix("/msi/token")
        yield Emulator(home, env, env["AZURE_RESOURCE_MANAGER_ENDPOINT"], http, int(env["PGPORT"]))
    finally:
        run_emulator(home, "reset")


@pytest.fixture(scope="session")
def arm_token(emulator: Emulator) -> str:
    """The deployer's token for Resource Manager."""
    return emulator.token("https://management.azure.com/")


@pytest.fixture
def azure_environment(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """The emulator's variables in this process, and none of a proxy or of another sign-in."""
    for name in [name for name in os.environ if name.lower().endswith("_proxy") or name.startswith("AZURE_")]:
        monkeypatch.delenv(name)
    for name, value in emulator.env.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def credential(azure_environment: None) -> DefaultAzureCredential:
    """What the program signs in with."""
    return DefaultAzureCredential()


@pytest.fixture(scope="module")
def arm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ArmDaemon]:
    """Resource Manager with a resource group `contracts`, over a backend that only records."""
    with ArmDaemon(tmp_path_factory.mktemp("arm")) as daemon:
        daemon.group()
        yield daemon


@pytest.fixture
def embedded(tmp_path: Path) -> Iterator[Embedded]:
    """Make embedded backends, and remove all that they made at the end."""
    made: list[EmbeddedBackend] = []

    def make(home: Path = tmp_path / "home", **changes: Any) -> EmbeddedBackend:
        backend = EmbeddedBackend(home, services(home, **changes))
        made.append(backend)
        return backend

    yield make
    for backend in made:
        asyncio.run(backend.remove_all())
        assert processes_of(backend) == []


@pytest.fixture(scope="session")
def whole_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One server behind a gateway of its own."""
    site = Site(tmp_path_factory.mktemp("site"))
    yield site
    site.close()


@pytest.fixture
def site(whole_site: Site) -> Iterator[Site]:
    """The site in its usual state; no connection is left at the end."""
    whole_site.lookup.server = whole_site.usual
    yield whole_site
    wait_until(lambda: not whole_site.gateway.connections and not whole_site.gateway._tasks)
    assert whole_site.gateway._cancel_keys == {}
