"""Servers whose processes the emulator runs itself, one process group a server.

The backends `embedded` and `debian` are these, on PostgreSQL from two sources.
"""

from __future__ import annotations

import asyncio
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from emulator.postgres import databases, parameters, roles
from emulator.postgres.account import Account
from emulator.postgres.backend import BackendError, Services
from emulator.postgres.installation import Installation, Installations
from emulator.postgres.roles import Connection
from emulator.postgres.server import Server
from emulator.postgres.wheel import WheelInstallations

_NAME = re.compile(r"[A-Za-z0-9]+(-[A-Za-z0-9]+)*")


class EmbeddedBackend:
    """Run servers under the emulator's home; as root, under /var/lib/postgres-genai and as `nobody`.

    Servers outlive a killed emulator: `start` takes over the one that still runs, `stop_all` stops every one of the
    home whoever started it.
    """

    def __init__(self, home: Path, services: Services, source: type[Installations] = WheelInstallations) -> None:
        """Name the emulator's home, where its services listen, and where PostgreSQL comes from; nothing is started.

        Raises:
            BackendError: No PostgreSQL can run here.
        """
        self._home = home.resolve()
        self._services = services
        self._account = Account.choose()
        self._base = self._account.base_folder(self._home)
        self._source = source
        self._installations = source(self._base / "postgresql", self._account)
        self._servers: dict[str, Server] = {}
        self._locks: dict[str, asyncio.Lock] = {}
        self.available_extensions: frozenset[str] = self._installations.extensions
        self.summary: str = self._installations.summary

    async def create_server(
        self, name: str, version: str, administrator: tuple[str, str] | None, identity_header: str
    ) -> None:
        """Create and start a server; what an earlier, interrupted call left is finished."""
        server = self._server(name)

        def create() -> None:
            server.create(version, self._readable_services(), identity_header)
            if administrator is not None:
                with server.connect() as connection:
                    roles.set_native_administrator(connection, *administrator)

        await self._run(name, create)

    async def start(self, name: str) -> None:
        """Start a server; one that runs already is kept, one whose process was killed is started again."""
        await self._run(name, lambda: self._server(name).start(self._readable_services()))

    async def stop(self, name: str) -> None:
        """Stop a server, ending its sessions; nothing happens when it is stopped."""
        await self._run(name, self._server(name).stop)

    async def restart(self, name: str) -> None:
        """Stop and start a server, which makes pending static parameters effective."""

        def restart() -> None:
            self._server(name).stop()
            self._server(name).start(self._readable_services())

        await self._run(name, restart)

    async def delete(self, name: str) -> None:
        """Stop a server and remove all it has; nothing happens when there is none."""

        def delete() -> None:
            self._server(name).delete()
            self._log_file(name).unlink(missing_ok=True)
            self._log_file(name).with_suffix(".log.1").unlink(missing_ok=True)

        await self._run(name, delete)

    async def set_parameters(self, name: str, values: Mapping[str, str]) -> None:
        """Set server parameters: dynamic ones at once, static ones at the next restart."""
        await self._run(name, lambda: parameters.set_parameters(self._server(name).connect, values))

    async def set_password(self, name: str, login: str, password: str) -> None:
        """Set the password of the native administrator, making the role if there is none."""
        await self._sql(name, lambda connection: roles.set_native_administrator(connection, login, password))

    async def create_database(self, name: str, database: str, charset: str, collation: str) -> None:
        """Create a database owned by azure_pg_admin; nothing happens when it exists.

        A collation that is not there becomes the nearest that is (en_US.utf8 becomes C.UTF-8 on a minimal system).
        """

        def create(connection: Connection) -> None:
            databases.create(connection, database, charset, self._server(name).installation().locale(collation))

        await self._sql(name, create)

    async def drop_database(self, name: str, database: str) -> None:
        """Drop a database, ending its sessions; nothing happens when there is none."""
        await self._sql(name, lambda connection: databases.drop(connection, database))

    async def add_administrator(self, name: str, principal_name: str) -> None:
        """Make the role of a Microsoft Entra administrator."""
        await self._sql(name, lambda connection: roles.add_administrator(connection, principal_name))

    async def remove_administrator(self, name: str, principal_name: str) -> None:
        """Drop the role of a Microsoft Entra administrator, or disarm it where it owns something."""
        await self._sql(name, lambda connection: roles.remove_administrator(connection, principal_name))

    async def principal(self, name: str, role: str) -> str | None:
        """Return the object id of the Entra principal, no administrator, that a role was made for; None without one."""

        def look() -> str | None:
            with self._server(name).connect() as connection:
                return roles.principal_of(connection, role)

        return await asyncio.to_thread(look)

    async def stop_all(self) -> None:
        """Stop every server of the home, those of an emulator that was killed included.

        Raises:
            BackendError: Some did not stop; the others did.
        """
        names = sorted({*self._servers, *(path.parent.name for path in self._servers_folder.glob("*/data"))})
        results = await asyncio.gather(*(self.stop(name) for name in names), return_exceptions=True)
        failures = [
            f"{name}: {result}"
            for name, result in zip(names, results, strict=True)
            if isinstance(result, BaseException)
        ]
        if failures:
            raise BackendError("; ".join(failures))

    async def remove_all(self) -> None:
        """Stop every server and remove all that the backend put on the disk for this home."""
        await self.stop_all()

        def remove() -> None:
            for folder in (self._servers_folder, self._base / "postgresql"):
                shutil.rmtree(folder, ignore_errors=True)
            if self._account.foreign:
                shutil.rmtree(self._base, ignore_errors=True)

        await asyncio.to_thread(remove)
        self._servers.clear()
        self._installations = self._source(self._base / "postgresql", self._account)

    def address(self, name: str) -> tuple[Path, int]:
        """Return the Unix socket's folder (trusted) and the loopback TCP port (scram-sha-256)."""
        return self._server(name).address()

    def version(self, name: str) -> str:
        """Return the exact version that really runs, such as `16.14`."""
        return self._installations.offered[self._server(name).record.major].version

    def installation(self, name: str) -> Installation:
        """Return what a server runs on."""
        return self._server(name).installation()

    def is_running(self, name: str) -> bool:
        """Return whether a server's process runs."""
        return self._server(name).running()

    @property
    def _servers_folder(self) -> Path:
        return self._base / "servers"

    def _log_file(self, name: str) -> Path:
        return self._home / "logs" / f"{name}.log"

    def _server(self, name: str) -> Server:
        if not _NAME.fullmatch(name):
            raise BackendError(f"{name!r} is not a server name")
        if name not in self._servers:
            folder = self._servers_folder / name
            self._servers[name] = Server(name, folder, self._log_file(name), self._installations, self._account)
        return self._servers[name]

    def _readable_services(self) -> Services:
        """Return the services with the authority's certificate where the account that runs PostgreSQL can read it."""
        if not self._account.foreign or not self._services.ca_file.exists():
            return self._services
        copy = self._account.make_open_folder(self._base) / "ca.pem"
        (self._base / "home").write_text(f"{self._home}\n")  # tells people whose folder with a digest's name this is
        copy.write_bytes(self._services.ca_file.read_bytes())
        copy.chmod(0o644)
        return replace(self._services, ca_file=copy)

    async def _sql(self, name: str, work: Callable[[Connection], None]) -> None:
        """Do something on a server over a connection of its superuser."""

        def run() -> None:
            with self._server(name).connect() as connection:
                work(connection)

        await self._run(name, run)

    async def _run(self, name: str, work: Callable[[], None]) -> None:
        """Do blocking work on a server in a thread, one at a time for each server, to its end even when cancelled."""
        async with self._locks.setdefault(name, asyncio.Lock()):
            running = asyncio.ensure_future(asyncio.to_thread(work))
            try:
                await asyncio.shield(running)
            except asyncio.CancelledError:
                # A thread cannot be cancelled: what it starts now must be there for the next call to stop.
                await asyncio.wait([running])
                raise
            except OSError as error:
                raise BackendError(f"PostgreSQL server {name!r}: {error}") from error
