"""`python -m database.worker` as a process of its own: it embeds, stops cleanly, survives, and says why it ends."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.postgres.vector_server import ADMINISTRATOR, SUPERUSER, VectorDatabase, VectorServer

ROOT = Path(__file__).resolve().parents[2]
SECRET = "swordfish"
LIMIT_SECONDS = 120


def until(condition: Callable[[], object], what: str) -> None:
    """Wait for a condition; the limit is for a machine that does much else at the same time."""
    end = time.monotonic() + LIMIT_SECONDS
    while not condition():
        assert time.monotonic() < end, f"not within {LIMIT_SECONDS} s: {what}"
        time.sleep(0.02)


class Worker:
    """One process, with what it printed."""

    def __init__(
        self, server: VectorServer, database: str, folder: Path, *arguments: str, user: str = ADMINISTRATOR
    ) -> None:
        socket, port = server._backend.address("tests")
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
        environment |= {"PGHOST": str(socket), "PGPORT": str(port), "PGUSER": user, "PGPASSWORD": SECRET}
        self._printed = folder / f"worker-{len(list(folder.iterdir()))}"
        with self._printed.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "database.worker", "--json", "--health-seconds", "0.5", *arguments],
                cwd=ROOT,
                env={**environment, "PGDATABASE": database},
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    @property
    def printed(self) -> str:
        return self._printed.read_text()

    def events(self, kind: str) -> list[dict[str, Any]]:
        lines = self.printed.splitlines(keepends=True)
        found = [json.loads(line) for line in lines if line.endswith("\n")]
        return [event for event in found if event["event"] == kind]

    def wait(self) -> int:
        code = self.process.wait(LIMIT_SECONDS)
        assert SECRET not in self.printed
        assert "Traceback" not in self.printed
        return code

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.wait()

    def reason(self) -> str:
        [end] = self.events("end")
        assert end["exit"] == self.process.returncode
        return str(end["message"])


Start = Callable[..., Worker]


@pytest.fixture
def start(db: VectorDatabase, tmp_path: Path) -> Iterator[Start]:
    """Start a worker on the test's database; none is left behind."""
    started: list[Worker] = []

    def run(*arguments: str, database: str = db.name, user: str = ADMINISTRATOR) -> Worker:
        started.append(Worker(db.server, database, tmp_path, *arguments, user=user))
        return started[-1]

    yield run
    for worker in started:
        worker.process.kill()
        worker.process.wait()


def leases(db: VectorDatabase) -> int:
    return int(db.value("SELECT count(*) FROM vectorize.lease"))


def sessions(db: VectorDatabase) -> int:
    return int(
        db.value(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'postgres-genai worker' AND datname = %s",
            [db.name],
        )
    )


def embedded(db: VectorDatabase) -> bool:
    return not db.wrong() and int(db.status()["pending"]) == 0


def test_rows_that_appear_are_embedded_and_a_signal_ends_it(db: VectorDatabase, start: Start) -> None:
    db.make_docs(50)
    worker = start("--connections", "2")
    until(lambda: embedded(db), "the backfill")
    db.execute("INSERT INTO docs VALUES (1000, 'new')")
    db.execute("UPDATE docs SET body = 'changed' WHERE id = 7")
    until(lambda: embedded(db), "the changes")
    until(lambda: any(event["embedded"] == 51 for event in worker.events("health")), "a line that says so")
    health = worker.events("health")[-1]
    assert health["connections"] == 2
    assert (health["pending"], health["leased"], health["quarantined"], health["stopped"]) == (0, 0, 0, {})
    assert worker.stop() == 0
    assert worker.reason() == "stopped by SIGTERM"
    assert leases(db) == 0
    until(lambda: sessions(db) == 0, "the end of its sessions")
    assert set(db.paid().values()) == {1}


def test_a_batch_in_work_is_finished_before_the_end(db: VectorDatabase, start: Start) -> None:
    db.make_docs(2000)
    db.mend(latency=0.5)
    worker = start("--connections", "3")
    until(lambda: leases(db) == 3, "three batches in work")
    assert worker.stop(signal.SIGINT) == 0
    assert leases(db) == 0
    db.mend()
    db.work()
    assert db.wrong() == []
    assert set(db.paid().values()) == {1}


def test_a_service_that_hangs_keeps_no_worker_from_ending(db: VectorDatabase, start: Start) -> None:
    db.make_docs(300)
    db.mend(latency=600)
    worker = start("--connections", "2")
    until(lambda: leases(db) == 2, "two batches in work")
    assert worker.stop() == 0
    assert leases(db) == 0
    job = db.value("SELECT max(id) FROM vectorize.job")
    assert db.value(f"SELECT count(*) FROM vectorize_jobs.item_{job} WHERE lease IS NOT NULL") == 0
    db.mend()
    db.work()
    assert db.wrong() == []


def test_two_processes_share_the_rows_and_pay_for_none_twice(db: VectorDatabase, start: Start) -> None:
    db.make_docs(2000, batch_size=20)
    db.mend(latency=2)
    both = [start("--connections", "2", "--until-done") for _ in range(2)]
    until(lambda: leases(db) == 4, "two batches in work in each")
    db.mend()
    assert [worker.wait() for worker in both] == [0, 0]
    assert db.wrong() == []
    assert set(db.paid().values()) == {1}


def test_what_a_killed_worker_held_is_taken_over(db: VectorDatabase, start: Start) -> None:
    db.make_docs(300)
    db.mend(latency=600)
    first = start("--connections", "3")
    until(lambda: leases(db) == 3, "three batches in work")
    db.mend()
    first.process.kill()
    second = start("--connections", "1")
    until(lambda: embedded(db), "all rows")
    assert second.stop() == 0
    assert leases(db) == 0
    assert max(db.paid().values()) <= 2


def test_it_goes_on_after_the_database_was_restarted(tmp_path: Path) -> None:
    server = VectorServer("16")
    try:
        db = server.new_database()
        db.make_docs(20)
        worker = Worker(server, db.name, tmp_path, "--connections", "2")
        until(lambda: embedded(db), "the backfill")
        db.conn.close()
        asyncio.run(server._backend.restart("tests"))
        db.conn = db.connect()
        db.execute("INSERT INTO docs SELECT g, 'later ' || g FROM generate_series(100, 150) AS g")
        until(lambda: embedded(db), "the rows after the restart")
        until(lambda: worker.events("recovered"), "a line that says so")
        assert worker.process.poll() is None
        assert worker.stop() == 0
        db.close()
    finally:
        server.stop()


def test_a_job_that_is_declared_later_is_worked_on(db: VectorDatabase, start: Start) -> None:
    worker = start("--connections", "1")
    until(lambda: worker.events("health"), "the first line")
    db.make_docs(10)
    until(lambda: embedded(db), "the new job")
    db.execute("CALL vectorize.pause('docs')")
    db.execute("UPDATE docs SET body = 'other ' || id")
    db.execute("CALL vectorize.resume('docs')")
    until(lambda: embedded(db), "the resumed job")
    assert worker.stop() == 0


def test_until_done_it_embeds_builds_the_index_and_ends(db: VectorDatabase, start: Start) -> None:
    db.make_docs(300, index="hnsw")
    worker = start("--until-done", "--job", "docs")
    assert worker.wait() == 0
    assert worker.reason() == "nothing is left to do"
    assert db.wrong() == []
    assert db.status()["index_state"] == "ready"
    assert any("CREATE INDEX CONCURRENTLY" in event["message"] for event in worker.events("maintenance"))
    assert start("--until-done").wait() == 0


def test_until_done_it_waits_for_the_switch_to_a_new_generation(db: VectorDatabase, start: Start) -> None:
    db.make_docs(120, index="hnsw")
    assert start("--until-done").wait() == 0
    db.define(index="hnsw", dimensions=4)
    assert db.status()["next_generation"] == 2
    assert start("--until-done").wait() == 0
    status = db.status()
    assert (status["generation"], status["next_generation"], status["index_state"]) == (2, None, "ready")


def test_until_done_a_stopped_job_is_told_by_the_exit_status(db: VectorDatabase, start: Start) -> None:
    db.make_docs(20)
    db.execute("CREATE TABLE notes (id bigint PRIMARY KEY, body text)")
    db.execute("INSERT INTO notes VALUES (1, 'a note')")
    db.define(table="public.notes", name="notes")
    db.execute("UPDATE vectorize.deployment SET first_success_at = now()")
    db.fault("error", "azure_openai.create_embeddings: 401: Access denied.", pattern="a note")
    worker = start("--until-done")
    assert worker.wait() == 4
    assert "job notes is stopped: azure_openai.create_embeddings: 401" in worker.reason()
    assert any("job notes stopped: " in event["message"] for event in worker.events("trouble"))
    assert db.wrong() == []


def refuse_indexes(db: VectorDatabase, of: str) -> None:
    """Let the server refuse to create an index by a statement that is LIKE `of`."""
    with db.connect(SUPERUSER) as conn:
        conn.execute(
            "CREATE FUNCTION refuse() RETURNS event_trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN IF current_query() LIKE '{of}' THEN RAISE 'no index today'; END IF; END $$".encode()
        )
        conn.execute(
            "CREATE EVENT TRIGGER refuse ON ddl_command_start WHEN TAG IN ('CREATE INDEX') EXECUTE FUNCTION refuse()"
        )


def test_an_index_that_cannot_be_built_is_told_by_the_exit_status(db: VectorDatabase, start: Start) -> None:
    db.make_docs(20, index="hnsw")
    refuse_indexes(db, of="%")
    worker = start("--until-done")
    assert worker.wait() == 4
    assert "no index today" in worker.reason()
    assert db.wrong() == []


def make_notes(db: VectorDatabase) -> None:
    """A second job, which wants an index too, and whose statements are due after those of the first."""
    db.execute("CREATE TABLE notes (id bigint PRIMARY KEY, body text)")
    db.execute("INSERT INTO notes SELECT g, 'note ' || g FROM generate_series(1, 20) AS g")
    db.define(table="public.notes", name="notes", index="hnsw")


def test_an_index_that_cannot_be_built_is_in_no_other_jobs_way(db: VectorDatabase, start: Start) -> None:
    db.make_docs(20, index="hnsw")
    make_notes(db)
    refuse_indexes(db, of="%docs%")
    worker = start("--until-done")
    assert worker.wait() == 4
    assert (db.status("docs")["index_state"], db.status("notes")["index_state"]) == ("due", "ready")
    assert "job docs: no index today" in worker.reason()


@pytest.fixture
def embedder(db: VectorDatabase) -> Iterator[str]:
    """A user who may do with the engine what its owner may, and owns no table."""
    with db.connect(SUPERUSER) as conn:
        conn.execute("CREATE ROLE embedder LOGIN IN ROLE vectorize_owner")
        conn.execute("GRANT USAGE ON SCHEMA migrations TO embedder")
        conn.execute("GRANT SELECT ON migrations.applied TO embedder")
    yield "embedder"
    with db.connect(SUPERUSER) as conn:
        conn.execute("DROP OWNED BY embedder CASCADE; DROP ROLE embedder")


def test_who_may_not_build_one_index_builds_those_of_its_own_tables(
    db: VectorDatabase, start: Start, embedder: str
) -> None:
    db.make_docs(20, index="hnsw")
    with db.connect(SUPERUSER) as conn:
        conn.execute("GRANT embedder TO deployer WITH INHERIT TRUE, SET TRUE")
        conn.execute("GRANT CREATE ON SCHEMA public TO embedder")
    make_notes(db)
    db.execute("ALTER TABLE notes OWNER TO embedder")
    db.define(table="public.notes", name="notes", index="hnsw")
    worker = start("--until-done", user=embedder)
    assert worker.wait() == 0
    assert (db.status("docs")["index_state"], db.status("notes")["index_state"]) == ("due", "ready")
    [trouble] = worker.events("trouble")
    assert "job docs: must be owner of table docs" in trouble["message"]


def test_who_may_not_build_an_index_leaves_it_to_others(db: VectorDatabase, start: Start, embedder: str) -> None:
    db.make_docs(20, index="hnsw")
    worker = start("--until-done", user=embedder)
    assert worker.wait() == 0
    [trouble] = worker.events("trouble")
    assert "must be owner of table docs" in trouble["message"]
    assert "Indexes are left to `pulumi up`" in trouble["message"]
    assert db.wrong() == []
    assert db.status()["index_state"] == "due"


def test_a_stop_does_not_end_the_build_of_an_index(db: VectorDatabase, start: Start) -> None:
    db.make_docs(20, index="hnsw")
    with db.connect() as holder:
        holder.autocommit = False
        holder.execute("UPDATE docs SET n = n + 1 WHERE id = 1")  # the build waits for writers of before
        worker = start()
        until(lambda: db.status()["index_state"] == "building", "the build")
        assert worker.stop() == 0
        assert db.status()["index_state"] == "building"
        holder.rollback()
    until(lambda: db.status()["index_state"] == "ready", "the index")


def test_an_engine_that_is_missing_or_of_another_version_is_refused(db: VectorDatabase, start: Start) -> None:
    missing = start(database="postgres")
    assert missing.wait() == 3
    assert "database postgres has nothing of sql/vectorize: run `pulumi up` first" in missing.reason()
    running = start()
    until(lambda: running.events("health"), "the first line")
    db.execute("INSERT INTO migrations.applied (folder, name, sha256) VALUES ('vectorize', '9999_future.sql', 'x')")
    assert running.wait() == 3
    assert "has 9999_future.sql of sql/vectorize, which this program does not have" in running.reason()
    db.execute("DELETE FROM migrations.applied WHERE name IN ('9999_future.sql', '0002_tables.sql')")
    older = start()
    assert older.wait() == 3
    assert "lacks 0002_tables.sql" in older.reason()
    assert "Run `pulumi up`" in older.reason()


def test_a_database_that_stays_away_ends_it(db: VectorDatabase, start: Start) -> None:
    worker = start("--unreachable-seconds", "0.1", "--dsn", f"host=127.0.0.1 port=9 password={SECRET}")
    assert worker.wait() == 1
    assert "the database could not be used for 0.1 s: cannot connect to database" in worker.reason()


def test_no_such_job(db: VectorDatabase, start: Start) -> None:
    db.make_docs(1)
    worker = start("--job", "dogs")
    assert worker.wait() == 2
    assert worker.reason() == f"there is no job dogs in database {db.name}; jobs: docs."


def test_a_check_says_how_far_the_jobs_are(db: VectorDatabase, start: Start) -> None:
    db.make_docs(3)
    db.work()
    check = start("--check")
    assert check.wait() == 0
    [health] = check.events("health")
    assert (health["embedded"], health["pending"]) == (3, 0)
    assert start("--check", database="postgres").wait() == 3
    assert start("--check", "--dsn", "port=9").wait() == 1
