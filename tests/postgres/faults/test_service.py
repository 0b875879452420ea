# ruff: noqa: E501 - statements read better on one line
"""The AI service fails in each of its ways: what is not answered is asked again, and nothing wrong is ever stored."""

from __future__ import annotations

import random

import pytest

from tests.postgres.faults.drill import FaultDatabase

CALL = "azure_openai.create_embeddings: "
BAD_INPUT = CALL + "400: This model's maximum context length is 8192 tokens, however you requested 9000 tokens."
DENIED = CALL + "401: Access denied due to invalid subscription key or wrong API endpoint."
NO_DEPLOYMENT = CALL + "404: The API deployment for this resource does not exist."

# Refused, and not paid for. The waits are short where the text names them; else the drill ends them.
BUSY = {
    "429 with a wait": CALL + "429: Requests have exceeded call rate limit. Please retry after 20 milliseconds.",
    "429 without a wait": CALL + "429: Requests have exceeded call rate limit.",
    "500": CALL + "500: The server had an error while processing your request. Sorry about that!",
    "503": CALL + "503: The service is temporarily unable to process your request.",
}
# Paid for, and never received: the texts of that one call are paid for again.
LOST = {
    "a hang, beyond the time limit": CALL + "408: no answer within 90000 ms",
    "half a body": CALL + "error decoding response body: unexpected end of file",
}
# Nothing is paid, and no status says why: the way to the service, or a limiter that is named rather than numbered.
OUTAGES = {
    "no connection": CALL + "error sending request for url (https://ai.invalid/): connection refused",
    "no name": CALL + "Could not resolve host: ai.invalid",
    "429 by its code": CALL + "TooManyRequests: Requests have exceeded call rate limit.",
}


def fill(db: FaultDatabase, dice: random.Random, bad: str = "") -> tuple[int, list[int]]:
    """Insert some batches of rows, each with a text of its own; up to three are `bad` ones.

    Returns:
        How many rows there are, and the keys of the bad ones.
    """
    rows = db.batch * dice.randint(2, 4) + dice.randrange(db.batch)
    keys = sorted(dice.sample(range(1, rows + 1), dice.randint(1, 3))) if bad else []
    db.execute(
        "INSERT INTO docs SELECT g, CASE WHEN g = ANY (%s) THEN %s ELSE 'text ' END || g FROM generate_series(1, %s) AS g",
        [keys, bad, rows],
    )
    return rows, keys


@pytest.mark.parametrize("fault", BUSY)
def test_a_busy_service_is_asked_again_and_nothing_is_paid_twice(
    docs: FaultDatabase, dice: random.Random, fault: str
) -> None:
    fill(docs, dice)
    calls = dice.randint(1, 3)
    docs.fault("error", BUSY[fault], calls=calls)
    docs.work_until(lambda: docs.calls("refused"), dice.randint(1, 3))
    assert BUSY[fault] in docs.status()["last_error"]
    assert docs.rows("SELECT 1 FROM vectorize_jobs.item_1 WHERE attempts > 0 AND lease IS NULL") == []
    docs.end(refused=calls)


@pytest.mark.parametrize("fault", LOST)
def test_an_answer_that_never_arrives_is_paid_for_once_more(
    docs: FaultDatabase, dice: random.Random, fault: str
) -> None:
    fill(docs, dice)
    calls = dice.randint(1, 3)
    docs.fault("lost", LOST[fault], calls=calls)
    docs.work_until(docs.calls, dice.randint(1, 3))
    docs.end(twice=calls * docs.batch)


def fail_once_more(db: FaultDatabase) -> None:
    """Let a worker try; failures of one second count once, and are waited after, and both are over."""
    db.superuser("UPDATE vectorize.deployment SET failed_at = failed_at - interval '2 seconds', not_before = NULL")
    db.work(seconds=0.2)


def test_ten_answers_in_a_row_without_a_status_stop_the_job_and_resume_loses_nothing(
    docs: FaultDatabase, dice: random.Random
) -> None:
    """A hiccup passes, but what goes on and on without a word of why is for a person to look at."""
    rows, _ = fill(docs, dice)
    docs.fault("lost", LOST["half a body"])
    while docs.calls() < 10:
        assert docs.status()["state"] == "active"
        fail_once_more(docs)
    status = docs.status()
    assert status["state"] == "stopped"
    assert status["reason"] == (
        "azure_openai.create_embeddings: error decoding response body: unexpected end of file. "
        "Check azure_ai in this database: the extension, its settings, and the worker's rights, "
        "then CALL vectorize.resume('docs')"
    )
    docs.execute("INSERT INTO docs VALUES (%s, 'written while the job stood')", [rows + 1])
    docs.end(state="stopped", twice=10 * docs.batch)


@pytest.mark.parametrize("outage", OUTAGES)
def test_an_outage_is_waited_for_by_a_job_that_worked_before_however_long_it_lasts(
    docs: FaultDatabase, dice: random.Random, outage: str
) -> None:
    docs.execute("INSERT INTO docs VALUES (0, 'embedded before')")
    docs.work()
    fill(docs, dice)
    docs.fault("error", OUTAGES[outage])
    failures = dice.randint(11, 15)
    while docs.calls("refused") < failures:
        assert docs.status()["state"] == "active"
        fail_once_more(docs)
    assert OUTAGES[outage] in docs.status()["last_error"]
    docs.end(refused=failures)


@pytest.mark.parametrize("kind", ["short", "long"])
def test_an_answer_with_a_wrong_count_of_vectors_is_not_used(
    docs: FaultDatabase, dice: random.Random, kind: str
) -> None:
    fill(docs, dice)
    calls = dice.randint(1, 3)
    docs.fault(kind, calls=calls)
    docs.work_until(docs.calls, workers=2)
    assert "vectors for" in docs.status()["last_error"]
    docs.end(twice=calls * docs.batch)


def test_wrong_counts_stop_a_job_that_worked_before_since_each_is_paid(
    docs: FaultDatabase, dice: random.Random
) -> None:
    docs.execute("INSERT INTO docs VALUES (0, 'embedded before')")
    docs.work()
    fill(docs, dice)
    docs.fault("short")
    while docs.status()["state"] == "active":
        fail_once_more(docs)
        assert docs.calls() <= 11
    assert docs.calls() == 11
    assert "vectors for" in docs.status()["reason"]
    docs.end(state="stopped", twice=10 * docs.batch)


def test_wrong_dimensions_stop_the_job_before_anything_is_stored(docs: FaultDatabase, dice: random.Random) -> None:
    fill(docs, dice)
    docs.fault("wide")
    workers = dice.randint(1, 3)
    docs.work_together(workers)
    status = docs.status()
    assert (status["state"], status["embedded"]) == ("stopped", 0)
    assert "gives 9 dimensions, and the job needs 8" in status["reason"]
    assert docs.calls() <= workers
    docs.end(state="stopped", twice=workers * docs.batch)


def test_a_vector_that_is_not_a_number_costs_its_rows_alone(docs: FaultDatabase, dice: random.Random) -> None:
    _, bad = fill(docs, dice, "odd ")
    docs.fault("nan", pattern="odd %")
    docs.work_together(2)
    assert docs.rows("SELECT (key ->> 'id')::int FROM vectorize.failures WHERE error LIKE '%NaN%' ORDER BY 1") == [
        (key,) for key in bad
    ]
    assert [row[0] for row in docs.rows_wrong()] == bad
    assert docs.paid_twice() == 0
    docs.mend()
    docs.execute("CALL vectorize.retry('docs')")
    docs.end(twice=len(bad))


def test_not_a_number_for_every_text_leaves_each_row_listed_with_the_reason(
    docs: FaultDatabase, dice: random.Random
) -> None:
    rows, _ = fill(docs, dice)
    docs.fault("nan")
    docs.work_together(2)
    assert docs.value("SELECT count(*) FROM vectorize.failures WHERE error LIKE '%NaN%'") == rows
    assert docs.paid_twice() == 0
    docs.mend()
    docs.execute("CALL vectorize.retry('docs')")
    docs.end(twice=rows)


def test_bad_rows_are_found_by_halving_and_cost_no_good_row(docs: FaultDatabase, dice: random.Random) -> None:
    _, bad = fill(docs, dice, "poison ")
    docs.fault("error", BAD_INPUT, pattern="poison %")
    docs.work_together(dice.randint(1, 3))
    assert docs.rows("SELECT (key ->> 'id')::int FROM vectorize.failures WHERE error LIKE '%400%' ORDER BY 1") == [
        (key,) for key in bad
    ]
    assert [row[0] for row in docs.rows_wrong()] == bad
    docs.mend()
    docs.execute("CALL vectorize.retry('docs')")
    docs.end(refused=docs.calls_to_find(len(bad)))


def test_a_bad_row_whose_text_came_back_is_not_tried_again(docs: FaultDatabase, dice: random.Random) -> None:
    _, bad = fill(docs, dice, "poison ")
    docs.fault("error", BAD_INPUT, pattern="poison %")
    docs.work()
    refused = docs.calls("refused")
    for text in ("'something else ' || id", "'poison ' || id"):
        docs.execute(f"UPDATE docs SET body = {text} WHERE id = ANY (%s)", [bad])
    docs.work()
    assert docs.calls("refused") == refused
    docs.mend()
    docs.execute("CALL vectorize.retry('docs')")
    docs.end(refused=docs.calls_to_find(len(bad)))


def test_a_service_that_refuses_every_text_leaves_each_row_listed_with_the_reason(
    docs: FaultDatabase, dice: random.Random
) -> None:
    rows, _ = fill(docs, dice)
    docs.fault("error", BAD_INPUT)
    docs.work_together(2)
    assert docs.value("SELECT count(*) FROM vectorize.failures WHERE error LIKE '%400%'") == rows
    assert (docs.status()["state"], docs.status()["quarantined"]) == ("active", rows)
    assert docs.calls() == 0
    allowed = 2 * rows  # a tree of halves has no more nodes
    docs.mend()
    docs.execute("CALL vectorize.retry('docs')")
    docs.end(refused=allowed)


@pytest.mark.parametrize(
    "refusal", [DENIED, NO_DEPLOYMENT], ids=["401 in mid-run", "404 after a deployment is deleted"]
)
def test_a_refusal_in_mid_run_stops_the_job_and_resume_loses_nothing(
    docs: FaultDatabase, dice: random.Random, refusal: str
) -> None:
    rows, _ = fill(docs, dice)
    workers = [docs.worker("answer") for _ in range(dice.randint(1, 3))]
    workers[0].wait_at("answer")
    workers[0].step()
    docs.fault("error", refusal)
    docs.execute("INSERT INTO docs VALUES (%s, 'written when the service begins to refuse')", [rows + 1])
    for worker in workers:
        worker.open()
    for worker in workers:
        worker.finish()
    status = docs.status()
    assert status["state"] == "stopped"
    assert refusal.rstrip(".") in status["reason"]
    assert docs.calls("refused") <= len(workers)
    docs.execute("INSERT INTO docs VALUES (%s, 'written while the job stood')", [rows + 2])
    docs.end(state="stopped", refused=len(workers))
