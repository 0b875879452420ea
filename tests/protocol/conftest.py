from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

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
