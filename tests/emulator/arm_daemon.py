"""A daemon in a thread of the test, over a backend that only records: Resource Manager without PostgreSQL."""

import asyncio
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import requests

from emulator import state
from emulator.arm import catalogue
from emulator.daemon import Daemon, Ports
from emulator.environment import variables
from emulator.parts import Parts, RunningProviders
from emulator.postgres.backend import Backend, BackendError, Services
from emulator.state import Home

GROUP = f"/subscriptions/{state.SUBSCRIPTION_ID}/resourceGroups/contracts"
SERVERS = f"{GROUP}/providers/Microsoft.DBforPostgreSQL/flexibleServers"
ACCOUNTS = f"{GROUP}/providers/Microsoft.CognitiveServices/accounts"
POSTGRES, COGNITIVE, AUTHORIZATION, RESOURCES = "2025-08-01", "2025-06-01", "2022-04-01", "2024-03-01"
_SECONDS = 30.0


class RecordingBackend:
    """Remembers what it was asked to do, and can be made to wait or to fail."""

    available_extensions = frozenset({"vector", "azure_ai", "plpgsql"})
    summary = "nothing"

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.running: set[str] = set()
        self.gate = threading.Event()
        self.gate.set()
        self.failure: str | None = None

    async def _do(self, *call: Any) -> None:
        self.calls.append(call)
        await asyncio.to_thread(self.gate.wait, _SECONDS)
        if self.failure:
            raise BackendError(self.failure)

    async def create_server(
        self, name: str, version: str, administrator: tuple[str, str] | None, identity_header: str
    ) -> None:
        await self._do("create_server", name, version, administrator[0] if administrator else None)
        self.running.add(name)

    async def start(self, name: str) -> None:
        await self._do("start", name)
        self.running.add(name)

    async def stop(self, name: str) -> None:
        await self._do("stop", name)
        self.running.discard(name)

    async def restart(self, name: str) -> None:
        await self._do("restart", name)

    async def delete(self, name: str) -> None:
        await self._do("delete", name)
        self.running.discard(name)

    async def set_parameters(self, name: str, values: Mapping[str, str]) -> None:
        await self._do("set_parameters", name, dict(values))

    async def set_password(self, name: str, login: str, password: str) -> None:
        await self._do("set_password", name, login)

    async def create_database(self, name: str, database: str, charset: str, collation: str) -> None:
        await self._do("create_database", name, database, charset, collation)

    async def drop_database(self, name: str, database: str) -> None:
        await self._do("drop_database", name, database)

    async def add_administrator(self, name: str, principal_name: str) -> None:
        await self._do("add_administrator", name, principal_name)

    async def remove_administrator(self, name: str, principal_name: str) -> None:
        await self._do("remove_administrator", name, principal_name)

    async def principal(self, name: str, role: str) -> str | None:
        return None

    async def stop_all(self) -> None:
        self.running.clear()

    def address(self, name: str) -> tuple[Path, int]:
        return Path("/nowhere"), 5432

    def version(self, name: str) -> str:
        return "16.14"


class NoProviders:
    """Stands where the gRPC providers are: nothing here speaks to the engine."""

    def __init__(self, ports: tuple[int, int]) -> None:
        self.ports = ports

    def stop(self) -> None:
        """Nothing to stop."""


@dataclass
class RecordedParts(Parts):
    """The real data planes over a recording backend."""

    recorder: RecordingBackend = field(default_factory=RecordingBackend)

    def backend(self, kind: str, home: Path, services: Services) -> Backend:
        return self.recorder

    def warm_up(self) -> None:
        """No embedding is asked for."""

    def providers(
        self, arm_endpoint: str, ca_file: Path, token: Callable[[], str], ports: tuple[int, int]
    ) -> RunningProviders:
        return NoProviders(ports)


class ArmDaemon:
    """One daemon in one home."""

    def __init__(self, home: Path, backend: RecordingBackend | None = None, ports: Ports | None = None) -> None:
        self.home = Home(home)
        self.backend = backend or RecordingBackend()
        self._ports = ports
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="arm-daemon")
        self.error: BaseException | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(_SECONDS)
        if self.error:
            self._thread.join()
            raise self.error
        values = variables(self.home, self.daemon.settings)
        self.endpoint = values["AZURE_RESOURCE_MANAGER_ENDPOINT"]
        self.environment = values
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.verify = values["PGSSLROOTCERT"]
        self.session.headers["Authorization"] = f"Bearer {self.token()}"
        return self

    def __exit__(self, *_: object) -> None:
        self.session.close()
        self._loop.call_soon_threadsafe(self.daemon.stop)
        self._thread.join(_SECONDS)

    def _run(self) -> None:
        async def main() -> None:
            self.daemon = Daemon(self.home, self._ports, RecordedParts(self.backend))
            await self.daemon.run(self._ready.set)

        try:
            self._loop.run_until_complete(main())
        except BaseException as error:  # noqa: BLE001 - raised again where the test waits
            self.error = error
            self._ready.set()
        finally:
            self._loop.close()

    def token(self, resource: str = "https://management.azure.com/") -> str:
        """Return the deployer's token."""
        answer = requests.get(
            self.environment["IDENTITY_ENDPOINT"],
            params={"api-version": "2019-08-01", "resource": resource},
            headers={"X-IDENTITY-HEADER": self.environment["IDENTITY_HEADER"]},
            timeout=_SECONDS,
        )
        return str(answer.json()["access_token"])

    def call(self, method: str, path: str, body: Any = None, version: str = "", **query: str) -> requests.Response:
        """Send one request, by default with an api-version of the type that the path names; return the answer."""
        url = path if path.startswith("https://") else f"{self.endpoint}{path}"
        params = {"api-version": version or version_of(path), **query} if "api-version" not in url else {}
        return self.session.request(method, url, params=params, json=body, timeout=_SECONDS)

    def done(self, method: str, path: str, body: Any = None, version: str = "") -> Any:
        """Send a request, wait for its operation, and return the resource; fail on any error."""
        status, document = self.outcome(method, path, body, version)
        assert status == "Succeeded", document
        return self.call("GET", path, version=version).json() if method in ("PUT", "PATCH") else None

    def outcome(self, method: str, path: str, body: Any = None, version: str = "") -> tuple[str, Any]:
        """Send a request and return how its operation ends: the status, and the error or the last answer."""
        answer = self.call(method, path, body, version)
        if answer.status_code >= 400:
            return str(answer.status_code), answer.json()["error"]
        poll = answer.headers.get("Azure-AsyncOperation")
        while poll:
            found = self.call("GET", poll).json()
            if found["status"] != "InProgress":
                return found["status"], found.get("error")
            threading.Event().wait(int(answer.headers["x-ms-retry-after-ms"]) / 1000)
        return "Succeeded", answer.json() if answer.content else None

    def refused(self, method: str, path: str, body: Any = None, version: str = "") -> tuple[int, str, str]:
        """Send a request that must be refused at once; return status, code, message and details."""
        answer = self.call(method, path, body, version)
        assert answer.status_code >= 400, answer.text
        error = answer.json()["error"]
        details = " ".join(item["message"] for item in error.get("details", []))
        return answer.status_code, error["code"], f"{error['message']} {details}".strip()

    def group(self) -> None:
        """Make the resource group of the tests."""
        self.done("PUT", GROUP, {"location": "eastus2"}, RESOURCES)

    def server(self, name: str, **properties: Any) -> Any:
        """Make a server with Entra authentication alone."""
        return self.done("PUT", f"{SERVERS}/{name}", server_body(**properties))


def version_of(path: str) -> str:
    """Return an api-version of the type that a path names."""
    if "/providers/" not in path:
        return RESOURCES
    namespace, *segments = path.rpartition("/providers/")[2].split("/")
    for types in (segments[::2], segments[:-1][::2]):
        rules = catalogue.load().rules("/".join([namespace, *types]))
        if rules:
            return POSTGRES if POSTGRES in rules.api_versions else rules.api_versions[-1]
    return POSTGRES


def server_body(**properties: Any) -> dict[str, Any]:
    """Return the body of a small server; properties replace the defaults."""
    auth = {"activeDirectoryAuth": "Enabled", "passwordAuth": "Disabled"}
    return {
        "location": "East US 2",
        "sku": {"name": "Standard_B2s", "tier": "Burstable"},
        "identity": {"type": "SystemAssigned"},
        "properties": {"version": "16", "authConfig": auth, "storage": {"storageSizeGB": 32}, **properties},
    }


def account_body(kind: str = "OpenAI", sku: str = "S0", **properties: Any) -> dict[str, Any]:
    """Return the body of an AI account."""
    return {"location": "eastus2", "kind": kind, "sku": {"name": sku}, "properties": properties}


def deployment_body(model: str = "text-embedding-3-small", capacity: int = 10, sku: str = "GlobalStandard") -> Any:
    """Return the body of a model deployment."""
    version = {"text-embedding-3-small": "1", "text-embedding-3-large": "1", "gpt-4o": "2024-08-06"}.get(model, "9")
    return {
        "sku": {"name": sku, "capacity": capacity},
        "properties": {"model": {"format": "OpenAI", "name": model, "version": version}},
    }
