from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.postgres.vector_server import VectorDatabase, VectorServer


@pytest.fixture(scope="session")
def server() -> Iterator[VectorServer]:
    running = VectorServer("16")
    yield running
    running.stop()


@pytest.fixture(scope="session")
def server_18() -> Iterator[VectorServer]:
    running = VectorServer("18")
    yield running
    running.stop()


@pytest.fixture
def db(server: VectorServer) -> Iterator[VectorDatabase]:
    database = server.new_database()
    yield database
    database.close()
