"""What `make status` says of a stack and of its jobs."""

from __future__ import annotations

import re
from dataclasses import fields, replace

import pytest

from database.vectorization import JobStatus
from tests.unit.test_worker_arguments import JOB
from tools.commands.status import facts, waiting
from tools.commands.summary import counted, done, jobs_table
from tools.watch.page import line

IDLE = {"state": "active", "pending": 3, "leased": 0, "rowsPerSecond": "0.0"}


def test_rows_that_wait_for_nobody_are_told_with_what_to_do() -> None:
    [line] = waiting({"line-items": IDLE})
    assert line.startswith("line-items: 3 waiting, and nobody works on it.")
    assert "database.worker" in line


@pytest.mark.parametrize(
    "change", [{"pending": 0}, {"leased": 2}, {"rowsPerSecond": "4.5"}, {"state": "paused"}, {"pending": None}]
)
def test_a_job_that_is_done_or_under_way_or_paused_is_not(change: dict[str, object]) -> None:
    assert waiting({"line-items": IDLE | change}) == []


def test_all_names_of_the_data_are_camel_case() -> None:
    names = set(facts(JOB))
    assert len(names) == len(fields(JobStatus)) - 1
    assert {"costUsd", "nextGeneration", "pendingSeconds", "caughtUp", "lastError"} <= names
    assert all(re.fullmatch(r"[a-z]+([A-Z][a-z]*)*", name) for name in names)


def test_a_row_without_a_text_is_done_wherever_rows_are_counted() -> None:
    job = replace(JOB, rows=10, embedded=4, empty=3, pending=2, leased=1)
    assert done(facts(job)) == 7
    assert done({"embedded": 4.0, "rows": 10.0}) == 4  # as an engine's output that an older version recorded
    assert done({}) is None
    assert "7 of 10 rows (3 without text)" in job.line()
    row = {**facts(job), "rows_per_second": 0, "tokens_per_second": 0, "index_state": "none", "cost_usd": 0}
    assert "7 of 10 rows (70 %)" in line({**row, "name": "docs", "eta_seconds": None})


def test_a_row_with_an_older_vector_is_not_done_wherever_rows_are_counted() -> None:
    job = replace(JOB, rows=10, embedded=10, pending=2, leased=1)
    assert done(facts(job)) == 7
    assert "7 of 10 rows" in job.line()
    filling = replace(job, next_generation=2, next_embedded=7)
    assert done(facts(filling)) == 10
    assert "10 of 10 rows, 7 of them in generation 2" in filling.line()
    assert list(jobs_table({"docs": {"embedded": 10, "rows": 10, "remaining": 3}}, 140).columns[3].cells) == ["7 of 10"]


def test_what_an_up_left_for_later_is_in_its_table() -> None:
    table = jobs_table({"docs": {"state": "active", "rows": 10, "embedded": 4, "remaining": 6}}, 140)
    assert [column.header for column in table.columns] == ["job", "table", "state", "done", "pending", "USD"]
    assert list(table.columns[4].cells) == ["6"]


def test_resources_are_counted_with_the_components_that_the_engine_counts_too() -> None:
    assert counted({"resources": 23, "components": 6}) == "23 resources in 6 components"
    assert counted({"resources": 0, "components": 0}) == "0 resources"
