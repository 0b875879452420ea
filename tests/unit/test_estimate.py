"""Estimates: the arithmetic, the quota's two limits, and honest words where nothing is known."""

from __future__ import annotations

from typing import Any

import pytest

from components.estimate import NOT_KNOWN, absence, estimate, sentence
from components.job_quota import JobQuota
from components.job_settings import JobSettings

AS_OF = "2026-01-02T03:04:05+00:00"


def job(**changes: Any) -> JobSettings:
    return JobSettings.model_validate(
        {"table": "public.invoices", "template": "{title}: {notes}", "deployment": "embedding", **changes}
    )


def deployment() -> JobQuota:
    return JobQuota("embedding", "text-embedding-3-small", 1536, 10_000, 60, 0.02)


def recorded(rows: Any, **columns: float) -> dict[str, Any]:
    return {"public.invoices": {"rows": rows, "columns": columns}}


def test_tokens_are_bytes_over_four_with_the_templates_own_text() -> None:
    known = estimate(job(), deployment(), recorded(1000.0, title=20, notes=178), AS_OF)
    assert known is not None
    assert (known.rows, known.tokens, known.requests) == (1000, 50_000, 77)  # 13 texts in one: see below
    assert known.cost_usd == pytest.approx(50_000 * 0.02 / 1_000_000)
    assert known.minutes == 5.0
    assert known.to_props() == {
        "rows": 1000, "tokens": 50_000, "requests": 77, "costUsd": 0.001, "minutes": 5.0, "asOf": AS_OF,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("capacity", "requests"),
    [(10_000, 77), (60_000, 25), (350_000, 10)],
    ids=["what four requests have", "two seconds of the quota", "the job's batch"],
)
def test_a_request_holds_no_more_of_the_quota_than_the_engine_sends_at_once(capacity: int, requests: int) -> None:
    quota = JobQuota("embedding", "text-embedding-3-small", 1536, capacity, capacity * 6 // 1000, 0.02)
    known = estimate(job(), quota, recorded(1000.0, title=20, notes=178), AS_OF)
    assert known is not None
    assert known.requests == requests


def test_the_requests_can_be_the_slower_limit() -> None:
    known = estimate(job(batchSize=1), deployment(), recorded(600, title=1, notes=1), AS_OF)
    assert known is not None
    assert known.minutes == 10.0  # 600 requests at 60 a minute; the tokens alone would take a few seconds


def test_an_input_is_never_longer_than_the_model_takes() -> None:
    known = estimate(job(), deployment(), recorded(1, notes=1e9), AS_OF)
    assert known is not None
    assert known.tokens == 8192


@pytest.mark.parametrize(
    "statistics",
    [None, {}, {"public.other": {"rows": 1}}, {"public.invoices": {}}, {"public.invoices": {"rows": None}}],
)
def test_nothing_recorded_is_no_estimate(statistics: Any) -> None:
    assert estimate(job(), deployment(), statistics, None) is None
    assert sentence(None, job()) == f"public.invoices: {NOT_KNOWN}"
    assert "so does `make refresh`" in NOT_KNOWN


def test_an_empty_table_costs_nothing() -> None:
    known = estimate(job(), deployment(), recorded(0, notes=5), AS_OF)
    assert known is not None
    assert "0 rows; embedding all of them is about 0 tokens, 0.00 USD, under a minute" in sentence(known, job())


def test_the_sentence_has_rows_tokens_money_minutes_and_a_date() -> None:
    known = estimate(job(timeoutSeconds=60), deployment(), recorded(2_000_000, notes=400), AS_OF)
    text = sentence(known, job(timeoutSeconds=60))
    for part in (
        "2,000,000 rows",
        "202,000,000 tokens",
        "4.04 USD",
        "about 20,200 min",
        AS_OF,
        "longer than timeoutSeconds",
    ):
        assert part in text


def test_language_costs_text_records_in_requests_of_many_texts() -> None:
    sentiment = job(operation="sentiment", deployment=None)
    quota = JobQuota("azure_cognitive.analyze_sentiment", "language", None, None, 300, None)
    known = estimate(sentiment, quota, recorded(6000, title=20, notes=1500), AS_OF)
    assert known is not None
    assert known.to_props() == {
        "rows": 6000, "tokens": 0, "requests": 600, "minutes": 2.0, "asOf": AS_OF, "records": 12_000,
    }  # fmt: skip
    said = sentence(known, sentiment)
    assert "sentiment of all of them is about 12,000 text records in 600 requests" in said
    assert "at a price that is not known here" in said


def test_a_chat_model_costs_a_request_a_row_with_what_stands_around_the_text() -> None:
    quota = JobQuota("chat", "gpt-5.4-mini", None, 100_000, 600, None)
    alone = estimate(job(operation="is_true", deployment="chat"), quota, recorded(100, notes=400), AS_OF)
    labels = {"kind": "extract", "labels": ["payer", "due"]}
    more = estimate(job(operation=labels, deployment="chat"), quota, recorded(100, notes=400), AS_OF)
    assert alone is not None
    assert more is not None
    assert (alone.requests, alone.cost_usd) == (100, None)
    assert 100 * 101 < alone.tokens < more.tokens
    assert more.tokens >= 100 * (101 + 60)


def test_what_is_done_is_no_bill_that_is_still_to_come() -> None:
    known = estimate(job(), deployment(), recorded(1000, title=20, notes=178), AS_OF)
    assert "1,000 rows; embedding all of them is about 50,000 tokens" in sentence(known, job())
    assert "1,000 rows, 990 done; embedding all of them anew would be about 50,000 tokens" in sentence(
        known, job(), done=990
    )


def test_a_table_that_was_not_recorded_is_named_with_its_path_and_what_to_do() -> None:
    said = absence("notes", job(), {"public.other": {"rows": 1}}, AS_OF, ())
    assert said.startswith("jobs.notes.table: the database had no table public.invoices that could be read, as of 2026")
    assert "`make refresh` records it" in said
    assert absence("notes", job(), None, None, ()) == ""
    assert absence("notes", job(table="public.Invoices"), recorded(1), AS_OF, ()) == ""
    assert absence("notes", job(), {}, AS_OF, {"public.invoices"}) == ""
