"""Enrichments of the sample, declared in YAML, under a low quota and with a service that fails now and then."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.stack.conftest import StackAtWork, Workplace

SENTIMENT = {"table": "public.validation_results", "template": "{result}", "operation": "sentiment"}
DUTIES = {
    "table": "public.statement_chunks",
    "template": "{heading}\n{content}",
    "operation": {"kind": "extract", "labels": ["due: date - when it is due", "party: the company that must do it"]},
    "deployment": "chat",
    "target": {"kind": "table", "column": "duties"},
    "key": ["id"],
}


@pytest.fixture(scope="module")
def sample(place: Workplace, small: dict[str, Any]) -> Iterator[StackAtWork]:
    stack = place.stack("enriched")
    values = {**small, "namePrefix": "enriched", "sample": True}
    values["deployments"] = {**small["deployments"], "chat": {"model": "gpt-5.4-mini", "capacity": 100}}
    values["ai"] = {**small["ai"], "language": {"enabled": True, "sku": "S", "requestsPerMinute": 240}}
    stack.write(**values)
    stack.up()
    stack.run("refresh")
    yield stack
    stack.run("destroy")


def spend(stack: StackAtWork) -> dict[str, int]:
    """Return the requests of each job so far, as its spend has them."""
    return {row["job"]: row["requests"] for row in stack.place.data("spend", "--stack", stack.name)}


def billed(stack: StackAtWork, service: str) -> int:
    """Return the texts that the services of this stack's accounts were paid for."""
    usage = stack.place.data("status", module="emulator")["usage"]
    return sum(found.get(service, {}).get("inputs", 0) for name, found in usage.items() if "enriched" in name)


def test_they_are_previewed_filled_through_faults_and_pay_for_a_changed_row_alone(sample: StackAtWork) -> None:
    sample.edit(lambda values: values.update(jobs={"mood": SENTIMENT, "duties": DUTIES}))
    printed = sample.run("preview")
    assert "sentiment of all of them is about" in printed
    assert "text records in" in printed
    assert "at a price that is not known here" in printed
    for service in ("openai", "language"):
        sample.place.run("fault", "503", "--requests", "1", "--service", service, module="emulator")
    sample.up()
    with sample.connect() as connection:
        texts, empty, moods = connection.execute(
            b"SELECT count(DISTINCT result) FILTER (WHERE result ~ '\\S'), "
            b"count(*) FILTER (WHERE coalesce(result, '') !~ '\\S'), count(sentiment) FROM validation_results"
        ).fetchone() or (0, 0, 0)
        rows, duties = connection.execute(
            b"SELECT (SELECT count(*) FROM statement_chunks WHERE heading || coalesce(content, '') ~ '\\S'), "
            b"(SELECT count(*) FROM statement_chunks_duties WHERE duties ?& '{due,party}')"
        ).fetchone() or (0, 0)
        assert moods > 0
        assert duties == rows
        assert connection.execute(b"SELECT * FROM vectorize.failures").fetchall() == []
        assert connection.execute(
            b"SELECT name, operation, embedded, empty, pending FROM vectorize.status ORDER BY 1"
        ).fetchall() == [("duties", "extract", duties, 0, 0), ("mood", "sentiment", moods, empty, 0)]
        assert billed(sample, "language") <= moods
        assert billed(sample, "language") >= texts
        assert billed(sample, "chat") == duties
        sample.run("up", "--expect-no-changes")
        sample.run("refresh", "--expect-no-changes")
        before = spend(sample), billed(sample, "language"), billed(sample, "chat")
        [(changed,)] = connection.execute(
            b"UPDATE validation_results SET result = 'The work was excellent and everyone is delighted.' "
            b"WHERE id = (SELECT min(id) FROM validation_results) RETURNING id"
        ).fetchall()
        connection.execute(b"UPDATE validation_results SET passed = NOT passed")
        connection.execute(b"CALL vectorize.work()")
        mood = connection.execute(b"SELECT sentiment FROM validation_results WHERE id = %s", [changed]).fetchone()
        assert mood == ("positive",)
    after = spend(sample), billed(sample, "language"), billed(sample, "chat")
    assert after[0] == {**before[0], "mood": before[0]["mood"] + 1}
    assert (after[1] - before[1], after[2] - before[2]) == (1, 0)


def test_another_argument_is_previewed_and_another_operation_refused(sample: StackAtWork) -> None:
    sample.edit(lambda values: values["jobs"]["mood"].update(operation={"kind": "sentiment", "language": "de"}))
    assert "job.arguments changed, so every row is done again (sentiment)" in sample.run("preview")
    sample.edit(lambda values: values["jobs"]["mood"].update(operation="key_phrases"))
    printed = sample.run("preview", code=None)
    assert "job.operation" in printed
    assert "what it wrote cannot become that in place" in printed
    sample.edit(lambda values: values["jobs"].update(mood=SENTIMENT))
    sample.run("up", "--expect-no-changes")
