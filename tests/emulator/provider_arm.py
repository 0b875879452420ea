"""A Resource Manager of one screen for the tests of the providers: it keeps bodies and answers like ARM."""

from __future__ import annotations

import datetime as dt
import ipaddress
import json
import re
import ssl
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

Json = dict[str, Any]
TOKEN = "token-of-the-test"


@dataclass(frozen=True)
class Seen:
    """A request that came."""

    method: str
    path: str
    query: dict[str, str]
    body: Json | None


@dataclass
class TinyArm:
    """The state of the server, for the test to look at and to change.

    Attributes:
        resources: Bodies by lower-case id.
        refuse: Answers for the next requests of a method: (method, status, code, message).
        fail: What the next operation ends with: (code, message).
    """

    endpoint: str
    ca_file: Path
    resources: dict[str, Json] = field(default_factory=dict)
    seen: list[Seen] = field(default_factory=list)
    refuse: list[tuple[str, int, str, str]] = field(default_factory=list)
    fail: list[tuple[str, str]] = field(default_factory=list)
    operations: dict[str, list[Json]] = field(default_factory=dict)
    stuck: bool = False

    def clear(self) -> None:
        """Forget everything."""
        for part in (self.resources, self.seen, self.refuse, self.fail, self.operations):
            part.clear()  # type: ignore[attr-defined]
        self.stuck = False

    def sent(self, method: str) -> list[Seen]:
        """Return the requests of a method."""
        return [request for request in self.seen if request.method == method]


_SLOW = re.compile("/flexibleservers/|/accounts/[^/]+/deployments/", re.IGNORECASE)


def _filled(path: str, body: Json, existing: Json | None) -> Json:
    """Return a body with what the services add, and without what they never show."""
    result = json.loads(json.dumps(body))
    names = path.rsplit("/providers/", maxsplit=1)[-1].split("/")
    result |= {"id": path, "name": path.rsplit("/", maxsplit=1)[-1], "type": "/".join([names[0], *names[1::2]])}
    properties = result.setdefault("properties", {})
    if names[0].lower() == "microsoft.dbforpostgresql" and len(names) == 3:
        properties.pop("administratorLoginPassword", None)
        properties.pop("createMode", None)
        properties |= {"state": "Ready", "fullyQualifiedDomainName": f"{names[2]}.postgres.database.azure.com"}
        properties["availabilityZone"] = properties.get("availabilityZone") or "1"
        properties.setdefault("network", {"publicNetworkAccess": "Enabled"})
        properties["storage"] = {"autoGrow": "Disabled", **properties.get("storage", {})}
    if "configurations" in names:
        before = (existing or {}).get("properties", {})
        properties = result["properties"] = {**before, **properties}
        properties["source"] = "system-default" if properties["value"] == before["defaultValue"] else "user-override"
    if names[1].lower() == "accounts" and len(names) == 3:
        properties |= {"endpoint": f"https://{names[2]}.openai.azure.com/", "provisioningState": "Succeeded"}
    return result


def configuration(server_id: str, name: str, default: str) -> tuple[str, Json]:
    """Return the key and the body of a server parameter as it is on a new server."""
    path = f"{server_id}/configurations/{name}"
    properties = {"value": default, "defaultValue": default, "source": "system-default", "isDynamicConfig": True}
    return path.lower(), {"id": path, "name": name, "type": "x", "properties": properties}


class _Answering(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    arm: TinyArm

    def log_message(self, *arguments: Any) -> None:
        """Say nothing."""

    def answer(self, status: int, body: Json | None = None, **headers: str) -> None:
        data = b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def serve(self) -> None:
        parts = urlsplit(self.path)
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else None
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        self.arm.seen.append(Seen(self.command, parts.path, query, body))
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            return self.answer(401, {"error": {"code": "Unauthorized", "message": "no token"}})
        if self.arm.refuse and self.arm.refuse[0][0] == self.command:
            _, status, code, message = self.arm.refuse.pop(0)
            return self.answer(status, {"error": {"code": code, "message": message}}, x_ms_retry_after_ms="1")
        if parts.path.startswith("/operations/"):
            return self.operation(parts.path)
        return getattr(self, f"on_{self.command.lower()}")(parts.path, body)

    do_GET = do_PUT = do_POST = do_DELETE = serve  # noqa: N815 - the names that http.server calls

    def operation(self, path: str) -> None:
        steps = self.arm.operations[path]
        step = steps[0] if self.arm.stuck or len(steps) == 1 else steps.pop(0)
        self.answer(200, step, x_ms_retry_after_ms="1")

    def begin(self) -> dict[str, str]:
        path = f"/operations/{uuid.uuid4()}"
        last: Json = {"status": "Succeeded"}
        if self.arm.fail:
            code, message = self.arm.fail.pop(0)
            last = {"status": "Failed", "error": {"code": code, "message": message}}
        self.arm.operations[path] = [{"status": "InProgress"}, last]
        # Another host on purpose: only the path of the address may count.
        return {
            "Azure_AsyncOperation": f"https://management.invalid{path}?api-version=1",
            "x_ms_retry_after_ms": "1",
        }

    def on_get(self, path: str, body: Json | None) -> None:
        found = self.arm.resources.get(path.lower())
        if found is None:
            return self.answer(404, {"error": {"code": "ResourceNotFound", "message": f"{path} was not found"}})
        return self.answer(200, found)

    def on_put(self, path: str, body: Json) -> None:
        existing = self.arm.resources.get(path.lower())
        headers = self.begin() if _SLOW.search(path) else {}
        self.arm.resources[path.lower()] = _filled(path, body, existing)
        if headers:
            return self.answer(202, None, **headers)
        return self.answer(200 if existing else 201, self.arm.resources[path.lower()])

    def on_delete(self, path: str, body: Json | None) -> None:
        if self.arm.resources.pop(path.lower(), None) is None:
            return self.answer(204)
        return self.answer(202, None, **self.begin()) if _SLOW.search(path) else self.answer(200)

    def on_post(self, path: str, body: Json | None) -> None:
        self.answer(200, {"key1": "one", "key2": "two"})


def _certificate(folder: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "tiny ARM")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(minutes=5))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem, secret = folder / "arm.pem", folder / "arm.key"
    pem.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    secret.write_bytes(key.private_bytes(encoding, form, serialization.NoEncryption()))
    return pem, secret


@contextmanager
def serving(folder: Path) -> Iterator[TinyArm]:
    """Serve until the block ends; the certificate is made in the folder."""
    pem, key = _certificate(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem, key)
    arm = TinyArm("", pem)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Answering", (_Answering,), {"arm": arm}))
    server.daemon_threads = True
    server.socket = context.wrap_socket(server.socket, server_side=True)
    arm.endpoint = f"https://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield arm
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
