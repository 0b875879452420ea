# ruff: noqa: E501 - statements read better on one line
"""A real PostgreSQL with pgvector, the engine installed by an ordinary administrator, and a stub for the network call."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from hashlib import md5
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.types.json import Jsonb

from database import migrations
from emulator.postgres.account import SHORT_FOLDER
from emulator.postgres.backend import Services
from emulator.postgres.embedded import EmbeddedBackend
from emulator.postgres.installation import Installation, Installations
from emulator.postgres.wheel import WheelInstallations

Connection = psycopg.Connection[tuple[Any, ...]]

SUPERUSER = "azuresu"
ADMINISTRATOR = "deployer"
DIMENSIONS = 8
STUBS = [Path(__file__).with_name(name) for name in ("stub.sql", "stub_services.sql")]


def _quiet(line: str) -> None:
    """Say nothing: the progress of migrations is not what these tests are about."""


class VectorServer:
    """One server for a session of tests; each test gets a database made from a template."""

    def __init__(
        self, version: str, source: type[Installations] = WheelInstallations, first: tuple[str, ...] = ()
    ) -> None:
        """Start it.

        Args:
            version: Of PostgreSQL.
            source: Where PostgreSQL comes from.
            first: Extensions that are preloaded, and created by the administrator in every test's database, before others.
        """
        self.version = version
        self._home = Path(tempfile.mkdtemp(prefix="postgres-genai-tests-"))
        services = Services("127.0.0.1:9", "127.0.0.1:9", self._home / "ca.pem")
        self._backend = EmbeddedBackend(self._home, services, source)
        self._made = 0
        asyncio.run(self._backend.create_server("tests", version, None, "no identity"))
        asyncio.run(self._backend.add_administrator("tests", ADMINISTRATOR))
        with self.connect("postgres", SUPERUSER) as conn:
            conn.execute("CREATE ROLE application LOGIN")
        if first:
            preloaded = ",".join((*first, "pg_cron", "pg_stat_statements"))
            parameters = {"shared_preload_libraries": preloaded, "azure.extensions": ",".join(first)}
            asyncio.run(self._backend.set_parameters("tests", parameters))
            asyncio.run(self._backend.restart("tests"))
        self._make_database("template_engine", "template1")
        with self.connect("template_engine") as conn:
            for name in first:
                conn.execute(sql.SQL("CREATE EXTENSION {}").format(sql.Identifier(name)))
        with self.connect("template_engine", SUPERUSER) as conn:
            conn.execute("CREATE EXTENSION vector")
            for stub in STUBS:
                conn.execute(stub.read_bytes())
        with self.connect("template_engine") as conn:
            for folder in ("vectorize", "search"):
                migrations.apply(conn, folder, say=_quiet)

    def connect(self, database: str, user: str = ADMINISTRATOR, **options: Any) -> Connection:
        folder, port = self._backend.address("tests")
        return psycopg.connect(
            host=str(folder), hostaddr="", port=port, user=user, dbname=database, autocommit=True, **options
        )

    def _make_database(self, name: str, template: str) -> None:
        with self.connect("postgres", SUPERUSER) as conn:
            conn.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE {} OWNER azure_pg_admin").format(
                    sql.Identifier(name), sql.Identifier(template)
                )
            )

    @property
    def installation(self) -> Installation:
        """What the server runs on."""
        return self._backend.installation("tests")

    def new_database(self) -> VectorDatabase:
        self._made += 1
        name = f"t{self._made}"
        self._make_database(name, "template_engine")
        return VectorDatabase(self, name)

    def drop(self, name: str) -> None:
        with self.connect("postgres", SUPERUSER) as conn:
            conn.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

    def stop(self) -> None:
        asyncio.run(self._backend.remove_all())
        shutil.rmtree(self._home, ignore_errors=True)


class VectorDatabase:
    """One test's database: a connection as administrator, jobs, faults, and what the network saw."""

    def __init__(self, server: VectorServer, name: str) -> None:
        self.server = server
        self.name = name
        self.logs = Path(tempfile.mkdtemp(prefix="postgres-genai-calls-", dir=SHORT_FOLDER))
        self.logs.chmod(0o777)  # PostgreSQL runs as another user where the tests run as root
        with self.connect(SUPERUSER) as conn:
            conn.execute("INSERT INTO azure_openai.setting (log_folder) VALUES (%s)", [str(self.logs)])
        self.conn = self.connect()
        self.notices: list[str] = []
        self.conn.add_notice_handler(lambda diagnostic: self.notices.append(diagnostic.message_primary or ""))
        self.execute(
            "SELECT vectorize.set_deployment('embedding', 'text-embedding-3-small', 1536, 350000000, 2100000, 0.02)"
        )

    def close(self) -> None:
        self.conn.close()
        self.server.drop(self.name)
        shutil.rmtree(self.logs)

    def connect(self, user: str = ADMINISTRATOR, **options: Any) -> Connection:
        return self.server.connect(self.name, user, **options)

    @contextmanager
    def member(self, *roles: str) -> Iterator[Connection]:
        """Connect as a new role, a member of these, that goes when the block ends with whatever it owns."""
        name = f"member_of_{'_'.join(roles)}"
        with self.connect(SUPERUSER) as conn:
            conn.execute(
                sql.SQL("CREATE ROLE {} LOGIN IN ROLE {}").format(
                    sql.Identifier(name), sql.SQL(", ").join(map(sql.Identifier, roles))
                )
            )
            try:
                with self.connect(name) as member:
                    yield member
            finally:
                conn.execute(sql.SQL("DROP OWNED BY {}").format(sql.Identifier(name)))
                conn.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))

    def execute(self, statement: str, parameters: list[Any] | None = None) -> psycopg.Cursor[tuple[Any, ...]]:
        return self.conn.execute(statement.encode(), parameters)

    def rows(self, statement: str, parameters: list[Any] | None = None) -> list[tuple[Any, ...]]:
        return self.execute(statement, parameters).fetchall()

    def value(self, statement: str, parameters: list[Any] | None = None) -> Any:
        row = self.execute(statement, parameters).fetchone()
        assert row is not None
        return row[0]

    # Jobs

    def define(self, table: str = "public.docs", template: str = "{body}", **spec: Any) -> str:
        """Define a job, `docs` unless named, and return its name."""
        full = {
            "name": "docs",
            "table": table,
            "template": template,
            "deployment": "embedding",
            "dimensions": DIMENSIONS,
        }
        self.execute("CALL vectorize.define(%s)", [Jsonb(full | spec)])
        return str(spec.get("name", "docs"))

    def make_docs(self, rows: int = 0, **spec: Any) -> None:
        """Make the table `docs` with this many rows, and a job on it."""
        self.execute("CREATE TABLE public.docs (id bigint PRIMARY KEY, body text, n integer NOT NULL DEFAULT 0)")
        self.execute("INSERT INTO docs SELECT g, 'text ' || g FROM generate_series(1, %s) AS g", [rows])
        self.define(**spec)

    def work(self, seconds: float = 60, job: str | None = None) -> dict[str, int]:
        report: dict[str, int] = self.value("CALL vectorize.work(%s, %s)", [job, seconds])
        return report

    def work_together(self, workers: int, seconds: float = 60) -> list[dict[str, int]]:
        """Run several workers, each on a connection of its own, until nothing is ready; return their reports."""

        def one(number: int) -> dict[str, int]:
            with self.connect() as conn:
                row = conn.execute("CALL vectorize.work(NULL, %s)", [seconds]).fetchone()
            assert row is not None
            report: dict[str, int] = row[0]
            return report

        with ThreadPoolExecutor(workers) as pool:
            return list(pool.map(one, range(workers)))

    def status(self, job: str = "docs") -> dict[str, Any]:
        cursor = self.execute("SELECT * FROM vectorize.status WHERE name = %s", [job])
        row = cursor.fetchone()
        assert row is not None
        assert cursor.description is not None
        return dict(zip([column.name for column in cursor.description], row, strict=True))

    # The network

    def fault(self, kind: str, message: str | None = None, pattern: str = "%", calls: int | None = None) -> None:
        """Make calls with an input LIKE `pattern` go wrong: the next `calls` of them, or all."""
        with self.connect(SUPERUSER) as conn:
            conn.execute(
                "INSERT INTO azure_openai.fault SELECT %s, %s, %s, last_value - (NOT is_called)::int + %s FROM azure_openai.call",
                [pattern, kind, message, calls],
            )

    def mend(self, latency: float = 0) -> None:
        """End all faults; `latency` is what every call takes from now on, in seconds."""
        with self.connect(SUPERUSER) as conn:
            conn.execute("DELETE FROM azure_openai.fault")
            conn.execute("UPDATE azure_openai.setting SET latency = %s", [latency])

    def calls(self, answer: str = "paid") -> int:
        """Return how many calls were paid, or refused."""
        return len(list(self.logs.glob(f"{answer}-*")))

    def paid(self) -> Counter[str]:
        """Return how often each text was paid for, by its MD5."""
        return Counter(line for path in self.logs.glob("paid-*") for line in path.read_text().split())

    # The promise

    def wrong(self, table: str = "docs", text: str = "body", column: str = "embedding") -> list[tuple[Any, ...]]:
        """Return the rows whose vector is not that of their present text (none where the text is blank)."""
        return self.rows(
            f"SELECT * FROM (SELECT id, {text} AS body, {column}::real[] AS has, CASE WHEN {text} ~ '\\S' THEN "
            f"azure_openai.vector_of({text}, {DIMENSIONS})::public.vector::real[] END AS needs FROM {table}) AS x "
            "WHERE has IS DISTINCT FROM needs ORDER BY id LIMIT 10"
        )

    def wrong_in_table(self, text: str = "body") -> list[tuple[Any, ...]]:
        """The same for a job on `docs` with a table target of type vector; orphans count too."""
        return self.rows(
            f"SELECT * FROM (SELECT coalesce(d.id, e.id) AS id, {text} AS body, e.embedding::real[] AS has, CASE WHEN {text} ~ '\\S' THEN "
            f"azure_openai.vector_of({text}, {DIMENSIONS})::public.vector::real[] END AS needs "
            "FROM docs AS d FULL JOIN docs_embedding AS e ON e.id = d.id) AS x WHERE has IS DISTINCT FROM needs ORDER BY id LIMIT 10"
        )


def digest(text: str) -> str:
    """Return a text as the log of calls names it."""
    return md5(text.encode()).hexdigest()


def fails(conn: Connection, statement: str) -> None:
    """Run a statement that must fail: its session is killed, or it is cancelled."""
    with pytest.raises(psycopg.Error):
        conn.execute(statement.encode())


def in_threads(*functions: Callable[[], None]) -> None:
    """Run functions side by side and raise the first error that one of them had."""
    with ThreadPoolExecutor(len(functions)) as pool:
        for future in [pool.submit(function) for function in functions]:
            future.result()
