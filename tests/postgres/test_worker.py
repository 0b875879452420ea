# ruff: noqa: E501 - statements read better on one line
"""What a worker does with a batch: skip, merge, split, wait, stop; and what each error of the call leads to."""

from __future__ import annotations

import psycopg
import pytest

from database import vectorization
from tests.postgres.vector_server import VectorDatabase, digest
from tools.watch import page as progress

THROTTLED = (
    "azure_openai.create_embeddings: 429: Requests to the Embeddings_Create Operation have exceeded call rate limit of "
    "your current OpenAI S0 pricing tier. Please retry after 1 second."
)
TOO_LONG = "azure_openai.create_embeddings: 400: This model's maximum context length is 8192 tokens."


def test_equal_texts_are_paid_once_in_a_batch_and_empty_ones_never(db: VectorDatabase) -> None:
    db.make_docs()
    db.execute("INSERT INTO docs SELECT g, CASE WHEN g % 10 = 0 THEN repeat(' ', (g / 10) % 3) WHEN g % 10 = 5 THEN NULL "
               "ELSE 'text ' || g % 4 END FROM generate_series(1, 100) AS g")  # fmt: skip
    db.define()
    db.work()
    assert set(db.paid().values()) == {1}
    assert len(db.paid()) == 4
    assert db.wrong() == []
    status = db.status()
    assert (status["embedded"], status["empty"], status["rows"], status["pending"]) == (80, 20, 100, 0)
    db.execute("UPDATE docs SET body = '' WHERE id = 1")
    db.execute("UPDATE docs SET body = 'not empty any more' WHERE id = 10")
    db.work()
    assert db.wrong() == []
    assert db.status()["empty"] == 20


def test_a_text_that_comes_back_before_a_worker_looks_is_not_paid_again(db: VectorDatabase) -> None:
    db.make_docs(10)
    db.work()
    calls = db.calls()
    db.execute("UPDATE docs SET body = 'something else'")
    db.execute("UPDATE docs SET body = 'text ' || id")
    assert db.work() == {"embedded": 0, "requests": 0}
    assert db.calls() == calls


def test_batches_keep_the_limits_of_a_request(db: VectorDatabase) -> None:
    db.make_docs(batch_size=2048)
    db.execute("INSERT INTO docs SELECT g, 'text ' || g FROM generate_series(1, 2500) AS g")
    db.execute("INSERT INTO docs SELECT 10000 + g, g || repeat(' word', 5000) FROM generate_series(1, 60) AS g")
    db.execute("INSERT INTO docs VALUES (20000, repeat('very long ', 5000))")
    db.work()
    assert db.wrong() == []
    sizes = [len(path.read_text().split()) for path in db.logs.glob("paid-*")]
    assert max(sizes) == 2048
    alone = [path for path in db.logs.glob("paid-*") if digest("very long " * 5000) in path.read_text()]
    assert [len(path.read_text().split()) for path in alone] == [1]
    long = {digest(f"{number}{' word' * 5000}") for number in range(1, 61)}
    assert max(len(long & set(path.read_text().split())) for path in db.logs.glob("paid-*")) * 25001 / 4 <= 300_000


def test_a_busy_service_is_waited_for_and_charges_no_attempt(db: VectorDatabase) -> None:
    db.make_docs(250)
    db.fault("error", THROTTLED, calls=3)
    db.work_together(3)
    assert db.wrong() == []
    assert db.status()["quarantined"] == 0
    assert set(db.paid().values()) == {1}
    assert "429" in db.status()["last_error"]


def test_nobody_calls_before_the_time_that_the_service_asked_for(db: VectorDatabase) -> None:
    db.make_docs(10)
    db.fault("error", THROTTLED.replace("1 second", "60 seconds"), calls=1)
    assert db.work(seconds=1)["embedded"] == 0
    db.work_together(4, seconds=0.5)
    assert db.calls("refused") == 1
    assert db.value("SELECT not_before - now() BETWEEN interval '50 s' AND interval '60 s' FROM vectorize.deployment")
    assert db.rows("SELECT DISTINCT lease IS NULL, attempts FROM vectorize_jobs.item_1") == [(True, 0)]
    db.execute("CALL vectorize.resume('docs')")
    assert db.work()["embedded"] == 10


@pytest.mark.parametrize("batch", [10, 100])
def test_a_poison_row_is_found_by_splitting_and_quarantined(db: VectorDatabase, batch: int) -> None:
    db.make_docs(batch, batch_size=batch)
    db.execute("UPDATE docs SET body = 'poison' WHERE id = 7")
    db.fault("error", TOO_LONG, pattern="poison%")
    db.work()
    assert db.rows("SELECT job, key, error LIKE '%400%' FROM vectorize.failures") == [("docs", {"id": 7}, True)]
    assert [row[0] for row in db.wrong()] == [7]
    assert db.calls("refused") <= batch.bit_length() + 1
    assert set(db.paid().values()) == {1}
    status = db.status()
    assert (status["quarantined"], status["embedded"], status["rows"], status["pending"]) == (1, batch - 1, batch, 0)
    assert status["state"] == "active"
    # It is left alone until its text changes, or somebody asks for it.
    refused = db.calls("refused")
    db.execute("CALL vectorize.verify('docs')")
    db.work()
    assert db.calls("refused") == refused
    db.execute("UPDATE docs SET body = 'wholesome' WHERE id = 7")
    db.work()
    assert db.wrong() == []
    assert db.rows("SELECT * FROM vectorize.failures") == []
    assert db.status()["quarantined"] == 0


def test_many_poison_rows_cost_no_good_row(db: VectorDatabase) -> None:
    db.make_docs(300)
    db.execute("UPDATE docs SET body = 'poison ' || id WHERE id % 37 = 0")
    db.fault("error", TOO_LONG, pattern="poison%")
    db.work_together(3)
    assert len(db.wrong()) == db.value("SELECT count(*) FROM vectorize.failures") == 8
    db.mend()
    db.execute("CALL vectorize.retry('docs')")
    assert db.work()["embedded"] == 8
    assert db.wrong() == []
    assert db.status()["quarantined"] == 0


def test_a_row_that_turned_bad_loses_the_vector_of_its_old_text(db: VectorDatabase) -> None:
    db.make_docs(3)
    db.work()
    db.fault("error", TOO_LONG, pattern="poison%")
    db.execute("UPDATE docs SET body = 'poison' WHERE id = 2")
    db.work()
    assert db.rows("SELECT id FROM docs WHERE embedding IS NULL") == [(2,)]
    status = db.status()
    assert (status["rows"], status["embedded"], status["quarantined"]) == (3, 2, 1)


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("azure_openai.create_embeddings: 401: Access denied due to invalid subscription key.", "identity or key"),
        ("azure_openai.create_embeddings: PermissionDenied: The principal lacks the data action.", "identity or key"),
        (
            "azure_openai.create_embeddings: 404: The API deployment for this resource does not exist.",
            "deployment embedding",
        ),
    ],
)
def test_a_refusal_stops_a_job_that_worked_before_and_resume_loses_nothing(
    db: VectorDatabase, message: str, said: str
) -> None:
    db.make_docs(120)
    db.work()
    db.execute("UPDATE docs SET body = 'changed ' || id")
    db.fault("error", message)
    db.work_together(3)
    status = db.status()
    assert status["state"] == "stopped"
    assert message.split(": ", 1)[1].rstrip(".") in status["reason"]
    assert said in status["reason"]
    assert db.calls("refused") <= 3
    db.execute("UPDATE docs SET body = 'changed again ' || id WHERE id = 1")
    db.mend()
    db.work()
    assert db.calls("refused") <= 3
    db.execute("CALL vectorize.resume('docs')")
    assert db.work()["embedded"] == 120
    assert db.wrong() == []
    assert db.status()["quarantined"] == 0


def test_before_the_first_success_a_refusal_is_tried_again_for_ten_minutes(db: VectorDatabase) -> None:
    db.make_docs(5)
    db.fault("error", "azure_openai.create_embeddings: 401: PermissionDenied")
    db.work(seconds=0.2)
    assert db.status()["state"] == "active"
    db.execute("UPDATE vectorize.deployment SET refused_since = now() - interval '11 minutes', not_before = NULL")
    db.work(seconds=5)
    assert db.status()["state"] == "stopped"


def test_an_error_without_a_status_stops_the_job_when_there_are_ten_in_a_row(db: VectorDatabase) -> None:
    db.make_docs(5)
    db.fault("error", "azure_openai.create_embeddings: the connection was reset")
    while db.status()["state"] == "active":
        db.execute("UPDATE vectorize.deployment SET not_before = NULL, failed_at = failed_at - interval '1 minute'")
        db.work(seconds=0.4)
        assert db.calls("refused") <= 10
    assert db.calls("refused") == 10
    assert "the connection was reset" in db.status()["reason"]
    db.mend()
    db.execute("CALL vectorize.resume('docs')")
    assert db.work()["embedded"] == 5
    assert db.status()["quarantined"] == 0


def test_wrong_dimensions_stop_the_job(db: VectorDatabase) -> None:
    db.make_docs(5)
    db.fault("wide")
    db.work()
    status = db.status()
    assert status["state"] == "stopped"
    assert "gives 9 dimensions, and the job needs 8" in status["reason"]
    assert db.value("SELECT count(*) FROM docs WHERE embedding IS NOT NULL") == 0


def test_an_answer_with_a_vector_too_few_is_not_used(db: VectorDatabase) -> None:
    db.make_docs(50)
    db.fault("short", calls=1)
    db.work()
    assert db.wrong() == []
    assert db.status()["quarantined"] == 0


@pytest.mark.parametrize("vectors", ["vector", "halfvec"])
def test_a_vector_that_cannot_be_stored_costs_one_row(db: VectorDatabase, vectors: str) -> None:
    db.make_docs(50, type=vectors)
    db.fault("nan", pattern="text 33")
    db.work()
    assert db.rows("SELECT id FROM docs WHERE embedding IS NULL") == [(33,)]
    assert "NaN" in db.value("SELECT error FROM vectorize.failures")
    assert set(db.paid().values()) == {1}


def test_a_database_without_azure_ai_stops_the_job(db: VectorDatabase) -> None:
    db.make_docs(5)
    with db.connect("azuresu") as conn:
        conn.execute("DROP SCHEMA azure_openai CASCADE")
    db.work()
    status = db.status()
    assert status["state"] == "stopped"
    assert "Check azure_ai in this database" in status["reason"]


def test_pause_and_a_job_that_is_not_there(db: VectorDatabase) -> None:
    db.make_docs(5)
    db.execute("CALL vectorize.pause('docs')")
    db.execute("UPDATE docs SET body = 'meanwhile' WHERE id = 1")
    assert db.work() == {"embedded": 0, "requests": 0}
    assert db.status()["state"] == "paused"
    db.execute("CALL vectorize.resume('docs')")
    assert db.work()["embedded"] == 5
    with pytest.raises(psycopg.errors.UndefinedObject, match="there is no job other"):
        db.work(job="other")


def test_reembed_pays_for_every_row_once_more(db: VectorDatabase) -> None:
    db.make_docs(30)
    db.work()
    db.execute("CALL vectorize.reembed('docs')")
    assert db.work()["embedded"] == 30
    db.define()
    assert db.work()["embedded"] == 0
    assert set(db.paid().values()) == {2}


def test_several_jobs_on_one_table_and_workers_for_all(db: VectorDatabase) -> None:
    db.make_docs(40)
    db.define(name="second", column="other", type="halfvec")
    db.define(name="third", target="table", template="{n}: {body}")
    db.work_together(3)
    assert {name: db.status(name)["embedded"] for name in ("docs", "second", "third")} == dict.fromkeys(
        ("docs", "second", "third"), 40
    )
    db.execute("UPDATE docs SET n = 1 WHERE id = 1")
    assert db.work()["embedded"] == 1
    assert db.wrong() == []


def test_status_counts_are_true_and_change_with_each_step(db: VectorDatabase) -> None:
    db.make_docs(500)
    assert db.status()["pending"] >= 500
    db.work(seconds=0)
    db.fault("error", TOO_LONG, pattern="%77")
    db.work_together(4)
    status = db.status()
    assert status["embedded"] == db.value("SELECT count(*) FROM docs WHERE embedding IS NOT NULL") == 495
    assert status["quarantined"] == db.value("SELECT count(*) FROM vectorize.failures") == 5
    assert (status["rows"], status["pending"], status["leased"], status["sweeping"]) == (500, 0, 0, False)
    assert status["requests"] == db.calls() + db.calls("refused")
    before = {name: status[name] for name in ("embedded", "empty", "quarantined", "tokens", "requests", "rows")}
    db.execute("UPDATE vectorize.delta SET at = at - interval '2 minutes'")
    db.execute("SELECT vectorize.fold_counters()")
    assert db.value("SELECT count(*) FROM vectorize.delta") == 0
    assert {name: db.status()[name] for name in before} == before


def test_a_row_whose_text_changed_is_done_with_its_new_vector_and_not_before(db: VectorDatabase) -> None:
    db.make_docs(20)
    db.work()
    assert progress.line(db.status()).startswith("docs: 20 of 20 rows (100 %), nothing left to do")
    db.execute("UPDATE docs SET body = body || ' again' WHERE id <= 5")
    assert (progress.done(db.status()), progress.percent(db.status())) == (15, 75)
    assert "catching up, 5 pending" in progress.facts(db.status())
    with db.connect() as conn:
        (found,) = vectorization.status(conn)
    assert found.line().startswith("docs: 15 of 20 rows, ")
    db.work()
    assert progress.line(db.status()).startswith("docs: 20 of 20 rows (100 %), nothing left to do")


def test_rates_are_of_the_last_minute_and_the_rest_takes_as_long(db: VectorDatabase) -> None:
    db.make_docs(300)
    db.work()
    tokens = db.status()["tokens"]
    db.execute("UPDATE vectorize.delta SET at = clock_timestamp() - interval '30 seconds'")
    db.execute("INSERT INTO docs SELECT g, 'text ' || g FROM generate_series(1001, 1100) AS g")
    status = db.status()
    # What was done was done in the half minute since.
    assert float(status["rows_per_second"]) == pytest.approx(300 / 30, rel=0.1)
    assert float(status["tokens_per_second"]) == pytest.approx(tokens / 30, rel=0.1)
    assert status["eta_seconds"] == pytest.approx(100 / (300 / 30), rel=0.2)
    db.execute("UPDATE vectorize.delta SET at = clock_timestamp() - interval '61 seconds'")
    status = db.status()
    assert (status["rows_per_second"], status["tokens_per_second"], status["eta_seconds"]) == (0, 0, None)
