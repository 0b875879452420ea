"""What the rest of the emulator may ask of the PostgreSQL behind an emulated flexible server."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


class BackendError(Exception):
    """Report a failed operation on a server; the text is for people and holds no secret."""


@dataclass(frozen=True)
class Services:
    """Name where the emulator's own services listen, for the stand-in extension inside the servers.

    Args:
        https_address: `127.0.0.1:PORT` of the AI data planes.
        http_address: `127.0.0.1:PORT` of the identity endpoint.
        ca_file: certificate of the emulator's authority, PEM.
        certificate: what a server presents that speaks TLS itself, PEM; None where none does.
        key: that certificate's key, PEM.
    """

    https_address: str
    http_address: str
    ca_file: Path
    certificate: Path | None = None
    key: Path | None = None


class Backend(Protocol):
    """Run PostgreSQL servers by name. Every coroutine raises `BackendError` and may be called again after it."""

    available_extensions: frozenset[str]
    """What CREATE EXTENSION can find."""

    summary: str
    """What really runs, in a few words."""

    async def create_server(
        self, name: str, version: str, administrator: tuple[str, str] | None, identity_header: str
    ) -> None:
        """Create and start a server; `administrator` is (login, password) of the native one."""
        ...

    async def start(self, name: str) -> None:
        """Start a server; nothing happens when it runs."""
        ...

    async def stop(self, name: str) -> None:
        """Stop a server, ending its sessions; nothing happens when it is stopped."""
        ...

    async def restart(self, name: str) -> None:
        """Stop and start a server, which makes pending static parameters effective."""
        ...

    async def delete(self, name: str) -> None:
        """Stop a server and remove all it has; nothing happens when there is none."""
        ...

    async def set_parameters(self, name: str, values: Mapping[str, str]) -> None:
        """Set server parameters: dynamic ones at once, static ones at the next restart."""
        ...

    async def set_password(self, name: str, login: str, password: str) -> None:
        """Set the password of the native administrator, making the role if there is none."""
        ...

    async def create_database(self, name: str, database: str, charset: str, collation: str) -> None:
        """Create a database owned by azure_pg_admin; nothing happens when it exists."""
        ...

    async def drop_database(self, name: str, database: str) -> None:
        """Drop a database, ending its sessions; nothing happens when there is none."""
        ...

    async def add_administrator(self, name: str, principal_name: str) -> None:
        """Make the role of a Microsoft Entra administrator."""
        ...

    async def remove_administrator(self, name: str, principal_name: str) -> None:
        """Drop the role of a Microsoft Entra administrator, or disarm it where it owns something."""
        ...

    async def principal(self, name: str, role: str) -> str | None:
        """Return the object id of the Entra principal, no administrator, that a role was made for; None without one."""
        ...

    async def stop_all(self) -> None:
        """Stop every server."""
        ...

    def address(self, name: str) -> tuple[Path, int]:
        """Return the Unix socket's folder (trusted) and the loopback TCP port (scram-sha-256)."""
        ...

    def version(self, name: str) -> str:
        """Return the exact version that really runs, such as `16.14`."""
        ...
