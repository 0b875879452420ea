from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from emulator import state
from tests.emulator.arm_daemon import ArmDaemon
from tests.protocol.local_server import HOST, PASSWORD, USER, LocalServer
from tests.protocol.plugin import Plugin


@pytest.fixture(scope="session")
def server() -> Iterator[LocalServer]:
    running = LocalServer()
    yield running
    running.stop()


@pytest.fixture(scope="session")
def plugin(server: LocalServer) -> Iterator[Plugin]:
    """One process for all tests, like the engine's; at its end nothing secret may have been printed."""
    running = Plugin(server.environment)
    yield running
    printed = running.stop()
    assert PASSWORD not in printed
    assert "Traceback" not in printed, printed


@pytest.fixture
def database(server: LocalServer) -> str:
    return server.new_database()


@pytest.fixture
def access(database: str) -> dict[str, Any]:
    """The inputs that every resource has."""
    connection = {"host": HOST, "database": database, "user": USER, "authentication": "password"}
    return {"connection": connection, "password": PASSWORD}


@pytest.fixture
def arm(tmp_path: Path) -> Iterator[ArmDaemon]:
    """Resource Manager with the server `pg-1`."""
    with ArmDaemon(tmp_path / "home") as daemon:
        daemon.group()
        daemon.server("pg-1")
        yield daemon


@pytest.fixture
def arm_plugin(arm: ArmDaemon) -> Iterator[Plugin]:
    """A process that is signed in to it."""
    running = Plugin(arm.environment)
    yield running
    assert "Traceback" not in running.stop()


@pytest.fixture
def server_inputs(arm: ArmDaemon) -> dict[str, Any]:
    """The inputs of every resource that changes that server by Resource Manager."""
    return {
        "resourceManager": arm.endpoint,
        "resourceManagerScope": "https://management.azure.com/.default",
        "subscriptionId": state.SUBSCRIPTION_ID,
        "resourceGroup": "contracts",
        "serverName": "pg-1",
    }
