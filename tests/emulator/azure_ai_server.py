"""A server whose database has the stand-in azure_ai extension, configured for the services of `ai_accounts`."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from emulator.postgres.backend import Services as Addresses
from emulator.postgres.configuration import SUPERUSER
from emulator.postgres.embedded import EmbeddedBackend
from tests.emulator.ai_accounts import LANGUAGE_HOST, OPENAI_HOST, SERVER_IDENTITY, Services

NAME, DATABASE, LOGIN, PASSWORD = "contracts-server", "contracts", "padmin", "Corr3ct-horse!"


@dataclass
class AzureAiServer:
    """The server, its database and the services that it calls."""

    backend: EmbeddedBackend
    services: Services

    def connect(self, user: str = LOGIN, database: str = DATABASE) -> psycopg.Connection[Any]:
        """Connect over the private socket, where any role may."""
        folder, port = self.backend.address(NAME)
        return psycopg.connect(
            host=str(folder), hostaddr="", options="", port=port, user=user, dbname=database, autocommit=True
        )

    def superuser(self) -> psycopg.Connection[Any]:
        """Connect as the emulator's own superuser."""
        return self.connect(SUPERUSER)

    def one(self, statement: str, *values: Any, user: str = LOGIN) -> Any:
        """Return the first value of a statement's first row."""
        with self.connect(user) as connection:
            row = connection.execute(statement, values).fetchone()
            return row[0] if row else None

    def rows(self, statement: str, *values: Any, user: str = LOGIN) -> list[Any]:
        """Return a statement's rows."""
        with self.connect(user) as connection:
            return connection.execute(statement, values).fetchall()

    def configure(self, **values: str | None) -> None:
        """Set settings; `azure_openai__endpoint` is `azure_openai.endpoint`."""
        for key, value in values.items():
            self.one("SELECT azure_ai.set_setting(%s, %s)", key.replace("__", "."), value)

    def use_identity(self) -> None:
        """Configure both services for the server's identity."""
        self.configure(
            azure_openai__endpoint=f"https://{OPENAI_HOST}/",
            azure_openai__auth_type="managed-identity",
            azure_openai__subscription_key=None,
            azure_cognitive__endpoint=f"https://{LANGUAGE_HOST}",
            azure_cognitive__auth_type="managed-identity",
            azure_cognitive__subscription_key=None,
        )

    def answers(self) -> set[str]:
        """Return what lies in the folder of answers, tokens left aside."""
        names = self.rows("SELECT pg_ls_dir('emulator_ai', true, false)", user=SUPERUSER)
        return {name for (name,) in names if not name.startswith("token.")}


@contextmanager
def azure_ai_server(home: Path, services: Services, version: str = "16") -> Iterator[AzureAiServer]:
    """Run a server of a major version with a database that has the extension."""
    addresses = Addresses(f"127.0.0.1:{services.https_port}", f"127.0.0.1:{services.http_port}", services.ca_file)
    backend = EmbeddedBackend(home, addresses)

    async def create() -> None:
        await backend.create_server(NAME, version, (LOGIN, PASSWORD), SERVER_IDENTITY)
        await backend.create_database(NAME, DATABASE, "UTF8", "en_US.utf8")
        await backend.set_parameters(NAME, {"azure.extensions": "azure_ai,vector"})

    try:
        asyncio.run(create())
        server = AzureAiServer(backend, services)
        with server.connect() as connection:
            connection.execute("CREATE EXTENSION azure_ai")
            connection.execute("CREATE ROLE reader LOGIN")
        server.use_identity()
        yield server
    finally:
        asyncio.run(backend.remove_all())
