"""Servers of the embedded backend, for tests that look into them: as the administrator, and as the superuser."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import psycopg

from emulator.postgres.backend import Services
from emulator.postgres.embedded import EmbeddedBackend

LOGIN, PASSWORD = "padmin", "Corr3ct-horse!"
IDENTITY = "header-of-the-server"

Embedded = Callable[..., EmbeddedBackend]
"""The fixture `embedded`: makes a backend in a home, or over what another one left there."""


def services(home: Path, https_address: str = "127.0.0.1:1") -> Services:
    return Services(https_address, "127.0.0.1:2", home / "tls" / "ca.pem")


def create(backend: EmbeddedBackend, name: str = "pg-a", version: str = "16") -> None:
    asyncio.run(backend.create_server(name, version, (LOGIN, PASSWORD), IDENTITY))


def query(backend: EmbeddedBackend, statement: str, name: str = "pg-a", database: str = "postgres") -> Any:
    """Run a statement as the native administrator over TCP and return the first column of the first row."""
    with psycopg.connect(
        host="127.0.0.1",
        port=backend.address(name)[1],
        user=LOGIN,
        password=PASSWORD,
        dbname=database,
        autocommit=True,
    ) as connection:
        cursor = connection.execute(statement)
        row = cursor.fetchone() if cursor.description else None
        return row[0] if row else None


def postmaster(backend: EmbeddedBackend, name: str = "pg-a") -> psutil.Process:
    data = Path(asked_as_superuser(backend, "SHOW data_directory", name))
    return psutil.Process(int((data / "postmaster.pid").read_text().split()[0]))


def asked_as_superuser(backend: EmbeddedBackend, statement: str, name: str = "pg-a") -> Any:
    folder, port = backend.address(name)
    with psycopg.connect(host=str(folder), port=port, user="azuresu", dbname="postgres") as connection:
        row = connection.execute(statement).fetchone()
        return row[0] if row else None


def processes_of(backend: EmbeddedBackend) -> list[int]:
    """Return the processes whose program is one of the backend's own."""
    found = []
    for process in psutil.process_iter():
        try:
            if str(backend._base.resolve()) in process.exe() and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
        except psutil.Error:
            continue
    return found
