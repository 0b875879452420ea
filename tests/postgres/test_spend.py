"""What was spent by job and day: exact at any moment, at the price of the day, and there after the job is gone."""

from __future__ import annotations

import psycopg
import pytest

from tests.postgres.vector_server import VectorDatabase, in_threads

TOO_LONG = "azure_openai.create_embeddings: 400: This model's maximum context length is 8192 tokens."


def spent(db: VectorDatabase) -> tuple[int, int, float]:
    requests, tokens, cost = db.rows(
        "SELECT sum(requests)::int, sum(tokens)::int, sum(cost_usd)::float8 FROM vectorize.spend"
    )[0]
    return requests, tokens, cost


def fold(db: VectorDatabase, age: str = "2 minutes") -> None:
    """Let the deltas grow old, and fold them."""
    db.execute(f"UPDATE vectorize.delta SET at = at - interval '{age}'")
    db.execute("SELECT vectorize.fold_counters()")
    assert db.value("SELECT count(*) FROM vectorize.delta") == 0


def test_spend_is_what_the_status_says_before_and_after_folding(db: VectorDatabase) -> None:
    db.make_docs(300)
    db.fault("error", TOO_LONG, pattern="text 77")
    db.work()
    status = db.status()
    assert spent(db) == (status["requests"], status["tokens"], pytest.approx(float(status["cost_usd"])))
    assert status["requests"] == db.calls() + db.calls("refused")
    before = spent(db)
    fold(db)
    assert spent(db) == before
    db.execute("UPDATE docs SET body = body || '!' WHERE id <= 20")
    db.mend()
    db.work()
    assert spent(db)[0] == before[0] + 1
    assert spent(db)[1] == db.status()["tokens"]


def test_spend_is_told_apart_by_job_and_day(db: VectorDatabase) -> None:
    db.make_docs(100)
    db.define(name="other", column="other")
    db.work(job="docs")
    fold(db, "1 day")
    db.work()
    db.execute("UPDATE docs SET body = body || '!'")
    db.work()
    days = db.rows(
        "SELECT job, (now() AT TIME ZONE 'UTC')::date - day, requests FROM vectorize.spend ORDER BY 1, 2 DESC"
    )
    assert days == [("docs", 1, 1), ("docs", 0, 1), ("other", 0, 2)]


def test_a_new_price_does_not_change_an_old_bill(db: VectorDatabase) -> None:
    db.make_docs(100)
    db.work()
    fold(db)
    before = spent(db)
    db.execute("SELECT vectorize.set_deployment('embedding', 'text-embedding-3-small', 1536, 350000, 2100, 2.00)")
    assert spent(db) == before


@pytest.mark.parametrize("folded", [False, True], ids=["just spent", "folded"])
@pytest.mark.parametrize("keep", ["true", "false"], ids=["vectors stay", "vectors go"])
def test_the_bill_outlives_the_job(db: VectorDatabase, keep: str, folded: bool) -> None:
    db.make_docs(100)
    db.work()
    before = spent(db)
    if folded:
        fold(db)
    db.execute(f"CALL vectorize.remove('docs', {keep})")
    assert spent(db) == before
    db.define()
    db.execute("UPDATE docs SET body = body || '!'")
    db.work()
    assert spent(db)[0] == before[0] + 1


def test_folding_and_removing_at_once_lose_nothing(db: VectorDatabase) -> None:
    db.make_docs(100)
    for number in range(10):
        db.define(name=f"job{number}", column=f"c{number}")
    db.work()
    before = spent(db)
    db.execute("UPDATE vectorize.delta SET at = at - interval '2 minutes'")

    def folding() -> None:
        with db.connect() as conn:
            for _ in range(200):
                conn.execute("SELECT vectorize.fold_counters()")

    def removing(numbers: range) -> None:
        with db.connect() as conn:
            for number in numbers:
                conn.execute(f"CALL vectorize.remove('job{number}', false)".encode())

    in_threads(folding, folding, lambda: removing(range(5)), lambda: removing(range(5, 10)))
    assert spent(db) == before


def test_whoever_may_read_the_view_may_not_write_the_bill(db: VectorDatabase) -> None:
    db.execute("GRANT USAGE ON SCHEMA vectorize TO application")
    db.execute("GRANT SELECT ON vectorize.spend TO application")
    with db.connect("application") as conn:
        assert conn.execute("SELECT * FROM vectorize.spend").fetchall() == []
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            conn.execute("DELETE FROM vectorize.spent")
