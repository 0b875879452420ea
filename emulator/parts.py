"""The parts that the daemon puts together, each imported when it is needed: a cold start stays short."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from aiohttp import web

from emulator.arm.lookup import Lookup
from emulator.identity import Identity
from emulator.postgres.backend import Backend, Services

if TYPE_CHECKING:
    from emulator.ai.faults import Faults
    from emulator.ai.usage import Usage


class RunningProviders(Protocol):
    """The gRPC providers as the daemon sees them."""

    @property
    def ports(self) -> tuple[int, int]:
        """The ports of azure-native and random."""
        ...

    def stop(self) -> None:
        """Stop listening."""
        ...


class Parts:
    """The real parts; a test may put others in their place."""

    def backend(self, kind: str, home: Path, services: Services) -> Backend:
        """Return what runs PostgreSQL."""
        from emulator.postgres.kinds import make_backend

        return make_backend(kind, home, services)

    def ai(self, lookup: Lookup, identity: Identity, usage: Usage, faults: Faults) -> web.Application:
        """Return the data planes of the AI accounts."""
        from emulator.ai.app import create_app
        from emulator.ai.computing import OwnProcess

        self._computing = OwnProcess()
        return create_app(lookup, identity, usage, faults, executor=self._computing)

    def warm_up(self) -> None:
        """Load what the first embedding would wait for."""
        from emulator.ai.computing import load

        self._computing.submit(load)

    def providers(
        self, arm_endpoint: str, ca_file: Path, token: Callable[[], str], ports: tuple[int, int]
    ) -> RunningProviders:
        """Start the providers for the engine."""
        from emulator.providers.server import start

        return start(arm_endpoint, ca_file, token, ports)
