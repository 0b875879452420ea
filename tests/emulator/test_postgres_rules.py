"""What the service adds to PostgreSQL: the allowlist of extensions, parameters, administrators."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from emulator.postgres.backend import BackendError, Services
from emulator.postgres.embedded import EmbeddedBackend

LOGIN, PASSWORD, NAME = "padmin", "Corr3ct-horse!", "pg-rules"


@pytest.fixture(scope="module", params=["16", "18"])
def backend(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedBackend]:
    home: Path = tmp_path_factory.mktemp("home")
    backend = EmbeddedBackend(home, Services("127.0.0.1:1", "127.0.0.1:2", home / "ca.pem"))
    asyncio.run(backend.create_server(NAME, request.param, (LOGIN, PASSWORD), "identity"))
    yield backend
    asyncio.run(backend.remove_all())


@pytest.fixture
def database(backend: EmbeddedBackend) -> Iterator[str]:
    asyncio.run(backend.create_database(NAME, "trial", "UTF8", "en_US.utf8"))
    yield "trial"
    asyncio.run(backend.drop_database(NAME, "trial"))
    set_parameters(backend, {"azure.extensions": ""})


def set_parameters(backend: EmbeddedBackend, values: dict[str, str]) -> None:
    asyncio.run(backend.set_parameters(NAME, values))


def connect(backend: EmbeddedBackend, database: str = "postgres", user: str = LOGIN) -> psycopg.Connection[Any]:
    folder, port = backend.address(NAME)
    return psycopg.connect(host=str(folder), port=port, user=user, dbname=database, autocommit=True)


def run(backend: EmbeddedBackend, statement: str, database: str = "postgres", user: str = LOGIN) -> Any:
    with connect(backend, database, user) as connection:
        cursor = connection.execute(statement)
        row = cursor.fetchone() if cursor.description else None
        return row[0] if row else None


REFUSED = [
    "CREATE EXTENSION vector",
    "create extension if not exists VECTOR cascade",
    '-- a comment\n/* another */ CREATE EXTENSION "vector" WITH SCHEMA public',
    "DO $$ BEGIN EXECUTE 'CREATE ' || 'EXTENSION vector'; END $$",
    "SET azure.extensions = 'vector'; CREATE EXTENSION vector",
    "CREATE EXTENSION age",
    "CREATE EXTENSION no_such_thing",
]


@pytest.mark.parametrize("statement", REFUSED)
def test_an_extension_that_is_not_allow_listed_is_refused(
    backend: EmbeddedBackend, database: str, statement: str
) -> None:
    with pytest.raises(psycopg.errors.FeatureNotSupported) as refused:
        run(backend, statement, database)
    assert refused.value.diag.message_primary is not None
    assert (
        'is not allow-listed for "azure_pg_admin" users in Azure Database for PostgreSQL'
        in refused.value.diag.message_primary
    )
    assert (
        refused.value.diag.message_hint
        == 'to see the full allow list of extensions, please run: "show azure.extensions;"'
    )
    assert run(backend, "SELECT count(*) FROM pg_extension WHERE extname = 'vector'", database) == 0


@pytest.mark.parametrize("value", ["vector", " VECTOR , azure_ai", "azure_ai,vector"])
def test_an_allow_listed_extension_is_created_by_an_administrator(
    backend: EmbeddedBackend, database: str, value: str
) -> None:
    set_parameters(backend, {"azure.extensions": value})
    assert run(backend, "SHOW azure.extensions") == value
    run(backend, "CREATE EXTENSION vector", database)
    assert run(backend, "SELECT '[1,2]'::vector <-> '[1,3]'::vector", database) == 1
    run(backend, "COMMENT ON EXTENSION vector IS 'ours'", database)
    run(backend, "DROP EXTENSION vector", database)


def test_an_extension_taken_from_the_list_stays_but_cannot_be_changed(backend: EmbeddedBackend, database: str) -> None:
    set_parameters(backend, {"azure.extensions": "vector"})
    run(backend, "CREATE EXTENSION vector; CREATE SCHEMA other", database)
    with pytest.raises(
        psycopg.errors.FeatureNotSupported, match="SET SCHEMA clause for ALTER EXTENSION is not supported"
    ):
        run(backend, "ALTER EXTENSION vector SET SCHEMA other", database)
    set_parameters(backend, {"azure.extensions": ""})
    for statement in ("DROP EXTENSION vector", "ALTER EXTENSION vector UPDATE", "COMMENT ON EXTENSION vector IS 'x'"):
        with pytest.raises(psycopg.errors.FeatureNotSupported, match="not allow-listed"):
            run(backend, statement, database)
    assert run(backend, "SELECT '[1]'::vector <-> '[1]'::vector", database) == 0


def test_only_administrators_create_extensions(backend: EmbeddedBackend, database: str) -> None:
    set_parameters(backend, {"azure.extensions": "vector"})
    run(backend, "CREATE ROLE app LOGIN; GRANT CREATE ON DATABASE trial TO app", database)
    try:
        with pytest.raises(
            psycopg.errors.InsufficientPrivilege,
            match='Only members of "azure_pg_admin" are allowed to use CREATE EXTENSION',
        ):
            run(backend, "CREATE EXTENSION vector", database, "app")
    finally:
        run(backend, "REVOKE CREATE ON DATABASE trial FROM app; DROP ROLE app", database)


def test_a_database_made_from_template0_by_sql_knows_the_list(backend: EmbeddedBackend) -> None:
    run(backend, "CREATE DATABASE by_hand TEMPLATE template0")
    try:
        with pytest.raises(psycopg.errors.FeatureNotSupported, match="not allow-listed"):
            run(backend, "CREATE EXTENSION vector", "by_hand")
    finally:
        run(backend, "DROP DATABASE by_hand")


def test_an_administrator_cannot_take_the_rules_away(backend: EmbeddedBackend, database: str) -> None:
    for statement in (
        "DROP EVENT TRIGGER azure_extension_start",
        "ALTER EVENT TRIGGER azure_extension_end DISABLE",
        "SET session_replication_role = replica",
        "ALTER FUNCTION pg_catalog.azure_extension_is_allowed(text) OWNER TO CURRENT_USER",
        "ALTER SYSTEM SET azure.extensions = 'vector'",
        "ALTER ROLE azuresu PASSWORD 'x'",
        "SET ROLE azuresu",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            run(backend, statement, database)


def test_dynamic_parameters_are_there_at_once_and_static_ones_after_a_restart(backend: EmbeddedBackend) -> None:
    set_parameters(
        backend,
        {
            "work_mem": "8192",
            "pgbouncer.enabled": "true",
            "require_secure_transport": "on",
            "intelligent_tuning": "on",
            "port": "1",
            "shared_preload_libraries": "pg_cron,pg_stat_statements,age,no_such_library",
            "max_worker_processes": "11",
        },
    )
    assert run(backend, "SHOW work_mem") == "8MB"
    assert run(backend, "SHOW pgbouncer.enabled") == "true"
    pending = "SELECT string_agg(name, ' ' ORDER BY name) FROM pg_settings WHERE pending_restart"
    assert run(backend, pending) == "max_worker_processes shared_preload_libraries"
    asyncio.run(backend.restart(NAME))
    assert run(backend, pending) is None
    assert run(backend, "SHOW shared_preload_libraries") == "pg_cron, pg_stat_statements, age"
    assert run(backend, "SHOW max_worker_processes") == "11"
    set_parameters(backend, {"shared_preload_libraries": ""})
    asyncio.run(backend.restart(NAME))
    assert run(backend, "SHOW shared_preload_libraries") == ""


def test_a_value_that_postgresql_refuses_is_said(backend: EmbeddedBackend) -> None:
    with pytest.raises(BackendError, match='parameter work_mem: invalid value for parameter "work_mem": "banana"'):
        set_parameters(backend, {"work_mem": "banana"})


def test_a_value_that_the_machine_cannot_take_does_not_keep_the_server_down(backend: EmbeddedBackend) -> None:
    set_parameters(backend, {"work_mem": "16384"})
    asyncio.run(backend.restart(NAME))
    set_parameters(backend, {"shared_buffers": "1000000000"})
    asyncio.run(backend.restart(NAME))
    assert run(backend, "SHOW work_mem") == "16MB"
    assert run(backend, "SHOW shared_buffers") == "128MB"


def test_an_entra_administrator_comes_and_goes(backend: EmbeddedBackend) -> None:
    who = 'someone@example.com "quoted"'
    asyncio.run(backend.add_administrator(NAME, who))
    asyncio.run(backend.add_administrator(NAME, who))
    session = connect(backend, user=who)
    session.execute("CREATE SCHEMA theirs")
    asyncio.run(backend.remove_administrator(NAME, who))
    with pytest.raises(psycopg.Error):
        session.execute("SELECT 1")
    with pytest.raises(psycopg.OperationalError, match="not permitted to log in"):
        connect(backend, user=who)
    assert (
        run(
            backend,
            "SELECT pg_has_role(nspowner, 'azure_pg_admin', 'MEMBER') FROM pg_namespace WHERE nspname = 'theirs'",
        )
        is False
    )
    asyncio.run(backend.add_administrator(NAME, who))
    run(backend, "DROP SCHEMA theirs", user=who)
    asyncio.run(backend.remove_administrator(NAME, who))
    asyncio.run(backend.remove_administrator(NAME, who))
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        connect(backend, user=who)


@pytest.mark.parametrize("name", ["azuresu", "azure_pg_admin", "pg_monitor", "", "x" * 64])
def test_reserved_and_impossible_administrators_are_refused(backend: EmbeddedBackend, name: str) -> None:
    with pytest.raises(BackendError, match=r"reserved|1 to 63 bytes"):
        asyncio.run(backend.add_administrator(NAME, name))


def test_databases_are_dropped_with_their_sessions_but_never_the_servers_own(backend: EmbeddedBackend) -> None:
    asyncio.run(backend.create_database(NAME, 'odd "name"', "UTF8", "C"))
    session = connect(backend, 'odd "name"')
    asyncio.run(backend.drop_database(NAME, 'odd "name"'))
    asyncio.run(backend.drop_database(NAME, 'odd "name"'))
    with pytest.raises(psycopg.Error):
        session.execute("SELECT 1")
    for system in ("postgres", "azure_sys", "azure_maintenance"):
        with pytest.raises(BackendError, match="belongs to the server"):
            asyncio.run(backend.drop_database(NAME, system))
    with pytest.raises(BackendError, match="encoding"):
        asyncio.run(backend.create_database(NAME, "other", "NO_SUCH", "C"))
