"""Fixtures: azure-native in front of a tiny Resource Manager, and a connection to it as the engine has one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.emulator.provider_arm import TinyArm
from tests.emulator.provider_client import Client, azure


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[TinyArm, int]]:
    with azure(tmp_path_factory.mktemp("arm")) as found:
        yield found


@pytest.fixture
def arm(provider: tuple[TinyArm, int]) -> Iterator[TinyArm]:
    yield provider[0]
    provider[0].clear()


@pytest.fixture
def port(provider: tuple[TinyArm, int]) -> int:
    return provider[1]


@pytest.fixture
def client(arm: TinyArm, port: int) -> Iterator[Client]:
    found = Client(port)
    yield found
    found.channel.close()
