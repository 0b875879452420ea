"""The embedded backend: servers that are stopped, found again, killed, taken over and removed."""

import asyncio
import os
import signal
import socket
from pathlib import Path

import psycopg
import pytest

from emulator.postgres.backend import BackendError
from tests.emulator.embedded_servers import (
    IDENTITY,
    LOGIN,
    PASSWORD,
    Embedded,
    asked_as_superuser,
    create,
    postmaster,
    processes_of,
    query,
)


def test_many_servers_come_back_side_by_side(embedded: Embedded) -> None:
    names = [f"pg-{number}" for number in range(6)]
    first = embedded()
    for name in names:
        create(first, name)
    asyncio.run(first.stop_all())

    again = embedded()

    async def start_all() -> None:
        await asyncio.gather(*(again.start(name) for name in names))

    asyncio.run(start_all())
    assert [query(again, "SELECT 1", name) for name in names] == [1] * len(names)


def test_data_and_port_outlive_stop_and_start(embedded: Embedded) -> None:
    backend = embedded()
    create(backend)
    before = backend.address("pg-a")
    query(backend, "CREATE TABLE kept AS SELECT 42 AS answer")
    asyncio.run(backend.stop("pg-a"))
    asyncio.run(backend.stop("pg-a"))
    assert processes_of(backend) == []
    with pytest.raises(BackendError):
        asyncio.run(backend.set_parameters("pg-a", {"work_mem": "8192"}))
    asyncio.run(backend.start("pg-a"))
    asyncio.run(backend.start("pg-a"))
    assert backend.address("pg-a") == before
    assert query(backend, "SELECT answer FROM kept") == 42


def test_a_taken_port_is_replaced(embedded: Embedded) -> None:
    backend = embedded()
    create(backend)
    port = backend.address("pg-a")[1]
    asyncio.run(backend.stop("pg-a"))
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", port))
        other.listen()
        asyncio.run(backend.start("pg-a"))
        assert backend.address("pg-a")[1] != port
    assert query(backend, "SELECT 1") == 1


@pytest.mark.parametrize("busy", [False, True], ids=["idle", "with a busy session"])
def test_a_killed_postmaster_is_started_again(embedded: Embedded, busy: bool) -> None:
    backend = embedded()
    create(backend)
    query(backend, "CREATE TABLE kept AS SELECT 42 AS answer")
    process = postmaster(backend)
    folder, port = backend.address("pg-a")
    session = psycopg.connect(host=str(folder), port=port, user="azuresu", dbname="postgres")
    if busy:
        # A loop in PL/pgSQL does not notice for long that its postmaster is gone.
        session.pgconn.send_query(b"DO $$ BEGIN FOR i IN 1..2000000000 LOOP END LOOP; END $$")
    process.send_signal(signal.SIGKILL)
    process.wait(10)
    assert not backend.is_running("pg-a")
    asyncio.run(backend.start("pg-a"))
    session.close()
    assert query(backend, "SELECT answer FROM kept") == 42
    assert postmaster(backend).pid != process.pid


def test_a_stale_pid_file_that_names_another_process_is_no_obstacle(embedded: Embedded) -> None:
    backend = embedded()
    create(backend)
    data = Path(asked_as_superuser(backend, "SHOW data_directory"))
    asyncio.run(backend.stop("pg-a"))
    (data / "postmaster.pid").write_text(f"{os.getpid()}\n{data}\n0\n1\n\n\n\nready\n")
    asyncio.run(backend.start("pg-a"))
    assert query(backend, "SELECT 1") == 1


def test_servers_of_a_killed_emulator_are_taken_over(embedded: Embedded) -> None:
    first = embedded()
    create(first)
    before = postmaster(first).pid
    second = embedded()
    asyncio.run(second.start("pg-a"))
    assert postmaster(second).pid == before
    third = embedded(https_address="127.0.0.1:9")
    asyncio.run(third.start("pg-a"))
    assert postmaster(third).pid != before
    assert query(third, "SHOW emulator.https_address") == "127.0.0.1:9"
    asyncio.run(embedded().stop_all())
    assert processes_of(third) == []


def test_an_interrupted_creation_is_finished(embedded: Embedded) -> None:
    backend = embedded()
    create(backend)
    folder = Path(asked_as_superuser(backend, "SHOW data_directory")).parent
    asyncio.run(backend.stop("pg-a"))
    (folder / "server.json").unlink()
    again = embedded()
    assert not again.is_running("pg-a")
    asyncio.run(again.stop_all())
    create(again)
    assert query(again, "SELECT 1") == 1
    create(again)
    assert query(again, "SELECT 1") == 1


def test_a_creation_that_is_cancelled_leaves_nothing_behind_stop_all(embedded: Embedded) -> None:
    backend = embedded()

    async def cancel_and_stop() -> None:
        creation = asyncio.create_task(backend.create_server("pg-a", "16", (LOGIN, PASSWORD), IDENTITY))
        await asyncio.sleep(0)
        creation.cancel()
        await backend.stop_all()
        assert creation.cancelled()

    asyncio.run(cancel_and_stop())
    assert processes_of(backend) == []


def test_deleting_leaves_nothing(embedded: Embedded, tmp_path: Path) -> None:
    backend = embedded()
    create(backend)
    folder = Path(asked_as_superuser(backend, "SHOW data_directory")).parent
    asyncio.run(backend.delete("pg-a"))
    asyncio.run(backend.delete("pg-a"))
    assert not folder.exists()
    assert not (tmp_path / "home" / "logs" / "pg-a.log").exists()
    with pytest.raises(BackendError, match="no PostgreSQL server 'pg-a'"):
        asyncio.run(backend.start("pg-a"))
    with pytest.raises(BackendError, match="no PostgreSQL server 'pg-a'"):
        backend.address("pg-a")
