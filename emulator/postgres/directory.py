"""What the gateway asks about servers when a client comes: the one thing that it needs of the rest of the emulator."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from emulator.arm.lookup import Lookup, ServerView
from emulator.postgres.backend import Backend


class Directory(Protocol):
    """Questions that a gateway asks once a connection."""

    async def server(self, host: str) -> ServerView | None:
        """Return the server with this host name, or None."""
        ...

    async def principal(self, server: str, role: str) -> str | None:
        """Return the object id of the Entra principal, no administrator, that a role was made for; None without one.

        Raises:
            BackendError: The server does not answer.
        """
        ...

    async def address(self, server: str) -> tuple[Path, int]:
        """Return the folder of the server's trusted socket and its TCP port.

        Raises:
            BackendError: There is no such server.
        """
        ...

    async def start(self, server: str) -> None:
        """Start a server's process.

        Raises:
            BackendError: It does not start.
        """
        ...


class OwnDirectory:
    """The directory of the process that has the state."""

    def __init__(self, lookup: Lookup, backend: Backend) -> None:
        self._lookup = lookup
        self._backend = backend

    async def server(self, host: str) -> ServerView | None:
        """Return the server with this host name, or None."""
        return self._lookup.server_by_host(host)

    async def principal(self, server: str, role: str) -> str | None:
        """Return the object id of the Entra principal that a role was made for."""
        return await self._backend.principal(server, role)

    async def address(self, server: str) -> tuple[Path, int]:
        """Return the folder of the server's trusted socket and its TCP port."""
        return self._backend.address(server)

    async def start(self, server: str) -> None:
        """Start a server's process."""
        await self._backend.start(server)
