"""Connections and sessions: TLS, refusals explained, tokens, and the advisory lock."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from components.dynamic.access import connection_of
from components.dynamic.props import Props
from database import connection, tokens
from database.connection import ConnectionSpec, connect, session
from database.errors import DatabaseError, UnreachableError
from tests.protocol.local_server import PASSWORD, LocalServer


@pytest.fixture
def spec(server: LocalServer, access: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> ConnectionSpec:
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    return connection_of(Props(access))


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Back off without waiting."""
    monkeypatch.setattr(connection, "_BACK_OFF_SECONDS", (0.0, 0.0))


def test_tls_is_verified_by_name_and_by_root(
    spec: ConnectionSpec, monkeypatch: pytest.MonkeyPatch, impatient: None
) -> None:
    with connect(spec) as conn:
        assert conn.pgconn.ssl_in_use
    with pytest.raises(UnreachableError, match=r"certificate could not be verified\. Nothing was sent"):
        connect(replace(spec, host="other.postgres.database.azure.com"))
    monkeypatch.delenv("PGSSLROOTCERT")
    with pytest.raises(UnreachableError, match="certificate could not be verified"):
        connect(spec)


def test_no_environment_variable_takes_verification_away(
    spec: ConnectionSpec, monkeypatch: pytest.MonkeyPatch, impatient: None
) -> None:
    monkeypatch.setenv("PGSSLMODE", "disable")
    with pytest.raises(UnreachableError, match="certificate could not be verified"):
        connect(replace(spec, host="other.postgres.database.azure.com"))


def test_an_unreachable_server_is_tried_again_and_then_explained(
    spec: ConnectionSpec, monkeypatch: pytest.MonkeyPatch, impatient: None, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PGPORT", "1")
    with pytest.raises(UnreachableError, match="the server did not answer") as caught:
        connect(spec)
    printed = capsys.readouterr().err
    assert printed.count("no connection yet, trying again") == 2
    assert PASSWORD not in printed + str(caught.value) + repr(spec)
    assert caught.value.__suppress_context__


def test_an_unknown_user_is_not_tried_again(spec: ConnectionSpec, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UnreachableError, match="the server does not know this user"):
        connect(replace(spec, user="nobody_at_all"))
    assert "trying again" not in capsys.readouterr().err


def test_one_session_at_a_time_holds_a_lock(spec: ConnectionSpec) -> None:
    with session(spec, lock="catalog"):
        with (
            pytest.raises(DatabaseError, match="another session has been changing catalog in database"),
            session(spec, lock="catalog", timeout_seconds=0),
        ):
            pass
        with session(spec, lock="other", timeout_seconds=0):
            pass
    with session(spec, lock="catalog", timeout_seconds=0) as conn:
        assert conn.execute("SHOW lock_timeout").fetchone() == ("10s",)


def test_a_session_waits_for_the_lock(spec: ConnectionSpec) -> None:
    holding, release = threading.Event(), threading.Event()

    def hold() -> None:
        with session(spec, lock="catalog"):
            holding.set()
            release.wait(30)

    thread = threading.Thread(target=hold)
    thread.start()
    try:
        assert holding.wait(30)
        threading.Timer(0, release.set).start()
        with session(spec, lock="catalog", timeout_seconds=60):
            pass
    finally:
        release.set()
        thread.join(30)


def test_an_error_says_what_the_server_said_but_no_row(spec: ConnectionSpec) -> None:
    with connect(spec) as conn:
        conn.execute("CREATE TEMP TABLE t (secret text UNIQUE)")
        conn.execute("INSERT INTO t VALUES ('swordfish')")
        with pytest.raises(DatabaseError) as caught, connection.explained("filling t"):
            conn.execute("INSERT INTO t VALUES ('swordfish')")
        assert str(caught.value).startswith("filling t: duplicate key value violates unique constraint")
        with pytest.raises(DatabaseError) as other, connection.explained("reading"):
            conn.execute("SELECT secret::integer FROM t")
    assert "swordfish" not in str(caught.value) + str(other.value)


@pytest.fixture
def identity(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The App Service identity protocol, as a runner or the emulator has it; yields the requests."""
    seen: list[str] = []

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(self.path)
            body = {"access_token": PASSWORD, "expires_on": str(int(time.time()) + 3600), "resource": "r"}
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps({**body, "token_type": "Bearer"}).encode())

        def log_message(self, *_: object) -> None:
            pass

    http = HTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=http.serve_forever)
    thread.start()
    monkeypatch.setenv("IDENTITY_ENDPOINT", f"http://127.0.0.1:{http.server_port}/msi/token")
    monkeypatch.setenv("IDENTITY_HEADER", "header")
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "ManagedIdentityCredential")
    monkeypatch.setattr(tokens, "_kept", {})
    yield seen
    http.shutdown()
    thread.join(10)
    http.server_close()


SCOPE = "https://ossrdbms-aad.database.windows.net/.default"


def test_an_entra_token_is_the_password_and_is_kept(spec: ConnectionSpec, identity: list[str]) -> None:
    entra = replace(spec, authentication="entra", password=None, token_scope=SCOPE)
    for _ in range(2):
        connect(entra).close()
    assert len(identity) == 1
    assert "ossrdbms-aad.database.windows.net" in identity[0]
    assert PASSWORD not in repr(entra)


def test_nobody_signed_in_is_explained(monkeypatch: pytest.MonkeyPatch, spec: ConnectionSpec) -> None:
    for name in ("IDENTITY_ENDPOINT", "IDENTITY_HEADER", "AZURE_CLIENT_ID", "AZURE_TENANT_ID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "EnvironmentCredential")
    monkeypatch.setattr(tokens, "_kept", {})
    with pytest.raises(UnreachableError, match=r"no Entra token for .*: sign in"):
        connect(replace(spec, authentication="entra", password=None, token_scope=SCOPE))
