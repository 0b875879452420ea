# ruff: noqa: E501 - statements read better on one line
"""Enrichment jobs: each operation's values, what is paid for and what is not, and what is refused."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import psycopg
import pytest
from psycopg.types.json import Jsonb

from components.catalogue.operations import OPERATIONS
from tests.postgres.vector_server import VectorDatabase, digest

SCHEMA = {"name": "verdict", "strict": True, "schema": {"type": "object"}}


class Case(NamedTuple):
    """An operation with its arguments, the most texts in a request, its column's type, and the value that a row `d` must have."""

    operation: str
    arguments: dict[str, Any]
    most: int
    type: str
    value: str


CASES = {
    "sentiment": Case("sentiment", {}, 10, "text", "azure_cognitive.label_of(d.body)"),
    "sentiment in a language, with scores": Case("sentiment", {"language": "de"}, 10, "jsonb",
        "jsonb_build_object('sentiment', azure_cognitive.label_of(d.body, 'de'), 'positive_score', length(d.body), 'neutral_score', 0.5, 'negative_score', 0)"),
    "language": Case("language", {}, 1000, "text", "left(md5(d.body), 2)"),
    "key phrases": Case("key_phrases", {}, 10, "text[]", "string_to_array(d.body, ' ')"),
    "entities": Case("entities", {}, 5, "jsonb",
        "jsonb_build_array(jsonb_build_object('text', upper(d.body), 'category', 'Thing', 'subcategory', NULL, 'sure', 0.5))"),
    "redaction": Case("pii", {"domain": "phi"}, 5, "text", r"regexp_replace(d.body, '\d', '*', 'g')"),
    "redaction, with what was found": Case("pii", {"domain": "phi"}, 5, "jsonb",
        r"jsonb_build_object('redacted_text', regexp_replace(d.body, '\d', '*', 'g'), 'entities', jsonb_build_array(jsonb_build_object('text', d.body, 'category', 'phi', 'subcategory', NULL, 'sure', 0.5)))"),
    "summary": Case("summary", {"sentences": 2}, 25, "text", "'In short: ' || d.body || ' In short: ' || d.body"),
    "summary as a list": Case("summary", {"sentences": 1}, 25, "text[]", "ARRAY['In short: ' || d.body]"),
    "generate": Case("generate", {"system": "Be brief."}, 1, "text", "'chat, told Be brief., says ' || md5(d.body)"),
    "generate by a schema": Case("generate", {"json_schema": SCHEMA}, 1, "jsonb", "jsonb_build_object('verdict', md5(d.body))"),
    "extract": Case("extract", {"labels": ["due: date - when payment is due", "payer"]}, 1, "jsonb",
        "jsonb_build_object('due', md5(d.body || 'due: date - when payment is due'), 'payer', md5(d.body || 'payer'))"),
    "is true": Case("is_true", {}, 1, "boolean", "left(md5(d.body), 1) < '8'"),
}  # fmt: skip


@pytest.fixture(params=CASES.values(), ids=CASES.keys())
def case(request: pytest.FixtureRequest) -> Case:
    chosen: Case = request.param
    return chosen


@pytest.fixture
def db(db: VectorDatabase) -> VectorDatabase:
    """A database that knows a chat model and every function of Language, none of them a hindrance."""
    db.execute("SELECT vectorize.set_deployment('chat', 'gpt-5.4-mini', NULL, 350000000, 2100000, NULL)")
    db.execute(
        "SELECT vectorize.set_deployment(calls, 'language', NULL, NULL, 100000000, NULL) FROM vectorize.operations() WHERE needs = 'language'"
    )
    db.execute("CREATE TABLE docs (id bigint PRIMARY KEY, body text, n integer NOT NULL DEFAULT 0)")
    return db


def fill(db: VectorDatabase, rows: int, first: int = 1) -> None:
    db.execute(
        "INSERT INTO docs SELECT g, 'text ' || g FROM generate_series(%s::int, %s) AS g", [first, first + rows - 1]
    )


def define(db: VectorDatabase, operation: str, **spec: Any) -> None:
    """Define the job `docs`; its values go to the column `found`."""
    chat = operation in ("generate", "extract", "is_true")
    full = {"name": "docs", "table": "public.docs", "template": "{body}", "operation": operation, "column": "found"}
    db.execute("CALL vectorize.define(%s)", [Jsonb(full | ({"deployment": "chat"} if chat else {}) | spec)])


def wrong(db: VectorDatabase, value: str, target: str = "column") -> list[tuple[Any, ...]]:
    """Return the rows whose value is not that of their present text; orphans of a side table count too."""
    table = "docs AS d" if target == "column" else "docs AS d FULL JOIN docs_found AS f USING (id)"
    return db.rows(
        f"SELECT * FROM (SELECT id, found, CASE WHEN d.body ~ '\\S' THEN {value} END AS needs FROM {table}) AS x WHERE found IS DISTINCT FROM needs"
    )


def test_the_program_and_the_engine_have_the_same_operations(db: VectorDatabase) -> None:
    found = db.rows(
        "SELECT operation, needs, calls, types, most, arguments FROM vectorize.operations() WHERE types IS NOT NULL AND needs IS NOT NULL"
    )
    known = [(one.name, one.needs, one.calls, [*one.types], one.most, [*one.arguments]) for one in OPERATIONS.values()]
    assert found == known
    assert {case.operation for case in CASES.values()} == set(OPERATIONS)


@pytest.mark.parametrize("target", ["column", "table"])
def test_every_operation_gives_each_row_its_value_and_pays_for_what_changed_alone(
    db: VectorDatabase, case: Case, target: str
) -> None:
    fill(db, 23)
    db.execute("INSERT INTO docs VALUES (100, ''), (101, NULL), (102, 'text 7')")
    define(db, case.operation, arguments=case.arguments, type=case.type, target=target)
    assert db.work()["embedded"] == 24
    assert wrong(db, case.value, target) == []
    assert db.calls() <= math.ceil(26 / case.most)  # rows without a text, or with the same one, are in batches too
    assert set(db.paid()) == {digest(f"text {n}") for n in range(1, 24)}
    assert db.work() == {"embedded": 0, "requests": 0}
    paid = db.paid()
    db.execute("UPDATE docs SET n = n + 1")
    db.execute("UPDATE docs SET body = 'another text' WHERE id = 3")
    db.execute("UPDATE docs SET body = '' WHERE id = 4")
    db.execute("DELETE FROM docs WHERE id = 5")
    db.work()
    assert wrong(db, case.value, target) == []
    assert db.paid() - paid == {digest("another text"): 1}
    status = db.status()
    assert (status["operation"], status["rows"], status["embedded"], status["empty"], status["pending"]) == (
        case.operation,
        25,
        22,
        3,
        0,
    )
    assert db.value("CALL vectorize.verify('docs')") == {"missing": 0, "stale": 0, "orphaned": 0}
    assert db.work() == {"embedded": 0, "requests": 0}


def test_a_value_that_somebody_removed_is_found_and_mended(db: VectorDatabase, case: Case) -> None:
    fill(db, 6)
    define(db, case.operation, arguments=case.arguments, type=case.type)
    db.work()
    db.execute("UPDATE docs SET found = NULL WHERE id = 2")
    assert db.value("CALL vectorize.verify('docs')") == {"missing": 0, "stale": 1, "orphaned": 0}
    db.work()
    assert wrong(db, case.value) == []
    assert db.paid()[digest("text 2")] == 2


@pytest.mark.parametrize(
    ("operation", "before", "after"),
    [
        ("sentiment", {}, {"language": "de"}),
        ("pii", {"domain": "none"}, {"domain": "phi"}),
        ("summary", {"sentences": 1}, {"sentences": 2}),
        ("generate", {"system": "Be brief."}, {"system": "Be long."}),
        ("extract", {"labels": ["payer"]}, {"labels": ["payer", "due"]}),
    ],
)
def test_other_arguments_do_every_row_again_and_the_same_ones_none(
    db: VectorDatabase, operation: str, before: dict[str, Any], after: dict[str, Any]
) -> None:
    fill(db, 12)
    define(db, operation, arguments=before)
    db.work()
    db.notices.clear()
    define(db, operation, arguments=before)
    assert db.notices == []
    assert db.work() == {"embedded": 0, "requests": 0}
    define(db, operation, arguments=after)
    assert any("arguments was" in line for line in db.notices)
    assert any(f"every row is done again ({operation})" in line for line in db.notices)
    assert db.work()["embedded"] == 12
    assert set(db.paid().values()) == {2}
    assert db.rows(
        "SELECT column_name FROM information_schema.columns WHERE table_name = 'docs' AND column_name LIKE 'found%%'",
        [],
    ) == [("found",)]


def test_another_prompt_or_model_does_every_row_again_in_its_place(db: VectorDatabase) -> None:
    fill(db, 4)
    define(db, "generate")
    db.work()
    define(db, "generate", template="Shorten this: {body}")
    assert db.work()["embedded"] == 4
    assert wrong(db, "'chat, told You are a helpful assistant., says ' || md5('Shorten this: ' || d.body)") == []
    db.execute("SELECT vectorize.set_deployment('chat', 'gpt-5.5', NULL, 350000000, 2100000, NULL)")
    define(db, "generate", template="Shorten this: {body}")
    assert db.work()["embedded"] == 4
    assert db.rows("SELECT generation, standing FROM vectorize.generations") == [(1, "current")]


def test_what_is_open_costs_once_and_is_no_failure(db: VectorDatabase) -> None:
    db.execute("INSERT INTO docs VALUES (1, 'perhaps'), (2, 'text 2')")
    define(db, "is_true")
    db.work()
    assert db.rows("SELECT id, found IS NULL FROM docs ORDER BY id") == [(1, True), (2, False)]
    assert db.value("CALL vectorize.verify('docs')") == {"missing": 0, "stale": 0, "orphaned": 0}
    assert db.work() == {"embedded": 0, "requests": 0}
    assert (db.status()["empty"], db.status()["quarantined"]) == (1, 0)
    db.execute("UPDATE docs SET body = 'perhaps' WHERE id = 2")
    db.work()
    assert db.rows("SELECT id FROM docs WHERE found IS NOT NULL") == []


@pytest.mark.parametrize("operation", ["sentiment", "language", "key_phrases", "summary"])
def test_a_text_without_an_answer_is_seen_and_its_neighbours_are_paid_once(db: VectorDatabase, operation: str) -> None:
    fill(db, 9)
    db.fault("silent", pattern="text 4")
    define(db, operation)
    db.work()
    assert db.rows("SELECT key, error FROM vectorize.failures") == [
        ({"id": 4}, "the service gave no answer for this text")
    ]
    assert db.rows("SELECT id FROM docs WHERE found IS NULL") == [(4,)]
    assert set(db.paid().values()) == {1}
    db.mend()
    db.execute("CALL vectorize.retry('docs')")
    db.work()
    assert db.rows("SELECT id FROM docs WHERE found IS NULL") == []


def test_no_phrase_found_is_a_value(db: VectorDatabase) -> None:
    db.execute("INSERT INTO docs VALUES (1, 'nothing to see')")
    define(db, "key_phrases")
    db.work()
    assert db.rows("SELECT found FROM docs") == [([],)]
    assert db.work() == {"embedded": 0, "requests": 0}


def test_a_text_over_the_services_limit_goes_alone(db: VectorDatabase) -> None:
    fill(db, 10)
    db.execute("UPDATE docs SET body = repeat('x', 5121) WHERE id = 5")
    define(db, "sentiment")
    db.work()
    [(key, error)] = db.rows("SELECT key, error FROM vectorize.failures")
    assert key == {"id": 5}
    assert "too large" in error
    assert wrong(db, "azure_cognitive.label_of(d.body)") == [
        (5, None, db.value("SELECT azure_cognitive.label_of(body) FROM docs WHERE id = 5"))
    ]
    assert max(count for text, count in db.paid().items() if text != digest("x" * 5121)) == 1
    db.execute("UPDATE docs SET body = 'short now' WHERE id = 5")
    db.work()
    assert wrong(db, "azure_cognitive.label_of(d.body)") == []


def test_an_answer_that_is_no_json_is_its_texts_failure(db: VectorDatabase) -> None:
    fill(db, 3)
    define(db, "generate", arguments={"json_schema": SCHEMA}, type="jsonb")
    with db.connect("azuresu") as conn:
        conn.execute(
            "CREATE OR REPLACE FUNCTION azure_ai.generate(prompt text, json_schema jsonb, model text DEFAULT 'x', system_prompt text DEFAULT 'x') "
            "RETURNS jsonb LANGUAGE sql AS $$ SELECT CASE WHEN prompt = 'text 2' THEN '{\"cut' ELSE '{}' END::jsonb $$"
        )
    db.work()
    assert [row[0] for row in db.rows("SELECT key FROM vectorize.failures")] == [{"id": 2}]
    assert db.rows("SELECT id FROM docs WHERE found = '{}' ORDER BY id") == [(1,), (3,)]


def test_an_estimate_and_the_spend_know_calls_and_no_price(db: VectorDatabase) -> None:
    fill(db, 23)
    define(db, "sentiment")
    assert db.rows("SELECT rows, tokens, requests, cost_usd FROM vectorize.estimate('docs')") == [(23, 0, 3, None)]
    db.work()
    assert db.rows("SELECT requests, tokens, cost_usd FROM vectorize.spend") == [(3, 0, None)]
    assert (db.status()["requests"], db.status()["tokens"], db.status()["cost_usd"]) == (3, 0, None)
    db.execute("UPDATE docs SET body = 'a changed text' WHERE id = 2")
    db.work()
    assert db.rows("SELECT requests FROM vectorize.spend") == [(4,)]


def test_a_model_is_paced_by_the_tokens_around_the_text_too(db: VectorDatabase) -> None:
    fill(db, 5)
    define(db, "generate", arguments={"system": "word " * 400})
    rows, tokens, requests = db.rows("SELECT rows, tokens, requests FROM vectorize.estimate('docs')")[0]
    assert (rows, requests) == (5, 5)
    assert tokens > 5 * 600, "500 tokens of the system's prompt and 200 of the answer, each time"
    db.work()
    assert db.status()["tokens"] == pytest.approx(tokens, rel=0.1)
    level = db.value("SELECT tokens FROM vectorize.bucket WHERE deployment = 'chat' ORDER BY turn DESC LIMIT 1")
    assert level < 350000000 / 120 - 600


def test_language_is_paced_by_requests_alone(db: VectorDatabase) -> None:
    fill(db, 100)
    define(db, "sentiment")
    db.execute("SELECT vectorize.set_deployment('azure_cognitive.analyze_sentiment', 'language', NULL, NULL, 60, NULL)")
    assert db.work(seconds=2.5)["requests"] <= 4
    assert db.rows(
        "SELECT tokens_per_minute, requests_per_minute FROM vectorize.quota WHERE deployment = 'azure_cognitive.analyze_sentiment'"
    ) == [(None, 60)]
    assert db.value("SELECT vectorize.wanted_workers(1)") >= 1


def test_a_search_of_values_says_what_the_job_is(db: VectorDatabase) -> None:
    fill(db, 2)
    define(db, "sentiment")
    with pytest.raises(
        psycopg.errors.WrongObjectType, match="its operation is sentiment, which makes no vectors"
    ) as caught:
        db.execute("SELECT * FROM vectorize.search('docs', 'anything')")
    assert "column found" in (caught.value.diag.message_hint or "")
    with pytest.raises(psycopg.errors.WrongObjectType, match="only embeddings"):
        db.execute("SELECT vectorize.sample_texts('docs', 1)")


def test_two_jobs_of_one_table_do_not_wake_each_other(db: VectorDatabase) -> None:
    fill(db, 11)
    db.define(name="vectors")
    define(db, "sentiment")
    db.work()
    assert db.wrong() == []
    assert wrong(db, "azure_cognitive.label_of(d.body)") == []
    assert db.work() == {"embedded": 0, "requests": 0}
    assert set(db.paid().values()) == {2}, "once for each job"
    db.execute("UPDATE docs SET body = 'new' WHERE id = 1")
    assert db.work() == {"embedded": 2, "requests": 2}


PROBLEMS = [
    ({"operation": "translate"}, "operation: translate is not one of edge, embed, entities, extract"),
    ({"operation": "split"}, "operation: split is not one of"),
    ({"operation": "sentiment", "dimensions": 8}, "dimensions: the operation sentiment makes no vectors"),
    ({"operation": "sentiment", "index": "hnsw"}, "index: the operation sentiment makes no vectors"),
    ({"operation": "sentiment", "chunking": {"max_tokens": 50}}, "chunking: the operation sentiment makes no vectors"),
    ({"operation": "sentiment", "type": "vector"}, 'type: "vector" is not one of text, jsonb'),
    ({"operation": "sentiment", "batch_size": 11}, "batch_size: 11 is not a whole number from 1 to 10"),
    ({"operation": "sentiment", "deployment": "chat"}, "deployment: the operation sentiment calls azure_cognitive.analyze_sentiment, and no deployment"),
    ({"operation": "sentiment", "arguments": {"labels": ["x"]}}, "arguments.labels: sentiment takes language"),
    ({"operation": "language", "arguments": {"language": "en"}}, "arguments.language: language takes no arguments"),
    ({"operation": "sentiment", "arguments": {"language": 3}}, "arguments.language: not a text"),
    ({"operation": "sentiment", "arguments": []}, "arguments: not an object"),
    ({"operation": "pii", "arguments": {"domain": "all"}}, 'arguments.domain: "all" is not one of none, phi'),
    ({"operation": "summary", "arguments": {"sentences": 0}}, "arguments.sentences: 0 is not a whole number from 1 to 20"),
    ({"operation": "extract", "deployment": "chat"}, "arguments.labels: not a list of at least one text"),
    ({"operation": "generate"}, "deployment: missing"),
    ({"operation": "generate", "deployment": "embedding"}, "deployment: embedding is text-embedding-3-small, and generate needs a chat model"),
    ({"operation": "generate", "deployment": "chat", "type": "jsonb"}, "type: what is generated is text without a schema"),
    ({"operation": "generate", "deployment": "chat", "arguments": {"json_schema": {"type": "object"}}}, "arguments.json_schema: not an object with name and schema"),
    ({"operation": "embed", "deployment": "chat", "dimensions": 8}, "deployment: chat is gpt-5.4-mini, which makes no vectors"),
    ({"operation": "sentiment", "column": "body"}, "template: body is the column that"),
    ({"operation": "sentiment", "column": "note"}, "column: public.docs.note is there already and belongs to no job of this name"),
]  # fmt: skip


@pytest.mark.parametrize(("spec", "problem"), PROBLEMS)
def test_what_does_not_fit_together_is_refused(db: VectorDatabase, spec: dict[str, Any], problem: str) -> None:
    db.execute("ALTER TABLE docs ADD note text")
    with pytest.raises(psycopg.errors.InvalidParameterValue) as caught:
        db.execute(
            "CALL vectorize.define(%s)", [Jsonb({"name": "docs", "table": "public.docs", "template": "{body}"} | spec)]
        )
    lines = str(caught.value).splitlines()
    assert any(line.startswith(f"- {problem}") for line in lines), lines
    assert db.rows("SELECT * FROM vectorize.job") == []


@pytest.mark.parametrize(
    "change",
    [{"operation": "key_phrases", "type": "text[]"}, {"type": "jsonb"}, {"column": "other"}, {"target": "table"}],
)
def test_another_operation_or_place_is_another_job(db: VectorDatabase, change: dict[str, Any]) -> None:
    fill(db, 2)
    define(db, "sentiment")
    db.work()
    with pytest.raises(psycopg.errors.InvalidParameterValue, match=r"cannot become .* in place; remove the job"):
        define(db, **{"operation": "sentiment"} | change)
    db.execute("CALL vectorize.remove('docs', false)")
    define(db, **{"operation": "sentiment"} | change)
    assert db.work()["embedded"] == 2


def test_a_removed_job_comes_back_without_a_cost(db: VectorDatabase) -> None:
    fill(db, 5)
    define(db, "sentiment")
    db.work()
    db.execute("CALL vectorize.remove('docs')")
    db.execute("UPDATE docs SET body = 'changed meanwhile' WHERE id = 1")
    define(db, "sentiment")
    assert db.work() == {"embedded": 1, "requests": 1}
    assert wrong(db, "azure_cognitive.label_of(d.body)") == []


def test_a_worker_needs_no_more_rights_than_for_embeddings(db: VectorDatabase) -> None:
    fill(db, 3)
    define(db, "pii", target="table")
    with db.member("vectorize_worker") as conn:
        conn.execute("CALL vectorize.work('docs')")
    assert wrong(db, r"regexp_replace(d.body, '\d', '*', 'g')", "table") == []


def test_what_is_declared_can_be_defined_again(db: VectorDatabase, case: Case) -> None:
    fill(db, 1)
    define(db, case.operation, arguments=case.arguments, type=case.type)
    declared = db.value("SELECT vectorize.declared('docs')")
    assert (declared["operation"], declared["arguments"], declared["type"]) == (
        case.operation,
        case.arguments,
        case.type,
    )
    db.notices.clear()
    db.execute("CALL vectorize.define(%s)", [Jsonb(declared)])
    assert db.notices == []
