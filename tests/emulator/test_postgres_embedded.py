"""The embedded backend: servers that are created, found again, killed, moved and removed."""

import asyncio
import json
import os
import pwd
import signal
import socket
import stat
import tempfile
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest

from emulator.postgres.account import Account
from emulator.postgres.backend import BackendError, Services
from emulator.postgres.embedded import EmbeddedBackend
from tools.carried import CARRIED

LOGIN, PASSWORD = "padmin", "Corr3ct-horse!"
IDENTITY = "header-of-the-server"


def services(home: Path, https_address: str = "127.0.0.1:1") -> Services:
    return Services(https_address, "127.0.0.1:2", home / "tls" / "ca.pem")


def create(backend: EmbeddedBackend, name: str = "pg-a", version: str = "16") -> None:
    asyncio.run(backend.create_server(name, version, (LOGIN, PASSWORD), IDENTITY))


def query(backend: EmbeddedBackend, statement: str, name: str = "pg-a", database: str = "postgres") -> Any:
    """Run a statement as the native administrator over TCP and return the first column of the first row."""
    with psycopg.connect(
        host="127.0.0.1",
        port=backend.address(name)[1],
        user=LOGIN,
        password=PASSWORD,
        dbname=database,
        autocommit=True,
    ) as connection:
        cursor = connection.execute(statement)
        row = cursor.fetchone() if cursor.description else None
        return row[0] if row else None


def postmaster(backend: EmbeddedBackend, name: str = "pg-a") -> psutil.Process:
    data = Path(asked_as_superuser(backend, "SHOW data_directory", name))
    return psutil.Process(int((data / "postmaster.pid").read_text().split()[0]))


def asked_as_superuser(backend: EmbeddedBackend, statement: str, name: str = "pg-a") -> Any:
    folder, port = backend.address(name)
    with psycopg.connect(host=str(folder), port=port, user="azuresu", dbname="postgres") as connection:
        row = connection.execute(statement).fetchone()
        return row[0] if row else None


def processes_of(backend: EmbeddedBackend) -> list[int]:
    """Return the processes whose program is one of the backend's own."""
    found = []
    for process in psutil.process_iter():
        try:
            if str(backend._base.resolve()) in process.exe() and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
        except psutil.Error:
            continue
    return found


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., EmbeddedBackend]]:
    """Make backends, and remove all that they made at the end."""
    made: list[EmbeddedBackend] = []

    def make(home: Path = tmp_path / "home", **changes: Any) -> EmbeddedBackend:
        backend = EmbeddedBackend(home, services(home, **changes))
        made.append(backend)
        return backend

    yield make
    for backend in made:
        asyncio.run(backend.remove_all())
        assert processes_of(backend) == []


def test_a_server_has_the_roles_and_databases_of_the_service(make: Callable[..., EmbeddedBackend]) -> None:
    backend = make()
    create(backend)
    assert backend.version("pg-a").startswith("16.")
    assert query(backend, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user") is False
    assert query(backend, "SELECT rolcreatedb AND rolcreaterole FROM pg_roles WHERE rolname = current_user") is True
    assert query(backend, "SELECT rolcanlogin FROM pg_roles WHERE rolname = 'azure_pg_admin'") is False
    assert query(backend, "SELECT pg_has_role('azure_ai_settings_manager', 'USAGE')") is True
    assert query(backend, "SELECT string_agg(datname, ' ' ORDER BY datname) FROM pg_database WHERE datallowconn") == (
        "azure_maintenance azure_sys postgres template1"
    )
    assert query(
        backend, "SELECT rolname FROM pg_database JOIN pg_roles r ON r.oid = datdba WHERE datname = 'postgres'"
    ) == ("azure_pg_admin")


def test_an_administrator_makes_schemas_and_roles(make: Callable[..., EmbeddedBackend]) -> None:
    backend = make()
    create(backend)
    asyncio.run(backend.create_database("pg-a", "contracts", "UTF8", "en_US.utf8"))
    asyncio.run(backend.create_database("pg-a", "contracts", "UTF8", "en_US.utf8"))
    for statement in (
        "CREATE TABLE public.plain (id int)",
        "CREATE SCHEMA engine",
        "CREATE ROLE app LOGIN",
        f"GRANT app TO {LOGIN} WITH SET TRUE, INHERIT TRUE",
        "CREATE ROLE other",
        "GRANT app TO other WITH ADMIN OPTION",
        "SET ROLE app",
        "CREATE ROLE second_administrator LOGIN; GRANT azure_pg_admin TO second_administrator",
    ):
        query(backend, statement, database="contracts")


def test_the_password_is_checked_and_changed(make: Callable[..., EmbeddedBackend]) -> None:
    backend = make()
    create(backend)
    for user in (LOGIN, "azuresu"):
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(
                host="127.0.0.1", port=backend.address("pg-a")[1], user=user, password="wrong", dbname="postgres"
            )
    asyncio.run(backend.set_password("pg-a", LOGIN, "An0ther-one?"))
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        query(backend, "SELECT 1")
    asyncio.run(backend.set_password("pg-a", LOGIN, PASSWORD))
    assert query(backend, "SELECT 1") == 1


def test_no_secret_is_in_logs_or_on_a_command_line(make: Callable[..., EmbeddedBackend], tmp_path: Path) -> None:
    backend = make()
    create(backend)
    with pytest.raises(psycopg.Error):
        query(backend, f"ALTER ROLE nobody_there PASSWORD '{PASSWORD}'")
    with pytest.raises(psycopg.Error):
        query(backend, f"SELECT '{PASSWORD}'::int")
    log = (tmp_path / "home" / "logs" / "pg-a.log").read_text()
    arguments = " ".join(postmaster(backend).cmdline())
    for secret in (PASSWORD, IDENTITY):
        assert secret not in log
        assert secret not in arguments


def test_the_identity_and_the_socket_are_private(make: Callable[..., EmbeddedBackend]) -> None:
    backend = make()
    create(backend)
    folder, _ = backend.address("pg-a")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    data = Path(asked_as_superuser(backend, "SHOW data_directory"))
    assert stat.S_IMODE((data / "emulator_identity").stat().st_mode) == 0o600
    assert asked_as_superuser(backend, "SELECT pg_read_file('emulator_identity')") == IDENTITY
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        query(backend, "SELECT pg_read_file('emulator_identity')")
    assert query(backend, "SHOW emulator.https_address") == "127.0.0.1:1"


def test_many_servers_come_back_side_by_side(make: Callable[..., EmbeddedBackend]) -> None:
    names = [f"pg-{number}" for number in range(6)]
    first = make()
    for name in names:
        create(first, name)
    asyncio.run(first.stop_all())

    again = make()

    async def start_all() -> None:
        await asyncio.gather(*(again.start(name) for name in names))

    asyncio.run(start_all())
    assert [query(again, "SELECT 1", name) for name in names] == [1] * len(names)


def test_a_version_that_the_wheel_lacks_runs_on_the_nearest(make: Callable[..., EmbeddedBackend]) -> None:
    backend = make()
    for name, version, runs in (("pg-a", "17", "16."), ("pg-b", "18", "18."), ("pg-c", "11", "16.")):
        create(backend, name, version)
        assert backend.version(name).startswith(runs)
        assert str(query(backend, "SHOW server_version", name)) == backend.version(name)
    assert len({backend.address(name) for name in ("pg-a", "pg-b", "pg-c")}) == 3
    assert backend.available_extensions == CARRIED["embedded"]


def test_age_is_a_stand_in_that_says_so(make: Callable[..., EmbeddedBackend]) -> None:
    backend = make()
    create(backend)
    asyncio.run(backend.set_parameters("pg-a", {"azure.extensions": "age"}))
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match="shared_preload_libraries"):
        query(backend, "CREATE EXTENSION age")
    asyncio.run(backend.set_parameters("pg-a", {"shared_preload_libraries": "age,pg_cron,pg_stat_statements"}))
    asyncio.run(backend.restart("pg-a"))
    query(backend, "CREATE EXTENSION age")
    for call in ("SELECT ag_catalog.create_graph('g')", "SELECT * FROM ag_catalog.cypher('g', 'x') AS (a text)"):
        with pytest.raises(psycopg.errors.FeatureNotSupported, match="holds no graph"):
            query(backend, call)
    query(backend, "DROP EXTENSION age")


def test_data_and_port_outlive_stop_and_start(make: Callable[..., EmbeddedBackend]) -> None:
    backend = make()
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


def test_a_taken_port_is_replaced(make: Callable[..., EmbeddedBackend]) -> None:
    backend = make()
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
def test_a_killed_postmaster_is_started_again(make: Callable[..., EmbeddedBackend], busy: bool) -> None:
    backend = make()
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


def test_a_stale_pid_file_that_names_another_process_is_no_obstacle(make: Callable[..., EmbeddedBackend]) -> None:
    backend = make()
    create(backend)
    data = Path(asked_as_superuser(backend, "SHOW data_directory"))
    asyncio.run(backend.stop("pg-a"))
    (data / "postmaster.pid").write_text(f"{os.getpid()}\n{data}\n0\n1\n\n\n\nready\n")
    asyncio.run(backend.start("pg-a"))
    assert query(backend, "SELECT 1") == 1


def test_servers_of_a_killed_emulator_are_taken_over(make: Callable[..., EmbeddedBackend]) -> None:
    first = make()
    create(first)
    before = postmaster(first).pid
    second = make()
    asyncio.run(second.start("pg-a"))
    assert postmaster(second).pid == before
    third = make(https_address="127.0.0.1:9")
    asyncio.run(third.start("pg-a"))
    assert postmaster(third).pid != before
    assert query(third, "SHOW emulator.https_address") == "127.0.0.1:9"
    asyncio.run(make().stop_all())
    assert processes_of(third) == []


def test_an_interrupted_creation_is_finished(make: Callable[..., EmbeddedBackend]) -> None:
    backend = make()
    create(backend)
    folder = Path(asked_as_superuser(backend, "SHOW data_directory")).parent
    asyncio.run(backend.stop("pg-a"))
    (folder / "server.json").unlink()
    again = make()
    assert not again.is_running("pg-a")
    asyncio.run(again.stop_all())
    create(again)
    assert query(again, "SELECT 1") == 1
    create(again)
    assert query(again, "SELECT 1") == 1


def test_a_creation_that_is_cancelled_leaves_nothing_behind_stop_all(make: Callable[..., EmbeddedBackend]) -> None:
    backend = make()

    async def cancel_and_stop() -> None:
        creation = asyncio.create_task(backend.create_server("pg-a", "16", (LOGIN, PASSWORD), IDENTITY))
        await asyncio.sleep(0)
        creation.cancel()
        await backend.stop_all()
        assert creation.cancelled()

    asyncio.run(cancel_and_stop())
    assert processes_of(backend) == []


def test_a_cache_that_cannot_be_written_is_done_without(
    make: Callable[..., EmbeddedBackend], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "file"
    file.touch()
    monkeypatch.setattr(Account, "cache_folder", lambda self: file / "cache")
    backend = make()
    create(backend)
    assert query(backend, "SELECT 1") == 1
    asyncio.run(backend.stop_all())


@pytest.mark.parametrize("name", ["with a space", "a" * 120, "a, comma"], ids=["space", "long", "comma"])
def test_odd_homes(make: Callable[..., EmbeddedBackend], tmp_path: Path, name: str) -> None:
    backend = make(tmp_path / name)
    create(backend)
    assert query(backend, "SELECT 1") == 1
    assert asked_as_superuser(backend, "SELECT 1") == 1
    folder, port = backend.address("pg-a")
    assert len(os.fsencode(folder / f".s.PGSQL.{port}")) <= 103
    asyncio.run(backend.restart("pg-a"))
    assert asked_as_superuser(backend, "SELECT 1") == 1
    last, _ = backend.address("pg-a")
    asyncio.run(backend.delete("pg-a"))
    assert not last.exists()
    assert not folder.exists()


def test_deleting_leaves_nothing(make: Callable[..., EmbeddedBackend], tmp_path: Path) -> None:
    backend = make()
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


@pytest.mark.parametrize("name", ["../pg", "", "a/b", "a b"])
def test_names_that_leave_the_folder_are_refused(make: Callable[..., EmbeddedBackend], name: str) -> None:
    with pytest.raises(BackendError, match="not a server name"):
        create(make(), name)


def test_a_foreign_account_runs_it_for_root(make: Callable[..., EmbeddedBackend]) -> None:
    backend = make()
    create(backend)
    expected = pwd.getpwnam("nobody").pw_uid if os.geteuid() == 0 else os.geteuid()
    assert postmaster(backend).uids().real == expected


@pytest.mark.skipif(
    os.geteuid() != 0, reason="only root can become another user; an ordinary user's run is the other tests"
)
def test_an_ordinary_user_runs_it() -> None:
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home of nobody"
        home.mkdir()
        nobody = pwd.getpwnam("nobody")
        for path in (Path(folder), home):
            os.chown(path, nobody.pw_uid, nobody.pw_gid)
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            _as_user(nobody, home, writing)
        os.close(writing)
        with os.fdopen(reading) as stream:
            answer = json.loads(stream.read() or "{}")
        os.waitpid(child, 0)
        assert answer == {"uid": nobody.pw_uid, "inside": True, "left": []}


def _as_user(user: pwd.struct_passwd, home: Path, answer: int) -> None:
    """In a forked process: become the user, run a server in its home, tell what happened, end."""
    try:
        os.setgroups([])
        os.setgid(user.pw_gid)
        os.setuid(user.pw_uid)
        os.environ.update(HOME=str(home), XDG_CACHE_HOME=str(home / "cache"))
        os.chdir(home)
        backend = EmbeddedBackend(home, services(home))
        create(backend)
        report: dict[str, Any] = {
            "uid": postmaster(backend).uids().real,
            "inside": str(asked_as_superuser(backend, "SHOW data_directory")).startswith(str(home.resolve())),
        }
        asyncio.run(backend.remove_all())
        report["left"] = processes_of(backend)
        os.write(answer, json.dumps(report).encode())
    except BaseException:  # noqa: BLE001 - the parent shows it
        os.write(answer, json.dumps({"error": traceback.format_exc()}).encode())
    finally:
        os._exit(0)
