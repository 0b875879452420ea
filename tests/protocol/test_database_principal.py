"""DatabasePrincipal: somebody is let in with just these rights, drift is mended, nothing is taken over."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg
import pytest

from components.dynamic.database_principal import DatabasePrincipalProvider as Provider
from tests.protocol.local_server import LocalServer
from tests.protocol.plugin import Plugin, PluginError

FUNCTIONS = Path(__file__).resolve().parents[2] / "emulator" / "postgres" / "sql" / "principals.sql"
OBJECT_ID, ANOTHER = "0a1b2c3d-0000-4000-8000-000000000001", "0a1b2c3d-0000-4000-8000-000000000002"
SECRET = "a-login-for-one-question"
QUESTION = "asked.how_many(integer)"


@pytest.fixture(scope="module")
def entra(server: LocalServer) -> LocalServer:
    """A server that knows Entra principals, with two roles to give."""
    with server.superuser("postgres") as conn:
        conn.execute("SET allow_system_table_mods = on")
        conn.execute(FUNCTIONS.read_bytes())
        for role in ("embeds", "reads"):
            conn.execute(f"CREATE ROLE {role} NOLOGIN ADMIN azure_pg_admin".encode())
    return server


@pytest.fixture
def inputs(entra: LocalServer, database: str, access: dict[str, Any]) -> dict[str, Any]:
    with entra.superuser(database) as conn:
        conn.execute("CREATE SCHEMA asked AUTHORIZATION azure_pg_admin")
        conn.execute("CREATE FUNCTION asked.how_many(integer) RETURNS integer LANGUAGE sql RETURN 7")
        conn.execute("REVOKE EXECUTE ON FUNCTION asked.how_many(integer) FROM PUBLIC")
        conn.execute("ALTER FUNCTION asked.how_many(integer) OWNER TO azure_pg_admin")
    return {**access, "principal": f"id-{database}", "objectId": OBJECT_ID, "roles": ["embeds"], "functions": []}


def memberships(server: LocalServer, role: str) -> set[str]:
    with server.superuser("postgres") as conn:
        rows = conn.execute(
            "SELECT m.roleid::regrole::text FROM pg_auth_members AS m JOIN pg_roles AS r ON r.oid = m.member "
            "WHERE r.rolname = %s",
            [role],
        )
        return {str(row[0]) for row in rows}


def exists(server: LocalServer, role: str) -> bool:
    with server.superuser("postgres") as conn:
        return conn.execute("SELECT FROM pg_roles WHERE rolname = %s", [role]).fetchone() is not None


def test_an_identity_is_registered_read_and_dropped(plugin: Plugin, entra: LocalServer, inputs: dict[str, Any]) -> None:
    name = inputs["principal"]
    id_, outs = plugin.create(Provider, inputs)
    assert id_.endswith(f"/principal/{name}")
    assert outs["created"] is True
    assert memberships(entra, name) == {"embeds"}
    with entra.superuser("postgres") as conn:
        listed = conn.execute(
            "SELECT objectid, principaltype, isadmin FROM pgaadauth_list_principals(false) WHERE rolename = %s", [name]
        )
        assert listed.fetchall() == [(OBJECT_ID, "service", 0)]
        flags = conn.execute(
            "SELECT rolsuper, rolcreaterole, rolcreatedb, rolcanlogin FROM pg_roles WHERE rolname = %s", [name]
        )
        assert flags.fetchone() == (False, False, False, True)
    assert plugin.read(Provider, id_, outs)[:2] == (id_, outs)
    assert not plugin.diff(Provider, outs, inputs).any
    again = plugin.create(Provider, inputs)[1]
    assert again["created"] is False
    plugin.delete(Provider, again)
    assert exists(entra, name), "what was adopted stays"
    plugin.delete(Provider, outs)
    assert not exists(entra, name)
    assert plugin.read(Provider, id_, outs)[0] == ""
    plugin.delete(Provider, outs)


def test_rights_that_came_or_went_are_found_and_mended(
    plugin: Plugin, entra: LocalServer, inputs: dict[str, Any]
) -> None:
    name = inputs["principal"]
    id_, outs = plugin.create(Provider, inputs)
    with entra.superuser("postgres") as conn:
        conn.execute(f'REVOKE embeds FROM "{name}" GRANTED BY azure_pg_admin'.encode())
        conn.execute(f'GRANT reads TO "{name}" GRANTED BY azure_pg_admin'.encode())
    assert memberships(entra, name) == {"reads"}
    _, read, _ = plugin.read(Provider, id_, outs)
    assert read["roles"] == ["reads"]
    assert plugin.diff(Provider, read, inputs).any
    mended = plugin.update(Provider, read, inputs)
    assert mended == outs
    assert memberships(entra, name) == {"embeds"}
    plugin.delete(Provider, outs)


def test_a_right_that_somebody_else_gave_is_named_and_not_passed_over(
    plugin: Plugin, entra: LocalServer, inputs: dict[str, Any]
) -> None:
    name = inputs["principal"]
    _, outs = plugin.create(Provider, inputs)
    with entra.superuser("postgres") as conn:
        conn.execute(f'GRANT pg_read_all_data TO "{name}"'.encode())
    with pytest.raises(PluginError, match="pg_read_all_data"):
        plugin.update(Provider, outs, inputs)
    plugin.delete(Provider, outs)


def test_another_identity_replaces_it_and_a_role_of_somebody_else_is_left_alone(
    plugin: Plugin, entra: LocalServer, inputs: dict[str, Any]
) -> None:
    name = inputs["principal"]
    _, outs = plugin.create(Provider, inputs)
    diff = plugin.diff(Provider, outs, {**inputs, "objectId": ANOTHER})
    assert diff.replaces == ["objectId"]
    assert diff.delete_before_replace
    with pytest.raises(PluginError, match=f"belongs to the principal {OBJECT_ID}"):
        plugin.create(Provider, {**inputs, "objectId": ANOTHER})
    assert memberships(entra, name) == {"embeds"}
    plugin.delete(Provider, outs)
    with entra.superuser("postgres") as conn:
        conn.execute(f'CREATE ROLE "{name}" LOGIN'.encode())
    with pytest.raises(PluginError, match="belongs to no Entra principal"):
        plugin.create(Provider, inputs)
    assert memberships(entra, name) == set()


def test_a_login_may_ask_its_one_question_and_its_password_is_in_no_output(
    plugin: Plugin, entra: LocalServer, database: str, inputs: dict[str, Any]
) -> None:
    name = f"asks-{database}"
    login = {
        **{key: value for key, value in inputs.items() if key != "objectId"},
        "principal": name,
        "loginPassword": SECRET,
        "roles": [],
        "functions": [QUESTION],
    }
    id_, outs = plugin.create(Provider, login)
    assert SECRET not in str(outs)
    assert not plugin.diff(Provider, outs, login).any
    assert plugin.diff(Provider, outs, {**login, "loginPassword": "another-one"}).changes == "DIFF_SOME"
    with entra.superuser("postgres") as conn:
        verifier = conn.execute("SELECT rolpassword FROM pg_authid WHERE rolname = %s", [name]).fetchone()
        assert verifier is not None
        assert verifier[0].startswith("SCRAM-SHA-256$")
    with entra.superuser(database) as conn:
        conn.execute(f'SET SESSION AUTHORIZATION "{name}"'.encode())
        assert conn.execute("SELECT asked.how_many(1)").fetchone() == (7,)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            conn.execute("CREATE TABLE asked.mine ()")
    with entra.superuser(database) as conn:
        conn.execute(f'REVOKE EXECUTE ON FUNCTION asked.how_many(integer) FROM "{name}"'.encode())
    _, read, _ = plugin.read(Provider, id_, outs)
    assert read["functions"] == []
    assert plugin.diff(Provider, read, login).any
    plugin.update(Provider, read, {**login, "loginPassword": "another-one"})
    plugin.delete(Provider, outs)
    assert not exists(entra, name)


def test_a_login_of_a_person_is_not_taken_over_and_one_without_its_schema_still_goes(
    plugin: Plugin, entra: LocalServer, database: str, inputs: dict[str, Any]
) -> None:
    name = f"person-{database}"
    login = {
        **{key: value for key, value in inputs.items() if key != "objectId"},
        "principal": name,
        "loginPassword": SECRET,
        "roles": [],
        "functions": [QUESTION],
    }
    with entra.superuser("postgres") as conn:
        conn.execute(f'CREATE ROLE "{name}" LOGIN IN ROLE reads'.encode())
    with pytest.raises(PluginError, match="is there already, and this program did not make it"):
        plugin.create(Provider, login)
    assert memberships(entra, name) == {"reads"}
    with entra.superuser("postgres") as conn:
        conn.execute(f'DROP ROLE "{name}"'.encode())
    _, outs = plugin.create(Provider, login)
    assert plugin.create(Provider, login)[1] == {**outs, "created": False}
    with entra.superuser(database) as conn:
        conn.execute("DROP SCHEMA asked CASCADE")
    plugin.delete(Provider, outs)
    assert not exists(entra, name)
