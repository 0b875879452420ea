# ruff: noqa: E501 - statements read better on one line
"""The engine is upgraded under workers and writers: an old session ends or goes on, and no row is lost by it."""

from __future__ import annotations

import random
import tarfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from database import migrations
from database.errors import DatabaseError
from tests.postgres.faults.drill import FaultDatabase, FaultServer, wait_until
from tests.postgres.vector_server import SUPERUSER

# The engine as it was when its newest numbered file was 0002, 0006, 0008, 0010, 0013.
OLD = sorted(Path(__file__).parent.glob("engine_*.tar.xz"))
# What any later version may do: more columns in the tables whose rows running procedures hold.
NEXT = """
SET LOCAL ROLE vectorize_owner;
ALTER TABLE vectorize.job ADD COLUMN of_the_next_version text NOT NULL DEFAULT 'x';
ALTER TABLE vectorize.deployment ADD COLUMN of_the_next_version integer;
RESET ROLE;
"""


def unpacked(archive: Path, folder: Path) -> Path:
    """Return the folder `sql` of an old version."""
    with tarfile.open(archive) as packed:
        packed.extractall(folder, filter="data")
    return folder / "sql"


@pytest.fixture(params=OLD, ids=lambda archive: archive.name.partition(".")[0])
def old(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The folder `sql` of an old version."""
    return unpacked(request.param, tmp_path / "old")


@pytest.fixture
def coming(tmp_path: Path) -> Path:
    """The folder `sql` of a version after this one, in which every function is replaced."""
    folder = tmp_path / "coming" / "sql" / "vectorize"
    folder.mkdir(parents=True)
    for file in migrations.folder("vectorize"):
        text = (migrations.ROOT / "vectorize" / file.name).read_text()
        (folder / file.name).write_text(text if file.once else f"{text}-- replaced\n")
    (folder / "9999_next.sql").write_text(NEXT)
    return folder.parent


@pytest.fixture(params=[*OLD, None], ids=lambda old: old.name.partition(".")[0] if old else "to the coming")
def versions(request: pytest.FixtureRequest, tmp_path: Path, coming: Path) -> tuple[Path, Path]:
    if request.param is None:
        return migrations.ROOT, coming
    return unpacked(request.param, tmp_path / "old"), migrations.ROOT


@contextmanager
def database(server: FaultServer, root: Path) -> Iterator[FaultDatabase]:
    made = server.database_of(root)
    made.counts_calls = True
    try:
        yield made
    finally:
        made.close()


@contextmanager
def writer(db: FaultDatabase) -> Iterator[list[int]]:
    """Change rows in a thread until the block ends, and note each statement; fail if one did."""
    stop = threading.Event()
    statements: list[int] = []

    def write() -> None:
        with db.connect() as conn:
            step = 0
            while not stop.is_set():
                step += 1
                conn.execute(
                    "UPDATE docs SET body = 'step ' || %s || ' of ' || id WHERE id %% 7 = %s", [step, step % 7]
                )
                statements.append(step)

    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(write)
        try:
            yield statements
        finally:
            stop.set()
        done.result()


def test_an_upgrade_under_a_running_worker_and_a_writer_loses_nothing(
    server: FaultServer, dice: random.Random, target: str, versions: tuple[Path, Path]
) -> None:
    gate = dice.choice(["call", "answer", "settle"])
    before, after = versions
    with database(server, before) as db:
        db.start(target, batch=dice.randint(5, 20), rows=30)
        db.fault("error", "azure_openai.create_embeddings: 400: too long", pattern="text 13")
        db.work()
        db.execute("UPDATE docs SET body = 'changed before the upgrade ' || id WHERE id > 15")
        worker = db.worker(gate)
        worker.wait_at(gate)
        with writer(db) as statements, ThreadPoolExecutor(1) as pool:
            upgrade = pool.submit(server.install, db.name, after)
            wait_until(lambda: upgrade.done() or db.value("SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'relation' AND database = "
                "(SELECT oid FROM pg_database WHERE datname = current_database())"), "the upgrade is done, or waits for the worker")  # fmt: skip
            worker.open()
            upgrade.result()
        worker.gone()
        # Its texts were read by one version; what another cannot settle goes back to the queue.
        db.define(target=target, batch_size=db.batch)
        db.mend()
        db.execute("CALL vectorize.retry('docs')")
        db.end(twice=db.batch, refused=db.calls_to_find(1), spare=len(statements))


def test_data_of_the_old_version_is_there_after_the_upgrade(
    server: FaultServer, dice: random.Random, target: str, old: Path
) -> None:
    with database(server, old) as db:
        db.start(target, batch=10, rows=40)
        db.fault("error", "azure_openai.create_embeddings: 400: too long", pattern="text 13")
        db.work()
        db.execute("UPDATE docs SET body = 'waits for a worker' WHERE id = 1")
        # Rates are of the last minute, which goes on.
        status = {name: value for name, value in db.status().items() if not name.endswith("_per_second")}
        server.install(db.name, migrations.ROOT)
        now = db.status()
        assert {name: now[name] for name in status} == status
        assert db.rows("SELECT job, key FROM vectorize.failures") == [("docs", {"id": 13})]
        begun = db.value("SELECT started_at FROM vectorize_jobs.sweep_1")
        assert db.work()["embedded"] == 1
        db.define(target=target, batch_size=10)
        assert db.work()["embedded"] == 0
        assert db.value("SELECT started_at FROM vectorize_jobs.sweep_1") == begun  # nothing about the source is new
        db.execute("CALL vectorize.retry('docs')")
        db.end(refused=db.calls_to_find(1))


def test_a_doubt_of_the_old_version_is_swept_after_the_upgrade(
    server: FaultServer, dice: random.Random, target: str, old: Path
) -> None:
    with database(server, old) as db:
        db.start(target, batch=10, rows=20)
        db.work()
        db.execute("TRUNCATE docs")  # noted, and no worker comes before the upgrade
        unseen = dice.randint(1, 20)
        with db.connect(SUPERUSER) as conn, conn.transaction():
            conn.execute("ALTER TABLE docs DISABLE TRIGGER vectorize_1")
            conn.execute("INSERT INTO docs SELECT g, 'unseen ' || g FROM generate_series(1, %s) AS g", [unseen])
            conn.execute("ALTER TABLE docs ENABLE ALWAYS TRIGGER vectorize_1")
        server.install(db.name, migrations.ROOT)
        assert db.work()["embedded"] == unseen
        db.end()


def test_an_upgrade_that_meets_a_deadlock_is_tried_again(server: FaultServer, tmp_path: Path) -> None:
    (tmp_path / "two").mkdir()
    (tmp_path / "two" / "0001_both.sql").write_text("ALTER TABLE a ADD x int; ALTER TABLE b ADD x int;")
    with database(server, migrations.ROOT) as db, db.connect() as conn, ThreadPoolExecutor(1) as pool:
        db.execute("CREATE TABLE a (); CREATE TABLE b ()")
        said: list[str] = []
        with db.holding(SUPERUSER) as user:
            user.execute("SET deadlock_timeout = '1h'")  # so that it is the upgrade that finds the deadlock
            user.execute("LOCK TABLE b IN ACCESS SHARE MODE")
            upgrade = pool.submit(migrations.apply, conn, "two", root=tmp_path, say=said.append)
            wait_until(lambda: db.waits(conn.info.backend_pid), "the upgrade has one table and waits for the other")
            user.execute("LOCK TABLE a IN ACCESS SHARE MODE")
        assert upgrade.result() == ["0001_both.sql"]
    assert ["deadlock" in line for line in said if "Trying again" in line] == [True]


def test_an_older_program_refuses_a_newer_schema(server: FaultServer, dice: random.Random, coming: Path) -> None:
    with database(server, coming) as db:
        db.start("column", batch=10, rows=dice.randint(1, 30))
        with pytest.raises(DatabaseError, match=r"9999_next\.sql .* newer version of this program"):
            server.install(db.name, migrations.ROOT)
        db.end()
