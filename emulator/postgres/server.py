"""One PostgreSQL server: its folder, its process, its addresses."""

from __future__ import annotations

import json
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import psycopg

from emulator.postgres.account import SHORT_FOLDER, Account
from emulator.postgres.azure_ai import curl_command
from emulator.postgres.backend import BackendError, Services
from emulator.postgres.configuration import CERTIFICATE, KEY, SUPERUSER, postgresql_conf
from emulator.postgres.installation import Installation, Installations
from emulator.postgres.process import Postmaster, StartFailed
from emulator.postgres.template import copy_template, template

_SOCKET_PATH_BYTES = 103
"""Longest socket path that every system takes: 104 on macOS, 108 on Linux, with the zero at the end."""


@dataclass(frozen=True)
class _Record:
    """What is kept about a server: the version asked for, the installation's major version, where it listens."""

    version: str
    major: int
    port: int = 0
    socket: str = ""


_PORT_ATTEMPTS = 5
_LOG_BYTES = 16 << 20


class Server:
    """A server in a folder of its own: `data`, `run` (the socket) and `server.json`; blocking."""

    def __init__(self, name: str, folder: Path, log: Path, installations: Installations, account: Account) -> None:
        """Name the server and its places; nothing is read or written yet."""
        self.name = name
        self._folder = folder
        self._data = folder / "data"
        self._log = log
        self._installations = installations
        self._account = account
        self._record_file = folder / "server.json"
        self._postmaster: Postmaster | None = None
        self._record: _Record | None = None

    @property
    def exists(self) -> bool:
        """Return whether the server was created to the end."""
        return self._record_file.exists() and self._data.is_dir()

    @property
    def record(self) -> _Record:
        """Return what server.json says.

        Raises:
            BackendError: There is no such server.
        """
        if self._record is None:
            if not self.exists:
                raise BackendError(f"there is no PostgreSQL server {self.name!r}")
            try:
                self._record = _Record(**json.loads(self._record_file.read_text()))
            except (ValueError, TypeError) as error:
                raise BackendError(f"{self._record_file} is damaged ({error}): remove it with its folder") from error
        return self._record

    def create(self, version: str, services: Services, identity_header: str) -> None:
        """Make the data directory from the template, unless it is there, and start the server."""
        if not self.exists:
            installation = self._installations.provide(self._installations.nearest(version).major)
            source = template(installation, self._account, self._folder.parent / ".templates")
            try:
                self._account.make_open_folder(self._folder)
                shutil.rmtree(self._data, ignore_errors=True)
                copy_template(source, self._data, self._account)
                self._save(_Record(version, installation.major))
            except OSError as error:
                raise BackendError(
                    f"cannot create PostgreSQL server {self.name!r} in {self._folder}: {error}"
                ) from error
        self._write(self._data / "emulator_identity", identity_header)
        self.start(services)

    def start(self, services: Services) -> None:
        """Start the server, or keep the one that runs with the same settings, and wait until it is ready."""
        postmaster = self._find_postmaster()
        if self.record.port and postmaster.runs_with(self._arguments(services)):
            self._wait_ready()
            return
        postmaster.stop()
        installation = self.installation()
        tls = self._write_certificate(services) if installation.has_tls else False
        self._write(self._data / "postgresql.conf", postgresql_conf(installation.locale(), tls=tls))
        if self._log.exists() and self._log.stat().st_size > _LOG_BYTES:
            self._log.replace(self._log.with_suffix(".log.1"))
        accepted = self._folder / "postgresql.auto.conf.accepted"
        try:
            self._start_on_free_port(postmaster, services)
        except StartFailed as failure:
            # A value that passed the check but not the machine (memory, huge pages): the last that worked instead.
            if not accepted.exists():
                raise
            self._write(self._data / "postgresql.auto.conf", accepted.read_text())
            self._start_on_free_port(postmaster, services)
            with self._log.open("a") as log:
                log.write(f"The emulator put back the parameters of the last start. {failure}\n")
        shutil.copyfile(self._data / "postgresql.auto.conf", accepted)

    def stop(self) -> None:
        """Stop the server; nothing happens when it does not run or does not exist."""
        if not self.exists:
            return
        self._find_postmaster().stop()
        self._remove_short_socket_folder()

    def delete(self) -> None:
        """Stop the server and remove its folder."""
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)
        self._record = self._postmaster = None

    def running(self) -> bool:
        """Return whether the server's process runs."""
        return self.exists and self._find_postmaster().find() is not None

    def address(self) -> tuple[Path, int]:
        """Return the socket's folder and the port."""
        return Path(self.record.socket), self.record.port

    def installation(self) -> Installation:
        """Return the installation that the server runs on."""
        return self._installations.provide(self.record.major)

    @contextmanager
    def connect(self, database: str = "postgres") -> Iterator[psycopg.Connection[tuple[object, ...]]]:
        """Open a connection as the emulator's superuser.

        Raises:
            BackendError: The server does not run, or a statement of the block fails.
        """
        folder, port = self.address()
        try:
            # hostaddr and options are given, empty, so that the environment's own do not count.
            with psycopg.connect(
                host=str(folder), hostaddr="", options="", port=port, user=SUPERUSER, dbname=database, autocommit=True
            ) as connection:
                yield connection
        except psycopg.Error as error:
            message = error.diag.message_primary or str(error).strip()
            raise BackendError(f"PostgreSQL server {self.name!r}: {message}") from None

    def _find_postmaster(self) -> Postmaster:
        if self._postmaster is None:
            self._postmaster = Postmaster(self.installation(), self._data.resolve(), self._log, self._account)
        return self._postmaster

    def _wait_ready(self) -> None:
        with self.connect() as connection:
            connection.execute("SELECT 1")

    def _start_on_free_port(self, postmaster: Postmaster, services: Services) -> None:
        """Start with the port of the last time, or another when that is taken."""
        self._save(replace(self.record, socket=str(self._make_socket_folder())))
        for attempt in range(_PORT_ATTEMPTS):
            if attempt > 0 or not _is_free(self.record.port):
                self._save(replace(self.record, port=_free_port()))
            try:
                # pg_cron connects as whoever a job belongs to, over the trusted socket; its jobs keep no folder's name.
                postmaster.start(self._arguments(services), {"PGHOST": self.record.socket})
                break
            except StartFailed as failure:
                if "could not bind" not in failure.log or attempt == _PORT_ATTEMPTS - 1:
                    raise
        self._wait_ready()

    def _arguments(self, services: Services) -> list[str]:
        """Return the server's arguments: what the API's parameters must not change, and where the emulator listens."""
        settings = {
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": self.record.socket,
            "emulator.https_address": services.https_address,
            "emulator.http_address": services.http_address,
            "emulator.ca_file": str(services.ca_file),
            "emulator.curl_command": curl_command(),
        }
        if self.installation().extension_version("pg_cron"):
            settings["cron.host"] = ""  # the socket that PGHOST names
        arguments = ["-p", str(self.record.port)]
        for name, value in settings.items():
            arguments += ["-c", f"{name}={value}"]
        return arguments

    def _write_certificate(self, services: Services) -> bool:
        """Put the certificate and its key where the server may read them; return whether there are any."""
        files = {CERTIFICATE: services.certificate, KEY: services.key}
        for name, source in files.items():
            if source is None or not source.exists():
                return False
            self._write(self._data / name, source.read_text())
        return True

    def _make_socket_folder(self) -> Path:
        """Return the folder `run`, or a short private one when the socket's path would be too long for the system.

        A comma separates folders, for PostgreSQL as for its clients, so a path with one gets a short folder too.
        """
        self._remove_short_socket_folder()
        folder = self._folder.resolve() / "run"
        if len(os.fsencode(folder / ".s.PGSQL.65535")) <= _SOCKET_PATH_BYTES and not set(str(folder)) & set(',"@\\'):
            return self._account.make_private_folder(folder)
        return self._account.give(Path(tempfile.mkdtemp(prefix="postgres-genai-", dir=SHORT_FOLDER)))

    def _remove_short_socket_folder(self) -> None:
        recorded = Path(self.record.socket)
        if recorded.name.startswith("postgres-genai-") and recorded.parent == SHORT_FOLDER:
            shutil.rmtree(recorded, ignore_errors=True)

    def _save(self, record: _Record) -> None:
        """Write server.json whole or not at all."""
        scratch = self._record_file.with_suffix(".partial")
        scratch.write_text(json.dumps(asdict(record)))
        scratch.replace(self._record_file)
        self._record = record

    def _write(self, file: Path, text: str) -> None:
        """Write a file that only the server may read, whole or not at all."""
        scratch = file.with_name(file.name + ".partial")
        scratch.unlink(missing_ok=True)
        descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as stream:
            stream.write(text)
        self._account.give(scratch).replace(file)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _is_free(port: int) -> bool:
    """Return whether a port can be listened on; 0 stands for none chosen yet."""
    if port == 0:
        return False
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
