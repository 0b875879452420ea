# ruff: noqa: E501 - statements read better on one line
"""The Python face of the engine: define, estimate, backfill, status, read, remove."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from database.errors import DatabaseError
from database.vectorization import Deployment, JobSpec, backfill, define, estimate, read, remove, status
from tests.postgres.faults.drill import wait_until
from tests.postgres.vector_server import Connection, VectorDatabase, VectorServer, fails, in_threads

EMBEDDING = Deployment("embedding", "text-embedding-3-small", 1536, 350_000_000, 2_100_000, 0.02)
DOCS = JobSpec(
    name="docs",
    table="public.docs",
    template="{body}",
    deployment="embedding",
    dimensions=8,
    index="hnsw",
    batch_size=20,
)


def quiet(line: str) -> None:
    """Take a line of progress and say nothing."""


def opener(db: VectorDatabase, name: str = "backfill") -> Callable[[], Connection]:
    return lambda: db.connect(application_name=name)


@pytest.fixture
def docs(db: VectorDatabase) -> VectorDatabase:
    db.execute("CREATE TABLE docs (id bigint PRIMARY KEY, body text)")
    db.execute("INSERT INTO docs SELECT g, 'text ' || g FROM generate_series(1, 600) AS g")
    return db


def test_define_estimate_backfill_and_again(docs: VectorDatabase) -> None:
    said = define(docs.conn, EMBEDDING, DOCS, state="paused")
    assert said[0] == "job docs: created: public.docs to column embedding, vector(8), by embedding"
    assert ["REPEATABLE READ" in line for line in said[1:]] == [True]
    estimated = estimate(docs.conn, "docs")
    assert (estimated.rows, estimated.requests) == (600, 30)
    assert docs.calls() == 0
    lines: list[str] = []
    done = backfill(opener(docs), "docs", workers=3, progress=lines.append)
    assert (done.rows, done.embedded, done.pending, done.leased, done.quarantined) == (600, 600, 0, 0, 0)
    assert (done.state, done.index_state) == ("active", "ready")
    assert done.tokens == estimated.tokens
    assert done.cost_usd == pytest.approx(estimated.cost_usd)
    assert any("600 of 600 rows" in line for line in lines)
    assert any("CREATE INDEX CONCURRENTLY" in line for line in lines)
    assert docs.wrong() == []
    assert set(docs.paid().values()) == {1}
    calls = docs.calls()
    assert define(docs.conn, EMBEDDING, DOCS, state="paused") == []
    assert backfill(opener(docs), "docs", workers=2, progress=quiet).embedded == 600
    assert docs.calls() == calls


def test_no_more_workers_are_busy_than_the_quota_feeds(docs: VectorDatabase) -> None:
    """Those that would only wait for their turn are in the way of the database's users."""
    docs.execute("INSERT INTO docs SELECT g, 'text ' || g FROM generate_series(601, 3000) AS g")
    few = replace(EMBEDDING, requests_per_minute=240)
    define(docs.conn, few, DOCS, state="paused")

    def busy() -> int:
        statement = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'backfill' AND state = 'active' AND query LIKE 'CALL vectorize.work%'"
        return int(docs.value(statement))

    def one_for_a_second() -> bool:
        """All calls end after some seconds, so that few are busy for a moment; a second is longer than that."""
        looks = []
        for _ in range(20):
            looks.append(busy())
            time.sleep(0.05)
        return max(looks) == 1

    def watch() -> None:
        wait_until(lambda: busy() == 4, "all workers have begun")
        wait_until(one_for_a_second, "one worker does what the quota allows")
        assert status(docs.conn, "docs")[0].pending > 0
        define(docs.conn, EMBEDDING, DOCS)

    def fill() -> None:
        backfill(opener(docs), "docs", workers=4, progress=quiet)

    in_threads(fill, watch)
    assert status(docs.conn, "docs")[0].embedded == 3000
    assert set(docs.paid().values()) == {1}


def test_what_is_read_is_what_was_defined(docs: VectorDatabase) -> None:
    spec = JobSpec(
        name="other", table="public.docs", template="{id}\n{body}", deployment="embedding", key=("id",), target="table", column="vectors",
        type="halfvec", dimensions=16, distance="l2", index="ivfflat", index_options={"lists": 10}, batch_size=7,
    )  # fmt: skip
    assert read(docs.conn, "other") is None
    define(docs.conn, EMBEDDING, spec, state="paused")
    assert read(docs.conn, "other") == (EMBEDDING, spec, "paused")
    assert JobSpec.from_json(spec.to_json()) == spec
    assert [job.name for job in status(docs.conn)] == ["other"]
    assert status(docs.conn, "none") == []
    remove(docs.conn, "other", keep_vectors=False)
    remove(docs.conn, "other")
    assert read(docs.conn, "other") is None


def test_mistakes_reach_the_caller_as_one_message(docs: VectorDatabase) -> None:
    with pytest.raises(DatabaseError) as caught:
        define(
            docs.conn,
            EMBEDDING,
            JobSpec(name="x", table="public.docs", template="{titel}", deployment="embedding", distance="far"),
        )
    assert '"far" is not one of' in str(caught.value)
    with pytest.raises(DatabaseError, match="has no column titel"):
        define(docs.conn, EMBEDDING, JobSpec(name="x", table="public.docs", template="{titel}", deployment="embedding"))


def test_a_backfill_that_is_stopped_by_the_service_says_why(docs: VectorDatabase) -> None:
    define(docs.conn, EMBEDDING, DOCS)
    docs.work(seconds=0.05)
    docs.fault("error", "azure_openai.create_embeddings: 404: The API deployment for this resource does not exist.")
    docs.execute("UPDATE vectorize.deployment SET first_success_at = now()")
    with pytest.raises(DatabaseError, match=r"job docs stopped: .*404: The API deployment"):
        backfill(opener(docs), "docs", workers=2, progress=quiet)
    docs.mend()
    assert backfill(opener(docs), "docs", workers=2, progress=quiet).embedded == 600
    assert set(docs.paid().values()) == {1}


def test_a_backfill_survives_the_death_of_its_connections(docs: VectorDatabase) -> None:
    define(docs.conn, EMBEDDING, DOCS)
    docs.mend(latency=0.02)

    def kill() -> None:
        with docs.connect("azuresu") as killer:
            for step in range(5):
                while status(docs.conn, "docs")[0].embedded < 80 * (step + 1):
                    pass
                killer.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'backfill' ORDER BY random() LIMIT 2"
                )

    in_threads(kill, lambda: backfill(opener(docs), "docs", workers=3, progress=quiet) and None)
    done = status(docs.conn, "docs")[0]
    assert (done.embedded, done.pending, done.leased) == (600, 0, 0)
    assert docs.wrong() == []


def test_a_backfill_that_cannot_connect_any_more_says_so(docs: VectorDatabase) -> None:
    define(docs.conn, EMBEDDING, DOCS)
    opened: list[int] = []

    def open_connection() -> Connection:
        opened.append(1)
        if len(opened) > 2:
            raise DatabaseError("cannot connect: the server was stopped")
        return docs.connect()

    with pytest.raises(DatabaseError, match="the server was stopped"):
        backfill(open_connection, "docs", workers=2, progress=quiet)


def test_out_of_time_the_status_says_what_remains_and_the_next_run_goes_on(docs: VectorDatabase) -> None:
    define(docs.conn, EMBEDDING, DOCS)
    docs.mend(latency=0.2)
    left = backfill(opener(docs), "docs", workers=1, timeout_seconds=0.5, progress=quiet)
    assert left.pending > 0
    assert left.embedded < 600
    docs.mend()
    assert backfill(opener(docs), "docs", workers=2, progress=quiet).embedded == 600
    assert docs.wrong() == []


def test_an_interrupted_backfill_leaves_no_session_and_nothing_is_lost(docs: VectorDatabase) -> None:
    define(docs.conn, EMBEDDING, DOCS)
    docs.mend(latency=5)

    def interrupt(line: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        backfill(opener(docs), "docs", workers=3, progress=interrupt)
    assert [thread.name for thread in threading.enumerate() if thread.name.startswith("docs-")] == []
    docs.mend()
    assert backfill(opener(docs), "docs", workers=2, progress=quiet).embedded == 600
    assert docs.wrong() == []


def test_an_index_build_that_was_cut_off_is_found_and_built_again(docs: VectorDatabase) -> None:
    define(docs.conn, EMBEDDING, DOCS)
    docs.work()
    [(statement,)] = docs.rows("SELECT statement FROM vectorize.next_maintenance()")
    holder = docs.connect()
    holder.autocommit = False
    holder.execute("UPDATE docs SET body = body WHERE id = 1")
    builder = docs.connect()
    thread = threading.Thread(target=fails, args=(builder, statement))
    thread.start()
    while not docs.value("SELECT EXISTS (SELECT FROM pg_index WHERE NOT indisvalid)"):
        pass
    assert docs.status()["index_state"] == "building"
    builder.cancel_safe()
    thread.join()
    holder.rollback()
    holder.close()
    builder.close()
    assert docs.status()["index_state"] == "invalid"
    assert backfill(opener(docs), "docs", workers=1, progress=quiet).index_state == "ready"
    assert docs.value("SELECT count(*) FROM pg_index WHERE NOT indisvalid") == 0


def test_the_same_on_postgresql_18(server_18: VectorServer) -> None:
    db = server_18.new_database()
    try:
        db.execute("CREATE TABLE docs (id uuid DEFAULT gen_random_uuid() PRIMARY KEY, body text, shout text GENERATED ALWAYS AS (upper(body)) STORED, "
                   "quiet text GENERATED ALWAYS AS (lower(body)) VIRTUAL)")  # fmt: skip
        db.execute("INSERT INTO docs (body) SELECT 'text ' || g FROM generate_series(1, 300) AS g")
        for target in ("column", "table"):
            spec = JobSpec(
                name=target,
                table="public.docs",
                template="{shout}",
                deployment="embedding",
                dimensions=8,
                target=target,
                index="hnsw",
            )
            define(db.conn, EMBEDDING, spec)
            assert backfill(opener(db), target, workers=2, progress=quiet).embedded == 300
        db.execute("UPDATE docs SET body = 'another' WHERE body = 'text 9'")
        assert db.work()["embedded"] == 2
        assert db.wrong(text="shout") == []
        with pytest.raises(DatabaseError, match="generated when read"):
            define(
                db.conn,
                EMBEDDING,
                JobSpec(name="x", table="public.docs", template="{quiet}", deployment="embedding", dimensions=8),
            )
        assert len(db.rows("SELECT * FROM vectorize.search('table', 'TEXT 7', 5)")) == 5
        for target in ("column", "table"):
            assert db.value("CALL vectorize.verify(%s)", [target]) == {"missing": 0, "stale": 0, "orphaned": 0}
            remove(db.conn, target, keep_vectors=False)
    finally:
        db.close()
