"""Enrichments of the sample, declared in YAML, under a low quota and with a service that fails now and then."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.stack.conftest import StackAtWork, Workplace

LABELS = ["staff: number of employees", "site: the place that it serves"]
SENTIMENT = {"table": "public.validation_results", "template": "{result}", "operation": "sentiment"}


def of_vendors(operation: Any, **more: Any) -> dict[str, Any]:
    """Return a job on what the sample says of its 60 vendors, of whom some are silent."""
    return {"table": "public.vendors", "template": "{description}", "operation": operation, **more}


LANGUAGE = {
    "tongue": of_vendors("language"),
    "phrases": of_vendors("key_phrases"),
    "names": of_vendors("entities", target={"kind": "table"}),
    "clean": of_vendors({"kind": "pii", "language": "en"}),
    "gist": of_vendors({"kind": "summary", "sentences": 1}),
}
CHAT = {
    "note": of_vendors({"kind": "generate", "system": "Be brief."}, deployment="chat"),
    "facts": of_vendors({"kind": "extract", "labels": LABELS}, deployment="chat", target={"kind": "table"}),
    "large": of_vendors("is_true", deployment="chat"),
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


def test_every_operation_is_filled_through_faults_and_pays_for_a_changed_row_alone(sample: StackAtWork) -> None:
    sample.edit(lambda values: values.update(jobs={"mood": SENTIMENT, **LANGUAGE, **CHAT}))
    printed = sample.run("preview")
    assert "sentiment of all of them is about" in printed
    assert "text records in" in printed
    assert "at a price that is not known here" in printed
    for service, kind in (("openai", "429"), ("language", "503")):
        sample.place.run("fault", kind, "--requests", "2", "--service", service, module="emulator")
    sample.up()
    with sample.connect() as connection:
        [(texts, moods)] = connection.execute(
            b"SELECT count(DISTINCT result) FILTER (WHERE result ~ '\\S'), count(sentiment) FROM validation_results"
        ).fetchall()
        [(said,)] = connection.execute(b"SELECT count(description) FROM vendors").fetchall()
        found = connection.execute(
            b"SELECT name, rows - embedded - empty, embedded, pending, quarantined FROM vectorize.status"
        )
        assert {row[0]: row[1:] for row in found} == {
            name: (0, moods if name == "mood" else said, 0, 0) for name in ("mood", *LANGUAGE, *CHAT)
        }
        assert texts <= billed(sample, "language") - len(LANGUAGE) * said <= moods
        assert billed(sample, "chat") == len(CHAT) * said
        [odd] = connection.execute(
            b"SELECT count(*) FILTER (WHERE language <> 'en' OR key_phrases = '{}'), "
            b"count(*) FILTER (WHERE strpos(description, summary) = 0 OR is_true IS NULL OR generate = '' OR pii = '') "
            b"FROM vendors WHERE description IS NOT NULL"
        ).fetchall()
        assert odd == (0, 0)
        [sides] = connection.execute(
            b'SELECT (SELECT count(*) FROM vendors_entities WHERE entities @> \'[{"category": "Quantity"}]\'), '
            b"(SELECT count(*) FROM vendors_extract WHERE extract ->> 'staff' ~ '^[0-9,]+')"
        ).fetchall()
        assert sides == (said, said)
        sample.run("up", "--expect-no-changes")
        sample.run("refresh", "--expect-no-changes")
        before = spend(sample), billed(sample, "language"), billed(sample, "chat")
        connection.execute(
            b"UPDATE vendors SET description = 'A supplier with 12 sailors in Oslo. The work is excellent.' "
            b"WHERE id = (SELECT min(id) FROM vendors WHERE description IS NOT NULL)"
        )
        connection.execute(b"UPDATE vendors SET category = category || ' again'")
        connection.execute(b"CALL vectorize.work()")
        assert connection.execute(b"SELECT is_true FROM vendors WHERE summary ~ '12 sailors'").fetchall() == [(True,)]
    after = spend(sample), billed(sample, "language"), billed(sample, "chat")
    assert after[0] == {name: calls + (name != "mood") for name, calls in before[0].items()}
    assert (after[1] - before[1], after[2] - before[2]) == (len(LANGUAGE), len(CHAT))


def test_another_argument_is_previewed_and_another_operation_refused(sample: StackAtWork) -> None:
    sample.edit(lambda values: values["jobs"]["mood"].update(operation={"kind": "sentiment", "language": "de"}))
    assert "job.arguments changed, so every row is done again (sentiment)" in sample.run("preview")
    sample.edit(lambda values: values["jobs"]["mood"].update(operation="key_phrases"))
    printed = sample.run("preview", code=None)
    assert "job.operation" in printed
    assert "what it wrote cannot become that in place" in printed
    sample.edit(lambda values: values["jobs"].update(mood=SENTIMENT))
    sample.run("up", "--expect-no-changes")
