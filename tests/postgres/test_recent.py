"""What lately happened: the last hour of each quota by the minute, and the newest failures of each job."""

from __future__ import annotations

from tests.postgres.vector_server import SUPERUSER, VectorDatabase

TOO_LONG = "azure_openai.create_embeddings: 400: This model's maximum context length is 8192 tokens."


def used(db: VectorDatabase) -> tuple[int, int]:
    requests, tokens = db.rows("SELECT sum(requests)::int, sum(tokens)::int FROM vectorize.quota_minutes")[0]
    return requests or 0, tokens or 0


def age(db: VectorDatabase, interval: str) -> None:
    """Let what was used be older."""
    with db.connect(SUPERUSER) as conn:
        conn.execute(f"UPDATE vectorize.delta SET at = at - interval '{interval}'".encode())
        conn.execute(f"UPDATE vectorize.used_minute SET minute = minute - interval '{interval}'".encode())


def test_the_last_hour_adds_up_to_what_was_spent_before_and_after_folding(db: VectorDatabase) -> None:
    db.make_docs(300)
    db.work()
    status = db.status()
    assert used(db) == (status["requests"], status["tokens"])
    age(db, "2 minutes")
    db.execute("SELECT vectorize.fold_counters()")
    assert db.value("SELECT count(*) FROM vectorize.delta") == 0
    assert used(db) == (status["requests"], status["tokens"])
    db.execute("UPDATE docs SET body = body || '!' WHERE id <= 20")
    db.work()
    again = db.status()
    assert used(db) == (again["requests"], again["tokens"])
    assert db.value("SELECT count(DISTINCT minute) FROM vectorize.quota_minutes") >= 2
    assert db.value("SELECT min(minute) = date_trunc('minute', min(minute)) FROM vectorize.quota_minutes")


def test_what_two_jobs_use_of_a_deployment_is_one_use_and_outlives_the_job(db: VectorDatabase) -> None:
    db.make_docs(100)
    db.define(name="other", column="other")
    db.work()
    before = used(db)
    assert {row[0] for row in db.rows("SELECT deployment FROM vectorize.quota_minutes")} == {"embedding"}
    db.execute("CALL vectorize.remove('other', false)")
    assert used(db) == before


def test_an_hour_is_shown_and_little_more_is_kept(db: VectorDatabase) -> None:
    db.make_docs(100)
    db.work()
    age(db, "2 minutes")
    db.execute("SELECT vectorize.fold_counters()")
    age(db, "50 minutes")
    assert used(db) != (0, 0)
    age(db, "10 minutes")
    assert used(db) == (0, 0)
    age(db, "1 hour")
    db.execute("UPDATE docs SET body = body || '!'")
    db.work()
    age(db, "2 minutes")
    db.execute("SELECT vectorize.fold_counters()")
    assert db.value("SELECT count(*) FROM vectorize.used_minute") == 1
    # A note that nobody folded for long is spent still, and of no hour that is shown.
    db.execute("UPDATE docs SET body = body || '!'")
    db.work()
    age(db, "3 hours")
    db.execute("SELECT vectorize.fold_counters()")
    assert used(db) == (0, 0)
    assert db.value("SELECT sum(requests) FROM vectorize.spend") == db.status()["requests"]


def test_the_newest_failures_of_each_job_come_first_and_no_more_than_asked_for(db: VectorDatabase) -> None:
    db.make_docs(30)
    db.define(name="other", column="other")
    db.fault("error", TOO_LONG)
    db.work()
    assert db.value("SELECT count(*) FROM vectorize.failures") == 60
    found = db.rows("SELECT job, key, attempts, error, since FROM vectorize.recent_failures(5)")
    assert [row[0] for row in found] == ["docs"] * 5 + ["other"] * 5
    assert [row[4] for row in found[:5]] == sorted((row[4] for row in found[:5]), reverse=True)
    newest = db.rows(
        "SELECT job, key, attempts, error, since FROM vectorize.failures WHERE job = 'docs' ORDER BY since DESC LIMIT 1"
    )
    assert found[:1] == newest
    assert db.rows("SELECT * FROM vectorize.recent_failures(-1)") == []
