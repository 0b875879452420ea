"""The gateway in a process of its own: it asks the daemon, is replaced when killed, and never outlives the daemon."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest

from emulator.identity import Identity
from emulator.postgres.directory import OwnDirectory
from emulator.postgres.gateway_process import GatewayProcess, GatewaySettings
from tests.emulator.gateway_site import LOGIN, NAME, PASSWORD, OneServer, Site, make_certificates, wait_until
from tests.emulator.orphans import outlives_its_parent


class OwnProcessSite(Site):
    """A site whose clients come through a gateway in a process of its own."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        settings = GatewaySettings(folder / "server.pem", folder / "server.key", self.identity)
        self.apart = GatewayProcess(OwnDirectory(self.lookup, self.backend), settings)

        async def start() -> int:
            return self.apart.start("127.0.0.1", 0)

        self.port = self.loop.run(start())

    def close(self) -> None:
        self.loop.run(self.apart.stop())
        super().close()


@pytest.fixture(scope="module")
def whole_apart(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnProcessSite]:
    site = OwnProcessSite(tmp_path_factory.mktemp("gateway-process"))
    yield site
    site.close()


@pytest.fixture
def apart(whole_apart: OwnProcessSite) -> OwnProcessSite:
    whole_apart.lookup.server = whole_apart.usual
    return whole_apart


def gateway_of(connection: psycopg.Connection[Any]) -> psutil.Process:
    """Return the process at the other end of a connection, which the test's own server is not."""
    port = connection.info.port
    here = psutil.Process()
    return next(
        child
        for child in here.children(recursive=True)
        if any(one.laddr and one.laddr[1] == port for one in child.net_connections("tcp") if one.status != "LISTEN")
    )


def test_passwords_tokens_and_refusals_are_as_in_one_process(apart: OwnProcessSite) -> None:
    with apart.connect(LOGIN, PASSWORD) as by_password, apart.connect("deployer", apart.token()) as by_token:
        assert by_password.execute("SELECT current_user").fetchone() == (LOGIN,)
        assert by_token.execute("SELECT current_user").fetchone() == ("deployer",)
        wait_until(lambda: apart.apart.connections == {NAME: 2})
        assert gateway_of(by_password).pid != os.getpid()
    wait_until(lambda: not apart.apart.connections)
    assert "validating the access token" in apart.refusal("deployer", "no token")
    assert "there is no server" in apart.refusal(host="other.postgres.database.azure.com")


def test_what_it_logs_is_in_the_log_of_the_daemon(apart: OwnProcessSite, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"), apart.connect("deployer", apart.token()):
        wait_until(lambda: "connected to pg-gateway as 'deployer'" in caplog.text)


def test_a_killed_gateway_is_replaced_on_the_same_port(apart: OwnProcessSite) -> None:
    session = apart.connect()
    gateway_of(session).kill()
    with pytest.raises(psycopg.OperationalError):
        session.execute("SELECT 1")
    with apart.connect() as again:
        assert again.execute("SELECT 1").fetchone() == (1,)
    wait_until(lambda: not apart.apart.connections)


def test_it_may_be_stopped_while_it_starts_and_needs_a_certificate(tmp_path: Path) -> None:
    settings = GatewaySettings(tmp_path / "server.pem", tmp_path / "server.key", Identity("tenant", "k" * 48))
    gateway = GatewayProcess(OwnDirectory(OneServer(None), None), settings)  # type: ignore[arg-type]

    async def start_and_stop() -> None:
        gateway.start("127.0.0.1", 0)
        await asyncio.sleep(0)
        await gateway.stop()

    with pytest.raises(OSError, match="No such file"):
        asyncio.run(start_and_stop())
    make_certificates(tmp_path)
    before = set(psutil.Process().children())
    asyncio.run(start_and_stop())
    assert [child for child in set(psutil.Process().children()) - before if "gateway" in child.cmdline()] == []


def test_a_question_that_the_daemon_fails_at_ends_the_connection_in_words(apart: OwnProcessSite) -> None:
    def fail(host: str) -> None:
        raise KeyError(host)

    usual = apart.lookup.server_by_host
    apart.lookup.server_by_host = fail  # type: ignore[method-assign, assignment]
    try:
        assert "the server is not available" in apart.refusal()
    finally:
        apart.lookup.server_by_host = usual  # type: ignore[method-assign]


def test_it_ends_when_the_emulator_is_killed(tmp_path: Path) -> None:
    """A `kill -9` of the emulator leaves nothing behind."""
    script = """
        import asyncio, multiprocessing, pathlib, sys
        from emulator.identity import Identity
        from emulator.postgres.directory import OwnDirectory
        from emulator.postgres.gateway_process import GatewayProcess, GatewaySettings
        from tests.emulator.gateway_site import make_certificates

        async def main():
            folder = pathlib.Path(sys.argv[1])
            make_certificates(folder)
            settings = GatewaySettings(folder / "server.pem", folder / "server.key", Identity("t", "k" * 48))
            gateway = GatewayProcess(OwnDirectory(None, None), settings)
            gateway.start("127.0.0.1", 0)
            while not (children := multiprocessing.active_children()):
                await asyncio.sleep(0.01)
            print(children[0].pid, flush=True)
            await asyncio.sleep(600)

        if __name__ == "__main__":
            asyncio.run(main())
    """
    assert not outlives_its_parent(tmp_path, script, str(tmp_path))
