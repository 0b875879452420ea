"""The gateway, by psycopg and psql with verified TLS: who gets in, what the others are told, what goes through."""

import asyncio
import datetime as dt
import logging
import os
import shutil
import socket
import ssl
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Collection, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from emulator.arm.lookup import Account, ServerView
from emulator.identity import Identity, Principal
from emulator.postgres.backend import Services
from emulator.postgres.embedded import EmbeddedBackend
from emulator.postgres.gateway import Gateway

LOGIN, PASSWORD = "padmin", "Corr3ct-horse!"
NAME = "pg-gateway"
HOST = f"{NAME}.postgres.database.azure.com"
RESOURCE = "https://ossrdbms-aad.database.windows.net/.default"
DEPLOYER = Principal("00000000-0000-4000-8000-00000000d001", "deployer", "User")
SERVICE = Principal("00000000-0000-4000-8000-00000000d002", "worker", "ServicePrincipal")
EVERYONE = (("0.0.0.0", "255.255.255.255"),)


class OneServer:
    """A lookup that knows one server."""

    def __init__(self, server: ServerView) -> None:
        self.server = server

    def account_by_host(self, host: str) -> Account | None:
        return None

    def server_by_host(self, host: str) -> ServerView | None:
        return self.server if host.lower() == self.server.fqdn else None

    def may(self, principal: Principal, role_ids: Collection[str], scope: str) -> bool:
        return False


class Loop:
    """An event loop in a thread of its own, where the gateway runs beside blocking clients."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever)
        self.thread.start()

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(120)

    def close(self) -> None:
        self.run(self.loop.shutdown_default_executor())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()


class Site:
    """One server behind a gateway, and clients for it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.loop = Loop()
        self.identity = Identity("00000000-0000-4000-8000-000000000001", "k" * 48)
        self.backend = EmbeddedBackend(folder / "home", Services("127.0.0.1:1", "127.0.0.1:2", folder / "ca.pem"))
        self.lookup = OneServer(
            ServerView(
                resource_id="/subscriptions/s/resourceGroups/g/providers/Microsoft.DBforPostgreSQL/flexibleServers/pg",
                name=NAME,
                fqdn=HOST,
                state="Ready",
                public_access=True,
                firewall=(("127.0.0.1", "127.0.0.1"),),
                entra=True,
                password=True,
                administrator_login=LOGIN,
                administrators={DEPLOYER.name: DEPLOYER.object_id, SERVICE.name: SERVICE.object_id},
            )
        )
        self.usual = self.lookup.server
        make_certificates(folder)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "server.pem", folder / "server.key")
        self.gateway = Gateway(self.lookup, self.identity, self.backend, context)
        self.loop.run(self.backend.create_server(NAME, "16", (LOGIN, PASSWORD), "identity"))
        for principal in (DEPLOYER, SERVICE):
            self.loop.run(self.backend.add_administrator(NAME, principal.name))
        self.port: int = self.loop.run(self.gateway.start("127.0.0.1", 0))

    def close(self) -> None:
        self.loop.run(self.gateway.stop())
        self.loop.run(self.backend.remove_all())
        self.loop.close()

    def token(self, principal: Principal = DEPLOYER, resource: str = RESOURCE, lifetime_seconds: int = 3600) -> str:
        return self.identity.issue(principal, resource, lifetime_seconds)

    def connect(self, user: str = LOGIN, password: str = PASSWORD, **changes: Any) -> psycopg.Connection[Any]:
        arguments: dict[str, Any] = {
            "host": HOST,
            "hostaddr": "127.0.0.1",
            "port": self.port,
            "user": user,
            "password": password,
            "dbname": "postgres",
            "sslmode": "verify-full",
            "sslrootcert": str(self.folder / "ca.pem"),
            "connect_timeout": 20,
            "autocommit": True,
        }
        return psycopg.connect(**(arguments | changes))

    def refusal(self, user: str = LOGIN, password: str = PASSWORD, **changes: Any) -> str:
        with pytest.raises(psycopg.OperationalError) as refused:
            self.connect(user, password, **changes)
        return str(refused.value)


def make_certificates(folder: Path) -> None:
    """Write an authority and a server certificate signed by it."""
    now = dt.datetime.now(dt.UTC)
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]
    authority = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Test authority")])
    for file, subject, names, is_ca in (
        ("ca.pem", authority, None, True),
        ("server.pem", x509.Name([]), [x509.DNSName("*.postgres.database.azure.com")], False),
    ):
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(authority)
            .public_key(keys[0 if is_ca else 1].public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=1))
            .not_valid_after(now + dt.timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
        )
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=True)
        certificate = builder.sign(keys[0], hashes.SHA256())
        (folder / file).write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "server.key").write_bytes(
        keys[1].private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )


@pytest.fixture(scope="module")
def whole_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    site = Site(tmp_path_factory.mktemp("site"))
    yield site
    site.close()


@pytest.fixture
def site(whole_site: Site) -> Iterator[Site]:
    """The site in its usual state; no connection is left at the end."""
    whole_site.lookup.server = whole_site.usual
    yield whole_site
    wait_until(lambda: not whole_site.gateway.connections and not whole_site.gateway._tasks)
    assert whole_site.gateway._cancel_keys == {}


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait for what another thread or process is about to do."""
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "it did not happen within 30 s"
        threading.Event().wait(0.01)


def change(site: Site, **values: Any) -> None:
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


@pytest.mark.skipif(psycopg.pq.version() < 170000, reason="TLS from the first byte needs libpq 17")
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


def test_a_running_query_is_cancelled(site: Site) -> None:
    for user, password in ((LOGIN, PASSWORD), ("deployer", site.token())):
        with site.connect(user, password) as connection, ThreadPoolExecutor(1) as pool:
            running = pool.submit(connection.execute, "SELECT pg_sleep(600)")
            with site.connect() as other:
                wait_until(
                    lambda: (
                        other.execute("SELECT FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%'").rowcount == 1
                    )
                )
            connection.cancel_safe()
            with pytest.raises(psycopg.errors.QueryCanceled):
                running.result(60)


def test_a_cancel_request_without_tls_is_forwarded_and_a_wrong_one_ignored(site: Site) -> None:
    with site.connect() as connection, ThreadPoolExecutor(1) as pool:
        running = pool.submit(connection.execute, "SELECT pg_sleep(600)")
        with site.connect() as other:
            wait_until(
                lambda: other.execute("SELECT FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%'").rowcount == 1
            )
        key = next(
            key for key in site.gateway._cancel_keys if struct.unpack("!I", key[:4])[0] == connection.info.backend_pid
        )
        for guess in (key[:4] + b"\0\0\0\0", key):
            with socket.create_connection(("127.0.0.1", site.port), 20) as client:
                client.sendall(struct.pack("!II", 8 + len(guess), 80877102) + guess)
                assert client.recv(1) == b""
        with pytest.raises(psycopg.errors.QueryCanceled):
            running.result(60)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0",
        b"GET / HTTP/1.1\r\n\r\n",
        struct.pack("!II", 8, 80877103),
        struct.pack("!II", 8, 80877104),
        struct.pack("!II", 8, 80877103) + b"not a handshake, not at all",
        struct.pack("!II", 4, 196608),
        struct.pack("!II", 0xFFFFFFFF, 196608),
        struct.pack("!II", 13, 196608) + b"user\0",
        b"\x16\x03\x01" + b"\xff" * 64,
    ],
)
def test_what_is_no_client_is_dropped(site: Site, data: bytes) -> None:
    with socket.create_connection(("127.0.0.1", site.port), 20) as client, suppress(OSError):
        client.sendall(data)
        client.shutdown(socket.SHUT_WR)
        while client.recv(4096):
            pass
    with site.connect() as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_much_goes_through_unchanged_both_ways(site: Site) -> None:
    rows = 40_000
    with site.connect("deployer", site.token()) as connection:
        connection.execute("CREATE TEMPORARY TABLE much (id int, content text)")
        with connection.cursor().copy("COPY much FROM STDIN") as copy:
            for number in range(rows):
                copy.write_row((number, "0123456789abcdef" * 64))
        row = connection.execute("SELECT count(*), sum(id), sum(length(content)) FROM much").fetchone()
        assert row == (rows, rows * (rows - 1) // 2, rows * 1024)
        size = 0
        with connection.cursor().copy("COPY much TO STDOUT") as copy:
            for chunk in copy:
                size += len(chunk)
        assert size == sum(len(str(number)) for number in range(rows)) + rows * (1024 + 2)


def test_a_slow_reader_holds_the_server_back(site: Site) -> None:
    """The gateway holds a few megabytes for a client that does not read, not the whole answer."""
    process = psutil.Process()
    with closing(site.connect()) as connection:
        connection.execute("SELECT 1")
        before = process.memory_info().rss
        connection.pgconn.send_query(b"COPY (SELECT repeat('x', 1000) FROM generate_series(1, 400000)) TO STDOUT")
        with site.connect() as other:
            waits = "SELECT FROM pg_stat_activity WHERE wait_event = 'ClientWrite'"
            wait_until(lambda: other.execute(waits).rowcount == 1)
        assert process.memory_info().rss - before < 100 << 20


def test_many_connections_at_once(site: Site) -> None:
    token = site.token()

    def one(number: int) -> int:
        with site.connect("deployer", token) as connection:
            row = connection.execute("SELECT %s::int", [number]).fetchone()
            assert row is not None
            return int(row[0])

    with ThreadPoolExecutor(32) as pool:
        assert list(pool.map(one, range(150))) == list(range(150))


def test_connections_are_counted_and_end_when_either_side_goes(site: Site) -> None:
    first = site.connect()
    second = site.connect("deployer", site.token())
    assert dict(site.gateway.connections) == {NAME: 2}
    assert second.execute("SELECT pg_terminate_backend(%s)", [first.info.backend_pid]).fetchone() == (True,)
    with pytest.raises(psycopg.OperationalError, match="terminating connection due to administrator command"):
        first.execute("SELECT 1")
    with socket.socket(fileno=os.dup(second.pgconn.socket)) as below:
        below.shutdown(socket.SHUT_RDWR)  # a client that vanishes without a word
    wait_until(lambda: not site.gateway.connections)
    first.close()
    second.close()
    folder, port = site.backend.address(NAME)
    with psycopg.connect(host=str(folder), port=port, user="azuresu", dbname="postgres", autocommit=True) as superuser:
        query = "SELECT FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
        wait_until(lambda: superuser.execute(query).rowcount == 0)


def test_a_killed_server_is_started_for_the_next_client(site: Site) -> None:
    with site.connect() as connection:
        row = connection.execute("SHOW port").fetchone()
        assert row is not None
    folder, _ = site.backend.address(NAME)
    pid = int((folder.parent / "data" / "postmaster.pid").read_text().split()[0])
    process = psutil.Process(pid)
    process.kill()
    wait_until(lambda: not process.is_running() or process.status() == psutil.STATUS_ZOMBIE)
    with site.connect("deployer", site.token()) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


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


@pytest.mark.skipif(shutil.which("psql") is None, reason="psql is not installed")
@pytest.mark.parametrize("user", [LOGIN, "deployer"])
def test_psql_comes_in_by_the_environment_alone(site: Site, user: str) -> None:
    password = PASSWORD if user == LOGIN else site.token()
    result = subprocess.run(
        [
            "psql",
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


def test_stopping_ends_sessions_and_frees_the_port(tmp_path: Path) -> None:
    site = Site(tmp_path)
    try:
        session = site.connect()
        site.loop.run(site.gateway.stop())
        with pytest.raises(psycopg.OperationalError):
            session.execute("SELECT 1")
        with pytest.raises(OSError, match="refused"):
            socket.create_connection(("127.0.0.1", site.port), 5)
        assert site.loop.run(site.gateway.start("127.0.0.1", site.port)) == site.port
        site.connect().close()
    finally:
        site.close()
