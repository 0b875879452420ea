"""Settings of enrichments: what a job with another operation than an embedding takes, needs and writes."""

from __future__ import annotations

from typing import Any

import pytest

from components.catalogue.operations import OPERATIONS
from components.job_quota import quota_of
from components.mistakes import SettingsError
from components.settings import StackSettings
from components.vector_database import job_spec

BASE: dict[str, Any] = {
    "location": "eastus2",
    "authentication": {"administrators": [{"name": "a", "objectId": "0" * 8 + "-0000-0000-0000-" + "0" * 12}]},
    "network": {"mode": "public"},
    "firewall": {"rules": {"office": {"start": "203.0.113.4"}}},
    "deployments": {
        "embedding": {"model": "text-embedding-3-small"},
        "chat": {"model": "gpt-5.4-mini", "capacity": 50},
    },
}


def settings(job: dict[str, Any], **more: Any) -> StackSettings:
    one = {"table": "public.reviews", "template": "{body}"} | job
    return StackSettings.parse(BASE | more | {"jobs": {"reviews": one}}, stack="test")


def mistakes(job: dict[str, Any], **more: Any) -> dict[str, str]:
    with pytest.raises(SettingsError) as caught:
        settings(job, **more)
    return {mistake.path: mistake.message for mistake in caught.value.mistakes}


def spec(job: dict[str, Any], **more: Any) -> dict[str, Any]:
    parsed = settings(job, **more)
    wanted = parsed.jobs["reviews"]
    return job_spec("reviews", wanted, quota_of(wanted, parsed)).to_json()


@pytest.mark.parametrize("name", OPERATIONS)
def test_each_operation_has_its_own_column_type_and_batch(name: str) -> None:
    known = OPERATIONS[name]
    extra = {"labels": ["payer"]} if name == "extract" else {}
    chat = {"deployment": "chat"} if known.needs == "chat" else {}
    made = spec({"operation": {"kind": name} | extra} | chat)
    assert (made["column"], made["type"], made["batch_size"]) == (name, known.types[0], known.most)
    assert made["deployment"] == ("chat" if chat else known.calls)
    assert made["arguments"] == extra
    assert not {"dimensions", "distance", "index", "chunking"} & set(made)


def test_the_kind_alone_stands_for_the_section() -> None:
    assert spec({"operation": "sentiment"}) == spec({"operation": {"kind": "sentiment"}})
    assert spec({"operation": '{"kind": "sentiment"}'}) == spec({"operation": "sentiment"})
    assert "operation" not in spec({"deployment": "embedding"})


def test_arguments_go_to_the_engine_by_its_names() -> None:
    schema = {"name": "verdict", "strict": True, "schema": {"type": "object"}}
    made = spec({"operation": {"kind": "generate", "system": "Be brief.", "jsonSchema": schema}, "deployment": "chat"})
    assert made["arguments"] == {"system": "Be brief.", "json_schema": schema}
    assert made["type"] == "jsonb"


def test_each_function_of_language_has_the_requests_of_the_accounts_tier() -> None:
    job = {"operation": "pii"}
    for language, limit in (({"sku": "S"}, 1000), ({"sku": "F0"}, 300), ({"requestsPerMinute": 120}, 120)):
        parsed = settings(job, ai={"language": language})
        quota = quota_of(parsed.jobs["reviews"], parsed)
        assert (quota.name, quota.requests_per_minute) == ("azure_cognitive.recognize_pii_entities", limit)
        assert quota.to_props() == {"name": quota.name, "model": "language", "requestsPerMinute": limit}


MISTAKES: list[tuple[dict[str, Any], str, str]] = [
    ({"operation": "translate"}, "operation.kind", "'translate' is not allowed; allowed: embed, sentiment"),
    ({"operation": {"kind": "sentiment", "prompt": "x"}}, "operation.prompt", "unknown key"),
    ({"operation": {"kind": "sentiment", "labels": ["x"]}}, "operation.labels", "sentiment takes language"),
    ({"operation": {"kind": "is_true", "system": "x"}, "deployment": "chat"}, "operation.system", "takes no arguments"),
    ({"operation": {"language": "en"}, "deployment": "embedding"}, "operation.language", "embed takes no arguments"),
    ({"operation": "extract", "deployment": "chat"}, "operation.labels", "is missing"),
    ({"operation": {"kind": "generate", "jsonSchema": {"type": "x"}}, "deployment": "chat"}, "operation.jsonSchema",
     "needs name and schema"),
    ({"operation": "sentiment", "deployment": "chat"}, "deployment", "calls the Language account, and no deployment"),
    ({"operation": "generate"}, "deployment", "needs a deployment of a chat model; declared: chat"),
    ({"operation": "generate", "deployment": "embedding"}, "deployment", "generate needs a chat model"),
    ({"operation": "generate", "deployment": "chta"}, "deployment", "did you mean 'chat'?"),
    ({}, "deployment", "is missing and required for vectors; declared under deployments: embedding, chat"),
    ({"deployment": "chat"}, "deployment", "makes no vectors"),
    ({"deployment": "embedding", "target": {"type": "jsonb"}}, "target.type", "'jsonb' holds no vector"),
    ({"operation": "sentiment", "dimensions": 8}, "dimensions", "sentiment makes no vectors"),
    ({"operation": "sentiment", "index": {"kind": "hnsw"}}, "index", "sentiment makes no vectors"),
    ({"operation": "sentiment", "chunking": {"maxTokens": 100}}, "chunking", "sentiment makes no vectors"),
    ({"operation": "sentiment", "target": {"type": "vector"}}, "target.type", "allowed: text, jsonb"),
    ({"operation": "generate", "deployment": "chat", "target": {"type": "jsonb"}}, "target.type",
     "with operation.jsonSchema"),
    ({"operation": "sentiment", "batchSize": 11}, "batchSize", "at most 10"),
    ({"operation": "sentiment", "template": "{sentiment}"}, "template", "the column that the job writes"),
]  # fmt: skip


@pytest.mark.parametrize(("job", "path", "words"), MISTAKES)
def test_what_does_not_fit_is_named_with_its_path(job: dict[str, Any], path: str, words: str) -> None:
    found = mistakes(job)
    assert words in found.get(f"jobs.reviews.{path}", ""), found


def test_a_stack_without_the_language_account_has_no_sentiment() -> None:
    found = mistakes({"operation": "sentiment"}, ai={"language": {"enabled": False}})
    assert "set ai.language.enabled" in found["jobs.reviews.operation.kind"]


def test_a_wrong_kind_hides_no_other_mistake() -> None:
    found = mistakes({"operation": "translate", "batchSize": 0, "table": "pg_catalog.x"})
    assert {"jobs.reviews.operation.kind", "jobs.reviews.batchSize", "jobs.reviews.table"} <= set(found)
