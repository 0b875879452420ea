"""Every drill throws dice and prints their seed: `FAULT_SEED=<seed>` with `-k <test>` runs it again."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator

import pytest

from tests.postgres.faults.drill import FaultDatabase, FaultServer


@pytest.fixture(scope="session")
def server() -> Iterator[FaultServer]:
    running = FaultServer()
    yield running
    running.stop()


@pytest.fixture
def db(server: FaultServer) -> Iterator[FaultDatabase]:
    database = server.new_database()
    database.counts_calls = True
    yield database
    database.close()


@pytest.fixture
def dice() -> random.Random:
    seed = int(os.environ.get("FAULT_SEED") or random.randrange(10**9))
    print(f"FAULT_SEED={seed} runs this again")
    return random.Random(seed)


@pytest.fixture(params=["column", "table"])
def target(request: pytest.FixtureRequest) -> str:
    chosen: str = request.param
    return chosen


@pytest.fixture
def docs(db: FaultDatabase, dice: random.Random, target: str) -> FaultDatabase:
    """The job `docs` on an empty table, to either target, with a batch size by the dice."""
    db.start(target, batch=dice.randint(2, 40))
    return db
