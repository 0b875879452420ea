"""What pg_cron runs beside the workers: the statement that is due, as a job of its own until it is done."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from database import schedule
from tests.postgres.faults.drill import wait_until
from tests.postgres.vector_server import SUPERUSER, VectorDatabase

STUB = Path(__file__).parents[1] / "protocol" / "pg_cron_stub.sql"
STATEMENT = "SELECT command FROM cron.job WHERE jobname LIKE '%statement'"


@pytest.fixture
def cron(db: VectorDatabase) -> VectorDatabase:
    """A database that pg_cron lives in, with workers declared and an index that is due."""
    with db.connect(SUPERUSER) as conn:
        conn.execute(STUB.read_bytes())
    db.make_docs(200, index="hnsw")
    db.work()
    schedule.declare(db.conn, db.name, 2)
    return db


def maintain(db: VectorDatabase) -> list[str]:
    """Do what pg_cron does every 20 seconds, and return the statements that it runs next."""
    db.execute(db.value("SELECT command FROM cron.job WHERE jobname LIKE '%maintain'"))
    return [statement for (statement,) in db.rows(STATEMENT)]


def test_a_statement_that_is_due_becomes_a_job_and_goes_when_it_is_done(cron: VectorDatabase) -> None:
    [statement] = maintain(cron)
    assert statement.startswith("CREATE INDEX CONCURRENTLY")
    assert maintain(cron) == [statement]
    cron.execute(statement)
    assert maintain(cron) == []
    assert cron.status()["index_state"] == "ready"
    assert maintain(cron) == []


def test_a_job_whose_statement_builds_is_not_taken_away(cron: VectorDatabase) -> None:
    [statement] = maintain(cron)
    with cron.connect() as old, cron.connect() as builder, ThreadPoolExecutor(1) as pool:
        with old.transaction():
            old.execute("UPDATE docs SET n = 1 WHERE id = 1")  # which a concurrent build waits for
            built = pool.submit(builder.execute, statement.encode())
            wait_until(lambda: cron.status()["index_state"] == "building", "the index is being built")
            assert maintain(cron) == [statement]
            schedule.declare(cron.conn, cron.name, 3)
            assert cron.rows(STATEMENT) == [(statement,)], "another number of workers leaves it alone"
        built.result()
    assert maintain(cron) == []


def test_taking_the_workers_away_takes_the_statement_too(cron: VectorDatabase) -> None:
    assert maintain(cron)
    schedule.remove(cron.conn, cron.name)
    assert cron.rows("SELECT jobname FROM cron.job") == []


def test_a_change_of_model_switches_with_nothing_but_pg_cron(cron: VectorDatabase) -> None:
    for statement in maintain(cron):
        cron.execute(statement)
    cron.define(dimensions=4, index="hnsw")
    for _ in range(20):
        cron.work(seconds=1)
        for statement in maintain(cron):
            cron.execute(statement)
    assert (cron.status()["generation"], cron.status()["next_generation"]) == (2, None)
    assert cron.status()["index_state"] == "ready"


def test_a_statement_that_fails_is_in_no_other_jobs_way(cron: VectorDatabase) -> None:
    cron.define(name="others", target="table", index="hnsw")
    cron.work()
    cron.execute("CREATE TABLE elsewhere (n integer)")
    cron.execute("CREATE INDEX docs_embedding_hnsw_cosine_1 ON elsewhere (n)")
    seen = {statement for _ in range(40) for statement in maintain(cron)}
    assert len(seen) == 2
