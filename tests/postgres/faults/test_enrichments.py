# ruff: noqa: E501 - statements read better on one line
"""Faults of Language and of chat models: the promise that holds for vectors holds for every operation."""

from __future__ import annotations

import random
from typing import Any

import pytest
from psycopg.types.json import Jsonb

from tests.postgres.faults.drill import FaultDatabase, FaultServer

OPERATIONS = {
    "sentiment": ("azure_cognitive.analyze_sentiment", "azure_cognitive.label_of(body)"),
    "key_phrases": ("azure_cognitive.extract_key_phrases", "string_to_array(body, ' ')"),
    "is_true": ("azure_ai.is_true", "left(md5(body), 1) < '8'"),
}


class EnrichedDatabase(FaultDatabase):
    """The job `docs` with another operation; its values go to the column that vectors go to in other drills."""

    operation = "sentiment"

    def start_operation(self, operation: str, target: str) -> None:
        self.operation, self.target = operation, target
        self.execute("SELECT vectorize.set_deployment('chat', 'gpt-5.4-mini', NULL, 1000000000, 100000000, NULL)")
        self.execute(
            "SELECT vectorize.set_deployment(calls, 'language', NULL, NULL, 100000000, NULL) FROM vectorize.operations() WHERE needs = 'language'"
        )
        self.execute("CREATE TABLE docs (id bigint PRIMARY KEY, body text, n integer NOT NULL DEFAULT 0)")
        spec = {
            "name": "docs",
            "table": "public.docs",
            "template": "{body}",
            "operation": operation,
            "column": "embedding",
            "target": target,
        }
        self.execute(
            "CALL vectorize.define(%s)", [Jsonb(spec | ({"deployment": "chat"} if operation == "is_true" else {}))]
        )
        self.batch = self.value("SELECT batch_size FROM vectorize.job")
        self.watch_writes()

    @property
    def calls_of(self) -> str:
        return OPERATIONS[self.operation][0]

    def rows_wrong(self, text: str = "body") -> list[tuple[Any, ...]]:
        assert text == "body"
        table = "docs" if self.target == "column" else "docs FULL JOIN docs_embedding USING (id)"
        return self.rows(
            f"SELECT id, body FROM {table} WHERE embedding IS DISTINCT FROM CASE WHEN body ~ '\\S' THEN {OPERATIONS[self.operation][1]} END ORDER BY id"
        )


@pytest.fixture
def docs(server: FaultServer, target: str, operation: str) -> Any:
    db = server.new_database(EnrichedDatabase)
    assert isinstance(db, EnrichedDatabase)
    db.counts_calls = True
    db.start_operation(operation, target)
    yield db
    db.close()


@pytest.fixture(params=OPERATIONS)
def operation(request: pytest.FixtureRequest) -> str:
    chosen: str = request.param
    return chosen


def fill(db: FaultDatabase, dice: random.Random, rows: int = 0) -> int:
    rows = rows or dice.randint(12, 40)
    db.execute("INSERT INTO docs SELECT g, 'text ' || g FROM generate_series(1, %s) AS g", [rows])
    return rows


@pytest.mark.parametrize(
    "refusal",
    [
        "429: Requests have exceeded the rate limit. Please retry after 1 milliseconds.",
        "500: The server had an error",
        "503: Try again",
        "408: no answer",
    ],
)
def test_refusals_pass_and_nothing_is_lost_or_paid_twice(
    docs: EnrichedDatabase, dice: random.Random, refusal: str
) -> None:
    fill(docs, dice)
    calls = dice.randint(1, 2)
    docs.fault("error", f"{docs.calls_of}: {refusal}", calls=calls)
    docs.work_until(lambda: docs.calls("refused") >= calls, workers=dice.randint(1, 3))
    docs.end(refused=calls)


def test_one_bad_text_is_its_own_failure_alone(docs: EnrichedDatabase, dice: random.Random) -> None:
    rows = fill(docs, dice)
    bad = dice.randint(1, rows)
    docs.fault("error", f"{docs.calls_of}: InvalidDocument: Invalid document in request.", pattern=f"text {bad}")
    docs.work_together(dice.randint(1, 2))
    assert docs.rows("SELECT key FROM vectorize.failures") == [({"id": bad},)]
    assert [row[0] for row in docs.rows_wrong()] == [bad]
    docs.mend()
    docs.execute("CALL vectorize.retry('docs')")
    docs.end(refused=docs.calls_to_find(1))


@pytest.mark.parametrize(
    "refusal",
    [
        "401: Access denied due to invalid subscription key",
        "404: Resource not found",
        "InvalidRequest: Invalid Request.\n\nInvalidParameterValue: not in this region",
    ],
)
def test_a_refusal_that_a_person_must_mend_stops_the_job(
    docs: EnrichedDatabase, dice: random.Random, refusal: str
) -> None:
    if docs.operation == "is_true" and "Parameter" in refusal:
        refusal = "403: Forbidden"
    fill(docs, dice, 30)
    worker = docs.worker("answer")
    worker.wait_at("answer")
    worker.step()
    docs.fault("error", f"{docs.calls_of}: {refusal}")
    worker.open()
    worker.finish()
    status = docs.status()
    assert status["state"] == "stopped"
    assert refusal.splitlines()[0].rstrip(".") in status["reason"]
    docs.execute("INSERT INTO docs VALUES (1000, 'written while the job stood')")
    docs.end(state="stopped", refused=1)


@pytest.mark.parametrize("gate", ["call", "answer", "settle"])
def test_a_killed_worker_costs_one_batch_at_most(docs: EnrichedDatabase, dice: random.Random, gate: str) -> None:
    fill(docs, dice)
    worker = docs.worker(gate)
    worker.wait_at(gate)
    worker.kill()
    docs.end(twice=docs.batch)


def test_a_row_that_changes_under_way_gets_the_value_of_its_last_text(
    docs: EnrichedDatabase, dice: random.Random
) -> None:
    rows = fill(docs, dice)
    changed = dice.sample(range(1, rows + 1), 5)
    worker = docs.worker("answer")
    worker.wait_at("answer")
    docs.execute("UPDATE docs SET body = 'changed ' || id WHERE id = ANY (%s)", [changed])
    docs.execute("DELETE FROM docs WHERE id = ANY (%s)", [changed[:2]])
    worker.open()
    worker.finish()
    docs.end()
