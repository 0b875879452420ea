"""The line that workers write into the server's log: what it says, how often, and what it never says."""

from __future__ import annotations

import json
from typing import Any

import pytest
from psycopg.errors import Diagnostic

from tests.postgres.vector_server import Connection, VectorDatabase


class Listener:
    """A connection that hears what the server logs."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn
        self.lines: list[str] = []
        conn.execute("SET client_min_messages = log")
        conn.add_notice_handler(self._hear)

    def _hear(self, said: Diagnostic) -> None:
        if (said.message_primary or "").startswith("vectorize: "):
            assert said.severity_nonlocalized == "LOG"
            self.lines.append(str(said.message_primary))

    def work(self) -> None:
        self._conn.execute("CALL vectorize.work()")

    def report(self) -> dict[str, Any]:
        assert len(self.lines) == 1
        parsed: dict[str, Any] = json.loads(self.lines.pop().removeprefix("vectorize: "))
        return parsed


@pytest.fixture
def listener(db: VectorDatabase) -> Listener:
    return Listener(db.connect())


def test_a_worker_says_how_far_the_jobs_are(db: VectorDatabase, listener: Listener) -> None:
    db.make_docs(10)
    db.work()
    db.execute("INSERT INTO docs SELECT 100 + g, 'more ' || g FROM generate_series(1, 5) AS g")
    db.execute("UPDATE vectorize.reported SET at = '-infinity'")
    listener.work()
    report = listener.report()
    (job,) = report["jobs"]
    assert (job["job"], job["state"], job["embedded"], job["quarantined"]) == ("docs", "active", 10, 0)
    assert job["pending"] >= 5
    (quota,) = report["quota"]
    assert quota["tokensPerMinute"] > 0
    assert quota["tokensLastMinute"] > 0


def test_many_workers_say_it_once_a_minute(db: VectorDatabase, listener: Listener) -> None:
    db.make_docs(10)
    others = [Listener(db.connect()) for _ in range(3)]
    db.execute("UPDATE vectorize.reported SET at = now() - interval '2 minutes'")
    for one in (listener, *others, listener):
        one.work()
    assert len(listener.lines) == 1
    assert not [line for one in others for line in one.lines]
    db.execute("UPDATE vectorize.reported SET at = now() - interval '59 seconds'")
    listener.work()
    assert len(listener.lines) == 1


def test_a_worker_that_may_only_work_writes_it_too(db: VectorDatabase) -> None:
    db.make_docs(3)
    db.execute("UPDATE vectorize.reported SET at = '-infinity'")
    with db.member("vectorize_worker") as conn:
        listener = Listener(conn)
        listener.work()
        assert [job["job"] for job in listener.report()["jobs"]] == ["docs"]


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        ("the source table is gone: define the job on another table", "the source table is gone"),
        ("azure_openai.create_embeddings: 401: Access denied", "azure_openai.create_embeddings: 401"),
        ("writing the vectors failed: a trigger says: Ann owes 12", "writing the vectors failed"),
    ],
)
def test_a_job_that_stopped_is_told_with_the_head_of_its_reason_though_no_round_begins(
    db: VectorDatabase, listener: Listener, reason: str, told: str
) -> None:
    db.make_docs(3)
    db.execute("SELECT vectorize.stop(1, %s)", [reason])
    db.execute("UPDATE vectorize.reported SET at = '-infinity'")
    listener.work()
    (job,) = listener.report()["jobs"]
    assert (job["state"], job["reason"]) == ("stopped", told)
    assert db.status()["reason"] == reason


def test_no_text_of_a_row_is_in_it(db: VectorDatabase, listener: Listener) -> None:
    db.make_docs()
    db.execute("INSERT INTO docs VALUES (1, 'a very private remark')")
    db.work()
    db.execute("UPDATE docs SET body = 'another private remark'")
    db.execute("UPDATE vectorize.reported SET at = '-infinity'")
    listener.work()
    assert "private" not in listener.lines[0]
