"""What tests of whole emulators do with them: requests, servers, the PostgreSQL processes of a home."""

import json
import threading
from pathlib import Path
from typing import Any

import psutil
import requests

from emulator.postgres.backend import Services
from emulator.postgres.embedded import EmbeddedBackend
from tests.emulator.arm_daemon import GROUP, POSTGRES, RESOURCES, SERVERS, server_body
from tests.emulator.conftest import run_emulator


def call(home: Path, method: str, path: str, version: str, body: Any = None) -> requests.Response:
    """Send one request to the emulator of a home as the deployer."""
    env = json.loads(run_emulator(home, "env", "--json").stdout)
    token = requests.get(
        env["IDENTITY_ENDPOINT"],
        params={"api-version": "2019-08-01", "resource": "https://management.azure.com"},
        headers={"X-IDENTITY-HEADER": env["IDENTITY_HEADER"]},
        timeout=30,
    ).json()["access_token"]
    url = path if path.startswith("https:") else env["AZURE_RESOURCE_MANAGER_ENDPOINT"] + path
    return requests.request(
        method,
        url,
        params=None if "api-version" in path else {"api-version": version},
        json=body,
        headers={"Authorization": f"Bearer {token}"},
        verify=env["PGSSLROOTCERT"],
        timeout=30,
    )


def make_server(home: Path, name: str, password: str | None = None) -> None:
    """Make a server in the group `whole` and wait until it is ready."""
    group = GROUP.replace("/contracts", "/whole")
    assert call(home, "PUT", group, RESOURCES, {"location": "eastus2"}).status_code in (200, 201)
    more: dict[str, Any] = {}
    if password:
        auth = {"activeDirectoryAuth": "Enabled", "passwordAuth": "Enabled"}
        more = {"authConfig": auth, "administratorLogin": "owner", "administratorLoginPassword": password}
    servers = SERVERS.replace("/contracts/", "/whole/")
    answer = call(home, "PUT", f"{servers}/{name}", POSTGRES, server_body(**more))
    assert answer.status_code == 202, answer.text
    while (found := call(home, "GET", answer.headers["Azure-AsyncOperation"], POSTGRES).json())[
        "status"
    ] == "InProgress":
        threading.Event().wait(0.05)
    assert found["status"] == "Succeeded", found


def postmasters(home: Path) -> list[int]:
    """Return the living PostgreSQL processes whose data lie in a home."""
    backend = EmbeddedBackend(home, Services("", "", home / "tls" / "ca.pem"))
    folder = str(backend._servers_folder)
    return [
        int(process.info["pid"])
        for process in psutil.process_iter(["pid", "cmdline"])
        if any(folder in word for word in process.info["cmdline"] or [])
    ]
