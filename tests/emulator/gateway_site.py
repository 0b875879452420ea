"""A server behind a gateway of its own, for tests that connect to it with verified TLS."""

import asyncio
import datetime as dt
import ssl
import threading
import time
from collections.abc import Callable, Collection, Coroutine
from pathlib import Path
from typing import Any

import psycopg
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from emulator.arm.lookup import Account, ServerView
from emulator.identity import Identity, Principal
from emulator.postgres.backend import Services
from emulator.postgres.directory import OwnDirectory
from emulator.postgres.embedded import EmbeddedBackend
from emulator.postgres.gateway import Gateway, listen
from tests.elsewhere import from_elsewhere

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
        self.gateway = Gateway(OwnDirectory(self.lookup, self.backend), self.identity, context)
        self.loop.run(self.backend.create_server(NAME, "16", (LOGIN, PASSWORD), "identity"))
        for principal in (DEPLOYER, SERVICE):
            self.loop.run(self.backend.add_administrator(NAME, principal.name))
        self.port = self.serve(0)

    def serve(self, port: int) -> int:
        """Let the gateway listen, and return the port, which is a free one for 0."""
        listener = listen("127.0.0.1", port)

        async def start() -> None:
            self.gateway.start(listener)

        self.loop.run(start())
        return int(listener.getsockname()[1])

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

    def refusal_of_an_outsider(self) -> str:
        """Return what a client is told that comes from another address of this machine."""
        with from_elsewhere(self.port) as port:
            return self.refusal(port=port)

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


def wait_until(condition: Callable[[], bool], seconds: float = 30) -> None:
    """Wait for what another thread or process is about to do."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"it did not happen within {seconds:g} s"
        threading.Event().wait(0.01)
