"""What goes through the gateway: queries, cancel requests, much at once, and what is no client; how connections end."""

import os
import socket
import struct
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path

import psutil
import psycopg
import pytest

from tests.emulator.gateway_site import LOGIN, NAME, PASSWORD, Site, wait_until


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


def test_stopping_ends_sessions_and_frees_the_port(tmp_path: Path) -> None:
    site = Site(tmp_path)
    try:
        session = site.connect()
        site.loop.run(site.gateway.stop())
        with pytest.raises(psycopg.OperationalError):
            session.execute("SELECT 1")
        with pytest.raises(OSError, match="refused"):
            socket.create_connection(("127.0.0.1", site.port), 5)
        site.serve(site.port)
        site.connect().close()
    finally:
        site.close()
