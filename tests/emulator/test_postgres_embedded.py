"""The embedded backend: what its servers are."""

import asyncio
import stat
from pathlib import Path

import psycopg
import pytest

from tests.emulator.embedded_servers import (
    IDENTITY,
    LOGIN,
    PASSWORD,
    Embedded,
    asked_as_superuser,
    create,
    postmaster,
    query,
)
from tools.carried import CARRIED


def test_a_server_has_the_roles_and_databases_of_the_service(embedded: Embedded) -> None:
    backend = embedded()
    create(backend)
    assert backend.version("pg-a").startswith("16.")
    assert query(backend, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user") is False
    assert query(backend, "SELECT rolcreatedb AND rolcreaterole FROM pg_roles WHERE rolname = current_user") is True
    assert query(backend, "SELECT rolcanlogin FROM pg_roles WHERE rolname = 'azure_pg_admin'") is False
    assert query(backend, "SELECT pg_has_role('azure_ai_settings_manager', 'USAGE')") is True
    assert query(backend, "SELECT string_agg(datname, ' ' ORDER BY datname) FROM pg_database WHERE datallowconn") == (
        "azure_maintenance azure_sys postgres template1"
    )
    assert query(
        backend, "SELECT rolname FROM pg_database JOIN pg_roles r ON r.oid = datdba WHERE datname = 'postgres'"
    ) == ("azure_pg_admin")


def test_an_administrator_makes_schemas_and_roles(embedded: Embedded) -> None:
    backend = embedded()
    create(backend)
    asyncio.run(backend.create_database("pg-a", "contracts", "UTF8", "en_US.utf8"))
    asyncio.run(backend.create_database("pg-a", "contracts", "UTF8", "en_US.utf8"))
    for statement in (
        "CREATE TABLE public.plain (id int)",
        "CREATE SCHEMA engine",
        "CREATE ROLE app LOGIN",
        f"GRANT app TO {LOGIN} WITH SET TRUE, INHERIT TRUE",
        "CREATE ROLE other",
        "GRANT app TO other WITH ADMIN OPTION",
        "SET ROLE app",
        "CREATE ROLE second_administrator LOGIN; GRANT azure_pg_admin TO second_administrator",
    ):
        query(backend, statement, database="contracts")


def test_the_password_is_checked_and_changed(embedded: Embedded) -> None:
    backend = embedded()
    create(backend)
    for user in (LOGIN, "azuresu"):
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(
                host="127.0.0.1", port=backend.address("pg-a")[1], user=user, password="wrong", dbname="postgres"
            )
    asyncio.run(backend.set_password("pg-a", LOGIN, "An0ther-one?"))
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        query(backend, "SELECT 1")
    asyncio.run(backend.set_password("pg-a", LOGIN, PASSWORD))
    assert query(backend, "SELECT 1") == 1


def test_no_secret_is_in_logs_or_on_a_command_line(embedded: Embedded, tmp_path: Path) -> None:
    backend = embedded()
    create(backend)
    with pytest.raises(psycopg.Error):
        query(backend, f"ALTER ROLE nobody_there PASSWORD '{PASSWORD}'")
    with pytest.raises(psycopg.Error):
        query(backend, f"SELECT '{PASSWORD}'::int")
    log = (tmp_path / "home" / "logs" / "pg-a.log").read_text()
    arguments = " ".join(postmaster(backend).cmdline())
    for secret in (PASSWORD, IDENTITY):
        assert secret not in log
        assert secret not in arguments


def test_the_identity_and_the_socket_are_private(embedded: Embedded) -> None:
    backend = embedded()
    create(backend)
    folder, _ = backend.address("pg-a")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    data = Path(asked_as_superuser(backend, "SHOW data_directory"))
    assert stat.S_IMODE((data / "emulator_identity").stat().st_mode) == 0o600
    assert asked_as_superuser(backend, "SELECT pg_read_file('emulator_identity')") == IDENTITY
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        query(backend, "SELECT pg_read_file('emulator_identity')")
    assert query(backend, "SHOW emulator.https_address") == "127.0.0.1:1"


def test_a_version_that_the_wheel_lacks_runs_on_the_nearest(embedded: Embedded) -> None:
    backend = embedded()
    for name, version, runs in (("pg-a", "17", "16."), ("pg-b", "18", "18."), ("pg-c", "11", "16.")):
        create(backend, name, version)
        assert backend.version(name).startswith(runs)
        assert str(query(backend, "SHOW server_version", name)) == backend.version(name)
    assert len({backend.address(name) for name in ("pg-a", "pg-b", "pg-c")}) == 3
    assert backend.available_extensions == CARRIED["embedded"]


def test_age_is_a_stand_in_that_says_so(embedded: Embedded) -> None:
    backend = embedded()
    create(backend)
    asyncio.run(backend.set_parameters("pg-a", {"azure.extensions": "age"}))
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match="shared_preload_libraries"):
        query(backend, "CREATE EXTENSION age")
    asyncio.run(backend.set_parameters("pg-a", {"shared_preload_libraries": "age,pg_cron,pg_stat_statements"}))
    asyncio.run(backend.restart("pg-a"))
    query(backend, "CREATE EXTENSION age")
    for call in ("SELECT ag_catalog.create_graph('g')", "SELECT * FROM ag_catalog.cypher('g', 'x') AS (a text)"):
        with pytest.raises(psycopg.errors.FeatureNotSupported, match="holds no graph"):
            query(backend, call)
    query(backend, "DROP EXTENSION age")
