"""PostgreSQL 17 of Debian: what it carries that the wheel does not, and how it is made."""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest

from components.catalogue.extensions import KNOWN
from emulator.certificates import Certificates
from emulator.postgres import debian_root
from emulator.postgres.account import Account
from emulator.postgres.backend import BackendError, Services
from emulator.postgres.embedded import EmbeddedBackend
from emulator.postgres.installation import Installations
from tests.emulator.gateway_site import wait_until
from tools.carried import CARRIED

NAME, LOGIN, PASSWORD = "pg-a", "padmin", "Corr3ct-horse!"
PRELOADED = "age,pg_cron,pg_stat_statements"
ALLOWED = "age,citext,hstore,pg_cron,pg_stat_statements,pg_trgm,pgcrypto,sslinfo,uuid-ossp,vector"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("a home")
    (home / "tls").mkdir()
    Certificates(home / "tls").ensure()
    return home


@pytest.fixture(scope="module")
def backend(debian: type[Installations], home: Path) -> Iterator[EmbeddedBackend]:
    """A server that asked for 16, with a database `contracts` and age preloaded."""
    certificates = Certificates(home / "tls")
    services = Services("127.0.0.1:1", "127.0.0.1:2", certificates.ca, certificates.server, certificates.server_key)
    backend = EmbeddedBackend(home, services, debian)
    wanted = {"azure.extensions": ALLOWED, "shared_preload_libraries": PRELOADED, "cron.database_name": "contracts"}
    try:
        asyncio.run(backend.create_server(NAME, "16", (LOGIN, PASSWORD), "identity"))
        asyncio.run(backend.create_database(NAME, "contracts", "UTF8", "en_US.utf8"))
        asyncio.run(backend.set_parameters(NAME, wanted))
        asyncio.run(backend.restart(NAME))
        query(backend, "CREATE EXTENSION age")  # first, see apache/age #2180
        yield backend
    finally:
        asyncio.run(backend.remove_all())


def connect(
    backend: EmbeddedBackend, database: str = "contracts", user: str = LOGIN, **options: Any
) -> psycopg.Connection[Any]:
    """Connect over TCP with a password, as a client of the service does."""
    return psycopg.connect(
        host="127.0.0.1", port=backend.address(NAME)[1], user=user, password=PASSWORD, dbname=database,
        autocommit=True, **options,
    )  # fmt: skip


def query(backend: EmbeddedBackend, statement: str, **where: Any) -> Any:
    """Return the first column of a statement's first row."""
    with connect(backend, **where) as connection:
        cursor = connection.execute(statement.encode())
        row = cursor.fetchone() if cursor.description else None
        return row[0] if row else None


def test_a_server_that_asks_for_16_runs_17_and_says_so(backend: EmbeddedBackend) -> None:
    assert backend.version(NAME).startswith("17.")
    assert query(backend, "SHOW server_version").startswith(backend.version(NAME))
    for part in (f"PostgreSQL {backend.version(NAME)}", "age 1.5.0", "pg_cron 1.6", "vector 0.8."):
        assert part in backend.summary
    assert backend.available_extensions & KNOWN == CARRIED["debian"]


def test_data_parameters_and_preloaded_libraries_outlive_restart_and_crash(backend: EmbeddedBackend) -> None:
    query(backend, "CREATE TABLE public.kept AS SELECT 42 AS answer")
    asyncio.run(backend.set_parameters(NAME, {"work_mem": "8192", "max_connections": "77"}))
    assert query(backend, "SHOW work_mem") == "8MB"
    asyncio.run(backend.restart(NAME))
    assert query(backend, "SHOW max_connections") == "77"
    with connect(backend) as connection:
        pid = connection.info.backend_pid
        postmaster = psutil.Process(pid).parent()
        assert postmaster is not None
        postmaster.kill()
        postmaster.wait(10)
    assert not backend.is_running(NAME)
    asyncio.run(backend.start(NAME))
    assert query(backend, "SELECT answer FROM public.kept") == 42
    assert query(backend, "SHOW shared_preload_libraries") == PRELOADED.replace(",", ", ")


def test_a_second_emulator_takes_the_server_over(backend: EmbeddedBackend, home: Path) -> None:
    before = query(backend, "SELECT pg_postmaster_start_time()")
    again = EmbeddedBackend(home, backend._services, backend._source)
    asyncio.run(again.start(NAME))
    assert query(backend, "SELECT pg_postmaster_start_time()") == before


def test_libraries_that_it_does_not_carry_are_inert(backend: EmbeddedBackend) -> None:
    more = f"{PRELOADED},pgaudit,timescaledb"
    asyncio.run(backend.set_parameters(NAME, {"shared_preload_libraries": more}))
    asyncio.run(backend.restart(NAME))
    assert query(backend, "SHOW shared_preload_libraries") == more.replace(",", ", ")
    asyncio.run(backend.set_parameters(NAME, {"shared_preload_libraries": PRELOADED}))
    asyncio.run(backend.restart(NAME))


def cypher(match: str, *columns: str) -> bytes:
    """Return a statement that asks the graph `trade`."""
    row = ", ".join(f"{column} ag_catalog.agtype" for column in columns)
    return f"SELECT * FROM ag_catalog.cypher('trade', $$ {match} $$) AS ({row})".encode()


def test_age_answers_an_unprivileged_role_in_a_fresh_session_without_load(backend: EmbeddedBackend) -> None:
    query(backend, f"CREATE ROLE reader LOGIN PASSWORD '{PASSWORD}'")
    query(backend, "SELECT ag_catalog.create_graph('trade')")
    with connect(backend) as connection:
        connection.execute(cypher("CREATE (:Vendor {name: 'Acme'})-[:SIGNED]->(:Contract {id: 7})", "nothing"))
    for statement in (
        "GRANT USAGE ON SCHEMA ag_catalog, trade TO reader",
        "GRANT SELECT ON ALL TABLES IN SCHEMA trade TO reader",
        "GRANT SELECT ON ag_catalog.ag_graph TO reader",
    ):
        query(backend, statement)
    with connect(backend, user="reader") as connection:
        assert connection.execute(cypher("MATCH (v:Vendor) RETURN v.name", "name")).fetchall() == [('"Acme"',)]
        assert connection.execute("SELECT name FROM ag_catalog.ag_graph").fetchall() == [("trade",)]
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(cypher("CREATE (v:Vendor) RETURN v", "made"))
    # age 1.5.0 looks up the operators that join an edge to its ends on the search path.
    with connect(backend, user="reader", options="-c search_path=public,ag_catalog") as connection:
        pattern = cypher("MATCH (v:Vendor)-[:SIGNED]->(c:Contract) RETURN v.name, c.id", "vendor", "contract")
        assert connection.execute(pattern).fetchall() == [('"Acme"', "7")]
    query(backend, "SELECT ag_catalog.drop_graph('trade', true)")


def test_pg_cron_runs_a_job_as_whoever_scheduled_it(backend: EmbeddedBackend) -> None:
    query(backend, "CREATE EXTENSION pg_cron")
    query(backend, "CREATE TABLE public.ticks (at timestamptz DEFAULT now(), who text DEFAULT current_user)")
    query(
        backend,
        "SELECT cron.schedule_in_database('tick', '1 seconds', 'INSERT INTO ticks DEFAULT VALUES', 'contracts')",
    )
    wait_until(lambda: query(backend, "SELECT count(*) FROM ticks") > 0)
    assert query(backend, "SELECT DISTINCT who FROM ticks") == LOGIN
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        query(backend, "UPDATE cron.job SET username = 'azuresu'")
    asyncio.run(backend.restart(NAME))
    before = query(backend, "SELECT count(*) FROM ticks")
    wait_until(lambda: query(backend, "SELECT count(*) FROM ticks") > before)
    wait_until(lambda: query(backend, "SELECT count(*) FROM cron.job_run_details WHERE status = 'succeeded'") > 0)
    assert query(backend, "SELECT cron.unschedule(jobid) FROM cron.job") is True


def test_contrib_is_there(backend: EmbeddedBackend) -> None:
    for name in ("citext", "hstore", "pg_stat_statements", "pg_trgm", "pgcrypto", "uuid-ossp"):
        query(backend, f'CREATE EXTENSION "{name}"')
    assert query(backend, "SELECT 'A'::citext = 'a'") is True
    assert query(backend, "SELECT similarity('contract', 'contracts')") > 0.5
    assert len(query(backend, "SELECT gen_random_bytes(8)")) == 8
    assert query(backend, "SELECT count(*) FROM pg_stat_statements") > 0


def test_text_is_sorted_as_on_the_service(backend: EmbeddedBackend) -> None:
    sort = "SELECT string_agg(word, ' ' ORDER BY word) FROM unnest(ARRAY['b', 'A', 'a', 'B']) AS word"
    assert query(backend, sort) == "a A b B"
    assert query(backend, "SELECT 'straße' LIKE 'STRASSE' COLLATE \"und-x-icu\"") is False


def test_parallel_workers_load_the_same_libraries(backend: EmbeddedBackend) -> None:
    query(backend, "CREATE TABLE public.many AS SELECT g AS id FROM generate_series(1, 100000) AS g")
    with connect(backend) as connection:
        for name in ("parallel_setup_cost", "parallel_tuple_cost", "min_parallel_table_scan_size"):
            connection.execute(f"SET {name} = 0".encode())
        explained = "EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) SELECT count(*) FROM many WHERE md5(id::text) LIKE 'a%'"
        plan = "\n".join(row[0] for row in connection.execute(explained))
    assert "Workers Launched: 2" in plan, plan


def test_it_speaks_tls_itself(backend: EmbeddedBackend, home: Path) -> None:
    ca = str(home / "tls" / "ca.pem")
    with connect(backend, sslmode="verify-ca", sslrootcert=ca) as connection:
        assert connection.execute("SHOW ssl").fetchone() == ("on",)
        own = "SELECT ssl, version FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
        assert connection.execute(own).fetchone() == (True, "TLSv1.3")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(Account, "cache_folder", lambda self, what="templates": tmp_path / what)
    return tmp_path / "debian"


def test_what_a_killed_making_left_is_taken_away_and_a_failed_one_leaves_nothing(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (cache / ".making-dead" / "whole").mkdir(parents=True)

    def fail(scratch: Path, say: Any) -> list[Path]:
        (scratch / "download").mkdir()
        raise BackendError("the network is down")

    monkeypatch.setattr(debian_root, "_download", fail)
    with pytest.raises(BackendError, match="the network is down"):
        debian_root.root(Account.choose(), print)
    assert [path.name for path in cache.iterdir()] == ["making.lock"]


def test_two_at_once_make_it_once(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made, said = [], []

    def make(folder: Path, target: Path, say: Any) -> None:
        made.append(target)
        wait_until(lambda: bool(said))  # until the other one stands before the lock
        target.mkdir()

    monkeypatch.setattr(debian_root, "_make", make)
    threads = [threading.Thread(target=debian_root.root, args=(Account.choose(), said.append)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(made) == 1
    assert said == ["Another process is making PostgreSQL from Debian packages; waiting for it to finish."]


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [("system", "Darwin", "runs on Linux alone, and this is Darwin"), ("which", None, "dpkg-deb, wget, gpgv")],
)
def test_a_machine_that_it_is_not_for_is_refused_with_a_sentence(
    cache: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str | None, told: str
) -> None:
    module = debian_root.platform if name == "system" else debian_root.shutil
    monkeypatch.setattr(module, name, lambda *_, **__: value)
    with pytest.raises(debian_root.NotOnThisMachine, match=told):
        debian_root.root(Account.choose(), print)
    assert not cache.exists()
