# ruff: noqa: E501 - statements read better on one line
"""An own PostgreSQL server in a temporary folder, the engine installed by an ordinary administrator, and its databases."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from database import migrations
from emulator.postgres.account import SHORT_FOLDER
from emulator.postgres.backend import Services
from emulator.postgres.embedded import EmbeddedBackend
from emulator.postgres.installation import Installations
from emulator.postgres.wheel import WheelInstallations

Connection = psycopg.Connection[tuple[Any, ...]]

SUPERUSER = "azuresu"
ADMINISTRATOR = "deployer"
DIMENSIONS = 1536
VERSION = "16"
_NAME = "bench"
_TEMPLATE = "template_bench"
_RESTART_SECONDS = 60.0
_STUB = Path(__file__).with_name("stub.sql")

SETTINGS = {
    # What the emulator's own servers have otherwise: everything that makes a commit cost what it costs is as it comes.
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "autovacuum": "on",
    # In proportion to a flexible server with 2 vCores and 8 GiB; what is not named here is PostgreSQL's default.
    "shared_buffers": "2GB",
    "effective_cache_size": "6GB",
    "maintenance_work_mem": "512MB",
    "max_wal_size": "4GB",
}
SMALL_SETTINGS = SETTINGS | {"shared_buffers": "128MB", "effective_cache_size": "512MB", "maintenance_work_mem": "64MB"}


def _quiet(line: str) -> None:
    """Say nothing: the progress of migrations is not what the benchmarks are about."""


class BenchServer:
    """One server; its databases are made from a template that has pgvector, the stub and the engine."""

    def __init__(
        self,
        settings: dict[str, str],
        services: Services | None = None,
        source: type[Installations] = WheelInstallations,
    ) -> None:
        """Name the settings, where the AI services listen, and where PostgreSQL comes from; nothing is started yet.

        That of Debian has age, preloaded, in every database.
        """
        self._home = Path(tempfile.mkdtemp(prefix="postgres-genai-bench-"))
        self._backend = EmbeddedBackend(
            self._home, services or Services("127.0.0.1:9", "127.0.0.1:9", self._home / "ca.pem"), source
        )
        self._graphs = source is not WheelInstallations
        self._http = services is not None
        self._settings = settings
        self._made = 0

    def start(self) -> None:
        """Create and start the server, and install the engine in the template."""
        asyncio.run(self._backend.create_server(_NAME, VERSION, None, "no identity"))
        asyncio.run(self._backend.add_administrator(_NAME, ADMINISTRATOR))
        with self.connect("postgres", SUPERUSER) as conn:
            for name, value in self._settings.items():
                conn.execute(sql.SQL("ALTER SYSTEM SET {} = {}").format(sql.Identifier(name), sql.Literal(value)))
            conn.execute("ALTER SYSTEM SET azure.extensions = 'age,azure_ai,vector'")
            if self._graphs:
                conn.execute("ALTER SYSTEM SET shared_preload_libraries = 'age'")
        asyncio.run(self._backend.restart(_NAME))
        self._make_database(_TEMPLATE, "template1")
        if self._graphs:
            with self.connect(_TEMPLATE) as conn:
                conn.execute("CREATE EXTENSION age")
        with self.connect(_TEMPLATE, SUPERUSER) as conn:
            conn.execute("CREATE EXTENSION vector")
            if not self._http:
                conn.execute(_STUB.read_bytes())
        with self.connect(_TEMPLATE) as conn:
            if self._http:
                conn.execute("CREATE EXTENSION azure_ai")
            for folder in ("vectorize", "search"):
                migrations.apply(conn, folder, say=_quiet)

    def stop(self) -> None:
        """Stop the server and remove all that it had."""
        try:
            asyncio.run(self._backend.remove_all())
        finally:
            shutil.rmtree(self._home, ignore_errors=True)

    def connect(self, database: str, user: str = ADMINISTRATOR, **options: Any) -> Connection:
        """Open a connection over the socket, in autocommit."""
        folder, port = self.address()
        return psycopg.connect(
            host=str(folder), hostaddr="", port=port, user=user, dbname=database, autocommit=True, **options
        )

    @contextmanager
    def database(self) -> Iterator[BenchDatabase]:
        """Make a database and drop it afterwards, if the server still runs."""
        self._made += 1
        name = f"bench{self._made}"
        self._make_database(name, _TEMPLATE)
        database = BenchDatabase(self, name)
        try:
            yield database
        finally:
            database.close()

    def address(self) -> tuple[Path, int]:
        """Return the socket's folder and the port."""
        return self._backend.address(_NAME)

    def drop(self, name: str) -> None:
        """Drop a database with its sessions."""
        with self.connect("postgres", SUPERUSER) as conn:
            conn.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def kill(self) -> None:
        """End the server and all its sessions as a power cut would, and start it again: it recovers from its WAL."""
        with self.connect("postgres", SUPERUSER) as conn:
            data = Path(conn.execute("SELECT current_setting('data_directory')").fetchall()[0][0])
        postmaster = psutil.Process(int((data / "postmaster.pid").read_text().split()[0]))
        for process in (postmaster, *postmaster.children(recursive=True)):
            with suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
        psutil.wait_procs([postmaster], timeout=10)
        asyncio.run(self._backend.start(_NAME))

    def kill_session(self, pid: int) -> None:
        """End the process of one session with signal 9: the server ends all others, and starts again by itself.

        Raises:
            psycopg.OperationalError: it does not answer again in time.
        """
        session = psutil.Process(pid)
        session.kill()
        session.wait(_RESTART_SECONDS)  # until the server knows
        deadline = time.monotonic() + _RESTART_SECONDS
        while True:
            try:
                self.connect("postgres", SUPERUSER).close()
            except psycopg.OperationalError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
            else:
                return

    def _make_database(self, name: str, template: str) -> None:
        with self.connect("postgres", SUPERUSER) as conn:
            conn.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE {} OWNER azure_pg_admin").format(
                    sql.Identifier(name), sql.Identifier(template)
                )
            )


class BenchDatabase:
    """A database, a connection of the administrator, its jobs, and what the network saw."""

    def __init__(self, server: BenchServer, name: str) -> None:
        self.server = server
        self.name = name
        self.conn = self.connect()
        self._log = Path(tempfile.mkdtemp(prefix="postgres-genai-calls-", dir=SHORT_FOLDER))
        self._log.chmod(0o777)  # PostgreSQL runs as another user where the benchmarks run as root
        self.deployment("embedding", "text-embedding-3-small")

    def close(self) -> None:
        """Drop the database; a server that is gone has nothing to drop."""
        self.conn.close()
        shutil.rmtree(self._log, ignore_errors=True)
        with suppress(psycopg.Error):
            self.server.drop(self.name)

    def connect(self, user: str = ADMINISTRATOR, **options: Any) -> Connection:
        """Open another connection."""
        return self.server.connect(self.name, user, **options)

    def reconnect(self) -> None:
        """Open the database's own connection anew: after a crash, or for a new setting of the stub."""
        self.conn.close()
        self.conn = self.connect()

    def execute(self, statement: str, parameters: Sequence[Any] | None = None) -> psycopg.Cursor[tuple[Any, ...]]:
        """Run a statement as the administrator."""
        return self.conn.execute(statement.encode(), parameters)

    def rows(self, statement: str, parameters: Sequence[Any] | None = None) -> list[tuple[Any, ...]]:
        """Return a statement's rows."""
        return self.execute(statement, parameters).fetchall()

    def value(self, statement: str, parameters: Sequence[Any] | None = None) -> Any:
        """Return the first value of a statement's first row."""
        return self.rows(statement, parameters)[0][0]

    def network(self, latency: float = 0.0, *, log: bool = False, poison: str = "") -> None:
        """Set how long a request takes, whether paid ones are logged, and which texts are refused (a LIKE pattern)."""
        with self.connect(SUPERUSER) as conn:
            for name, value in {
                "latency": str(latency),
                "log": str(self._log) if log else "",
                "poison": poison,
            }.items():
                conn.execute(
                    sql.SQL("ALTER DATABASE {} SET {} = {}").format(
                        sql.Identifier(self.name), sql.Identifier("stub", name), sql.Literal(value)
                    )
                )
        self.reconnect()

    def calls(self, answer: str = "paid") -> int:
        """Return how many requests were paid, or refused, while they were logged."""
        return len(list(self._log.glob(f"{answer}-*")))

    def paid(self) -> Counter[str]:
        """Return how often each text was paid for, by its MD5."""
        return Counter(line for path in self._log.glob("paid-*") for line in path.read_text().split())

    def checkpoint(self) -> None:
        """Write everything out, so that what follows starts from the same state."""
        with self.connect(SUPERUSER) as conn:
            conn.execute("CHECKPOINT")

    def make_docs(self, rows: int, *, words: int = 18, table: str = "docs") -> None:
        """Make a table of texts of 33 characters a word, about 600 unless told otherwise."""
        self.execute(f"CREATE TABLE {table} (id bigint PRIMARY KEY, body text, n integer NOT NULL DEFAULT 0)")
        self.execute(
            f"INSERT INTO {table} (id, body) SELECT g, {text_of('g', words)} FROM generate_series(1, %s) AS g", [rows]
        )
        self.execute(f"VACUUM (ANALYZE) {table}")
        self.checkpoint()

    def deployment(self, name: str, model: str, tokens_per_minute: int = 350_000_000) -> None:
        """Make a deployment; its quota is out of the way unless that is what is measured."""
        self.execute(
            "SELECT vectorize.set_deployment(%s, %s, %s, %s, %s, 0.02)",
            [name, model, DIMENSIONS, tokens_per_minute, max(1, tokens_per_minute * 6 // 1000)],
        )

    def define(self, **spec: Any) -> None:
        """Define the job `docs` on the table `docs`, to a halfvec table unless told otherwise."""
        full = {
            "name": "docs", "table": "public.docs", "template": "{body}", "deployment": "embedding", "target": "table", "type": "halfvec",
            "dimensions": DIMENSIONS,
        }  # fmt: skip
        self.execute("CALL vectorize.define(%s)", [Jsonb(full | spec)])

    def status(self) -> dict[str, Any]:
        """Return the job's row of vectorize.status."""
        cursor = self.execute("SELECT * FROM vectorize.status WHERE name = 'docs'")
        row, columns = cursor.fetchall()[0], cursor.description or []
        return dict(zip([column.name for column in columns], row, strict=True))

    def maintain(self) -> None:
        """Run the statements that are due outside a transaction, such as building the index."""
        for (statement,) in self.rows("SELECT statement FROM vectorize.next_maintenance()"):
            self.execute(statement)

    def wait_until_quiet(self, seconds: float = 60) -> None:
        """Wait until nothing is pending or leased; somebody else works.

        Raises:
            TimeoutError: something still is.
        """
        deadline = time.monotonic() + seconds
        while (found := self.status())["pending"] or found["leased"]:
            if time.monotonic() > deadline:
                raise TimeoutError(f"the job is not done after {seconds:g} s: {found}")
            time.sleep(0.05)

    def wrong(self, dimensions: int = DIMENSIONS, table: str = "docs") -> int:
        """Return how many rows of the table target have no vector, another text's, or no row any more."""
        return int(
            self.value(
                f"SELECT count(*) FROM (SELECT id, body FROM {table} WHERE body ~ '\\S') AS d FULL JOIN {table}_embedding AS e USING (id) "
                f"WHERE e.embedding::real[] IS DISTINCT FROM azure_openai.vector_of('embedding', d.body, {dimensions})"
            )
        )


def text_of(number: str, words: int = 18) -> str:
    """Return the SQL expression of a text that belongs to a number."""
    return f"(SELECT string_agg(md5(({number} * 37::bigint + w)::text), ' ') FROM generate_series(1, {words}) AS w)"
