"""The gateway, by psycopg and psql with verified TLS: who gets in, and what the others are told."""

import logging
import os
import shutil
import socket
import ssl
import subprocess
from dataclasses import replace
from typing import Any

import psycopg
import pytest

from emulator.identity import Identity, Principal
from emulator.postgres.account import Account
from emulator.postgres.debian import DebianInstallation, make_root
from emulator.postgres.debian_root import loader
from tests.emulator.gateway_site import (
    DEPLOYER,
    EVERYONE,
    HOST,
    LOGIN,
    PASSWORD,
    RESOURCE,
    SERVICE,
    Site,
)


def change(site: Site, **values: Any) -> None:
    """Make the server other than usual until the end of the test."""
    site.lookup.server = replace(site.usual, **values)


def test_a_password_is_checked_by_the_server(site: Site) -> None:
    with site.connect() as connection:
        row = connection.execute("SELECT current_user, current_database()").fetchone()
        assert row == (LOGIN, "postgres")
    assert f'password authentication failed for user "{LOGIN}"' in site.refusal(password="wrong")
    assert 'password authentication failed for user "nobody_there"' in site.refusal("nobody_there")
    assert "password authentication failed" in site.refusal("azuresu")


@pytest.mark.parametrize("principal", [DEPLOYER, SERVICE], ids=["a person", "a managed identity"])
def test_an_entra_administrator_comes_in_with_a_token(site: Site, principal: Principal) -> None:
    with site.connect(principal.name, site.token(principal), application_name="it is me") as connection:
        row = connection.execute(
            "SELECT rolname, current_setting('application_name'), rolsuper FROM pg_roles WHERE rolname = current_user"
        ).fetchone()
        assert row == (principal.name, "it is me", False)


def test_tokens_that_are_not_good_are_refused_in_the_services_words(site: Site) -> None:
    refused = {
        site.token(lifetime_seconds=-60): "The access token has expired. Please acquire a new token and retry.",
        site.token(resource="https://management.azure.com"): "The access token does not have a valid audience claim. "
        'Please acquire a new token for the resource "https://ossrdbms-aad.database.windows.net".',
        Identity("t", "another key " * 4).issue(
            DEPLOYER, RESOURCE
        ): "An error occurred while validating the access token.",
        "no token at all": "An error occurred while validating the access token.",
        site.token(
            SERVICE
        ): 'Microsoft Entra user token for role "deployer" is neither an AAD_AUTH_TOKENTYPE_APP_USER or an '
        "AAD_AUTH_TOKENTYPE_APP_OBO token.",
        site.token(Principal("00000000-0000-4000-8000-00000000d009", "deployer", "User")): "does not belong to role",
    }
    for token, text in refused.items():
        assert text in site.refusal("deployer", token)


def test_a_principal_that_is_no_administrator_is_refused(site: Site) -> None:
    stranger = Principal("00000000-0000-4000-8000-00000000d003", "stranger", "User")
    for password in (True, False):
        change(site, password=password)
        assert 'password authentication failed for user "stranger"' in site.refusal("stranger", site.token(stranger))


def test_the_emulators_superuser_is_out_of_reach(site: Site) -> None:
    change(site, administrators={"azuresu": DEPLOYER.object_id})
    assert "password authentication failed" in site.refusal("azuresu", site.token())


def test_authentication_methods_that_are_off_are_refused(site: Site) -> None:
    change(site, password=False)
    assert "password authentication failed" in site.refusal() or "access token" in site.refusal()
    with site.connect("deployer", site.token()):
        pass
    change(site, entra=False)
    assert 'password authentication failed for user "deployer"' in site.refusal("deployer", site.token())
    with site.connect():
        pass
    change(site, entra=False, password=False)
    assert "password authentication failed" in site.refusal()


def test_without_tls_nobody_comes_in(site: Site) -> None:
    text = site.refusal(sslmode="disable")
    assert f'no pg_hba.conf entry for host "127.0.0.1", user "{LOGIN}", database "postgres", no encryption' in text


@pytest.mark.parametrize(
    ("rules", "comes_in"),
    [
        ((), False),
        ((("0.0.0.0", "0.0.0.0"),), False),
        ((("10.0.0.0", "10.255.255.255"),), False),
        ((("127.0.0.2", "127.0.0.9"),), False),
        ((("10.0.0.0", "10.255.255.255"), ("127.0.0.0", "127.255.255.255")), True),
        (EVERYONE, True),
    ],
)
def test_firewall_rules_are_obeyed(site: Site, rules: tuple[tuple[str, str], ...], comes_in: bool) -> None:
    change(site, firewall=rules)
    if comes_in:
        site.connect().close()
    else:
        assert 'no pg_hba.conf entry for host "127.0.0.1", user "padmin", database "postgres", SSL' in site.refusal()


def test_without_public_access_nobody_comes_in(site: Site) -> None:
    change(site, public_access=False, firewall=EVERYONE)
    assert "no pg_hba.conf entry" in site.refusal()


def test_inside_its_network_neither_public_access_nor_a_rule_is_needed(site: Site) -> None:
    change(site, public_access=False, firewall=(), inside=True)
    site.connect().close()


def test_outside_of_its_network_nobody_comes_in(site: Site) -> None:
    change(site, public_access=False, firewall=EVERYONE, inside=True)
    assert 'no pg_hba.conf entry for host "127.0.0.2"' in site.refusal_of_an_outsider()
    change(site, public_access=True, firewall=(("127.0.0.1", "127.0.0.1"),), inside=True)
    assert 'no pg_hba.conf entry for host "127.0.0.2"' in site.refusal_of_an_outsider()


@pytest.mark.parametrize("state", ["Stopped", "Stopping", "Starting", "Restarting", "Dropping", "Disabled"])
def test_a_server_that_is_not_ready_drops_connections(site: Site, state: str) -> None:
    change(site, state=state)
    text = site.refusal()
    assert any(word in text for word in ("closed", "reset", "unexpected eof"))


def test_a_name_that_no_server_has_is_refused(site: Site) -> None:
    other = "pg-other.postgres.database.azure.com"
    assert f'there is no server "{other}"' in site.refusal(host=other)


def test_the_certificate_is_verified(site: Site) -> None:
    assert "certificate verify failed" in site.refusal(sslrootcert="system")


def test_a_client_that_names_no_server_is_told(site: Site) -> None:
    assert "the connection names no server" in site.refusal(host="127.0.0.1", sslmode="require", sslrootcert="")


def test_tls_from_the_first_byte(site: Site) -> None:
    with site.connect(sslnegotiation="direct") as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_tls_from_the_first_byte_needs_the_protocols_name(site: Site) -> None:
    context = ssl.create_default_context(cafile=str(site.folder / "ca.pem"))
    with (
        socket.create_connection(("127.0.0.1", site.port), 20) as plain,
        context.wrap_socket(plain, server_hostname=HOST) as tls,
    ):
        assert tls.recv(1) == b""


def test_nothing_secret_is_logged(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    tokens = [site.token(), site.token(SERVICE), site.token(resource="https://management.azure.com")]
    with caplog.at_level(logging.DEBUG):
        with site.connect("deployer", tokens[0]), site.connect():
            pass
        site.refusal("deployer", tokens[1])
        site.refusal("deployer", tokens[2])
        site.refusal(password="another-Secret-1")
    assert "connected to pg-gateway as 'deployer'" in caplog.text
    for secret in (*tokens, PASSWORD, "another-Secret-1"):
        assert secret not in caplog.text


@pytest.fixture
def psql(request: pytest.FixtureRequest) -> list[str]:
    """The system's psql, else that of Debian's packages; the wheel's knows no TLS."""
    if found := shutil.which("psql"):
        return [found]
    request.getfixturevalue("debian")
    installation = DebianInstallation("", make_root(Account.choose()))
    return [*loader(installation.folder), str(installation.program_folder / "psql")]


@pytest.mark.parametrize("user", [LOGIN, "deployer"])
def test_psql_comes_in_by_the_environment_alone(site: Site, psql: list[str], user: str) -> None:
    password = PASSWORD if user == LOGIN else site.token()
    result = subprocess.run(
        [
            *psql,
            "--no-psqlrc",
            "-Atc",
            "SELECT current_user",
            f"host={HOST} user={user} dbname=postgres sslmode=verify-full",
        ],
        capture_output=True,
        text=True,
        check=False,
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(site.folder),
            "PGHOSTADDR": "127.0.0.1",
            "PGPORT": str(site.port),
            "PGSSLROOTCERT": str(site.folder / "ca.pem"),
            "PGPASSWORD": password,
        },
    )
    assert (result.stdout.strip(), result.stderr) == (user, "")


def test_a_principal_that_an_administrator_made_comes_in_with_its_own_token_alone(site: Site) -> None:
    worker = Principal("00000000-0000-4000-8000-00000000d00A", "pool", "ServicePrincipal")
    create = "SELECT pgaadauth_create_principal_with_oid('pool', %s, 'service', false, false)"
    with site.connect("deployer", site.token()) as administrator:
        assert administrator.execute(create, [worker.object_id]).fetchone() == ("Created role for pool",)
        listed = administrator.execute("SELECT rolename, objectid FROM pgaadauth_list_principals(false)").fetchall()
        assert listed == [("pool", worker.object_id.lower())]
        assert administrator.execute("SELECT * FROM pgaadauth_list_principals(true)").fetchall() == []
    try:
        with site.connect("pool", site.token(worker)) as connection:
            assert connection.execute("SELECT current_user").fetchone() == ("pool",)
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(create.replace("'pool'", "'more'"), [worker.object_id])
        assert "AAD_AUTH_TOKENTYPE_APP_USER" in site.refusal("pool", site.token(SERVICE))
        assert "AAD_AUTH_TOKENTYPE_APP_USER" in site.refusal("deployer", site.token(worker))
        change(site, entra=False)
        assert "password authentication failed" in site.refusal("pool", site.token(worker))
    finally:
        change(site)
        with site.connect("deployer", site.token()) as administrator:
            administrator.execute("DROP ROLE pool")
    assert "password authentication failed" in site.refusal("pool", site.token(worker))
