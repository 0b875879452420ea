from __future__ import annotations

from collections.abc import Iterator

import pytest

from emulator.postgres.installation import Installations
from tests.postgres.attacker import TOOLS
from tests.postgres.vector_server import SUPERUSER, Connection, VectorDatabase, VectorServer


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


@pytest.fixture(scope="session")
def server_debian(debian: type[Installations]) -> Iterator[VectorServer]:
    """PostgreSQL 17 of Debian: ICU, contrib, pg_cron, and age in every test's database."""
    running = VectorServer("17", debian, first=("age",))
    yield running
    running.stop()


@pytest.fixture
def db_debian(server_debian: VectorServer) -> Iterator[VectorDatabase]:
    """A database like `db`, with age, on PostgreSQL 17 of Debian."""
    database = server_debian.new_database()
    yield database
    database.close()


@pytest.fixture
def db(server: VectorServer) -> Iterator[VectorDatabase]:
    database = server.new_database()
    yield database
    database.close()


@pytest.fixture
def attacker(db: VectorDatabase) -> Iterator[Connection]:
    """A session of `application`, who owns the schema `app` and as whom the administrator can act."""
    with db.connect(SUPERUSER) as conn:
        conn.execute("CREATE SCHEMA app AUTHORIZATION application")
        conn.execute("GRANT application TO deployer WITH INHERIT FALSE, SET TRUE")
    with db.connect("application") as conn:
        conn.execute(TOOLS)
        yield conn
