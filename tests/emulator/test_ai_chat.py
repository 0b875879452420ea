"""The chat completions of Azure OpenAI, asked by the official client."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest

from emulator.ai.answers import by_schema
from tests.emulator.ai_accounts import Services, running_services
from tests.emulator.test_ai_openai import client

TEXT = "Contoso Ltd ordered 40 valves on March 3, 2024. The total is $1,200.50. The delivery was excellent and on time."


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    with running_services(tmp_path_factory.mktemp("ai")) as running:
        yield running


def ask(services: Services, text: str = TEXT, **more: Any) -> Any:
    messages = [{"role": "system", "content": "You are brief."}, {"role": "user", "content": text}]
    return client(services).chat.completions.create(**{"model": "talk", "messages": messages} | more)


def schema(properties: dict[str, Any]) -> dict[str, Any]:
    inner = {"type": "object", "properties": properties, "required": [*properties], "additionalProperties": False}
    return {"type": "json_schema", "json_schema": {"name": "found", "strict": True, "schema": inner}}


def test_an_answer_is_made_of_the_text_and_the_same_for_the_same_text(services: Services) -> None:
    answer = ask(services)
    said = answer.choices[0].message.content
    assert said
    assert all(sentence in TEXT for sentence in said.split(". "))
    assert ask(services).choices[0].message.content == said
    assert ask(services, "Quite another text about ships.").choices[0].message.content != said
    assert answer.model == "gpt-5.4"


def test_usage_counts_the_prompt_and_the_answer(services: Services) -> None:
    before = services.usage.of("contracts-ai", "talk")
    usage = ask(services).usage
    after = services.usage.of("contracts-ai", "talk")
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens
    assert after.tokens - before.tokens == usage.total_tokens
    assert after.requests - before.requests == 1


def test_an_answer_fits_the_schema(services: Services) -> None:
    wanted = schema(
        {
            "order_date": {"type": "string"},
            "customer": {"type": "string", "description": "the company that ordered"},
            "total": {"type": "number"},
            "pieces": {"type": "integer"},
            "happy": {"type": "boolean"},
            "kind": {"enum": ["invoice", "delivery", "letter"]},
            "topics": {"type": "array", "items": {"type": "string"}},
            "note": {"type": ["string", "null"]},
            "inner": {"type": "object", "properties": {"email": {"type": "string"}}},
        }
    )
    found = json.loads(ask(services, response_format=wanted).choices[0].message.content)
    assert found["order_date"] == "March 3, 2024"
    assert found["customer"] == "Contoso Ltd"
    assert isinstance(found["total"], float)
    assert found["pieces"] == 40
    assert found["happy"] is True
    assert found["kind"] == "delivery"
    assert found["topics"]
    assert all(topic in TEXT for topic in found["topics"])
    assert isinstance(found["inner"]["email"], str)


def test_a_recursive_schema_ends() -> None:
    schema: dict[str, Any] = {"type": "object", "properties": {}}
    schema["properties"]["child"] = schema
    found = by_schema(schema, TEXT)
    depth = 0
    while found:
        found, depth = found["child"], depth + 1
    assert depth < 20


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "string"}}}},
         "schema must be a JSON Schema of 'type: \"object\"'"),
        ({"stream": True}, "does not stream"),
    ],
)  # fmt: skip
def test_what_cannot_be_answered_is_refused(services: Services, more: dict[str, Any], words: str) -> None:
    with pytest.raises(openai.BadRequestError, match=words):
        ask(services, **more)


def test_a_model_that_embeds_does_not_chat(services: Services) -> None:
    with pytest.raises(openai.BadRequestError, match="chatCompletion operation does not work with the specified model"):
        client(services).chat.completions.create(model="small", messages=[{"role": "user", "content": "x"}])


def test_the_quota_counts_what_the_answer_may_have(services: Services) -> None:
    ask(services, model="chat", max_tokens=5000)
    with pytest.raises(openai.RateLimitError, match=r"ChatCompletions_Create Operation under .* have exceeded"):
        ask(services, model="chat")
