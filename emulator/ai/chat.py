"""POST /openai/deployments/{deployment}/chat/completions and POST /openai/v1/chat/completions, without streaming."""

import asyncio
import uuid
from collections.abc import Mapping
from typing import Any

import orjson
from aiohttp import web

from emulator.ai import answers, deployments, tokens
from emulator.ai.errors import invalid_request
from emulator.ai.models import EMBEDDING_MODELS
from emulator.ai.quota import estimate_tokens
from emulator.arm.lookup import Account

_CREATED = 1_700_000_000  # the same answer for the same request


def _messages(body: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the roles and texts of a conversation; parts of a message that are no text are left out."""
    given = body.get("messages")
    if not isinstance(given, list) or not given:
        raise invalid_request("[] is too short - 'messages'")
    found = []
    for message in given:
        if not isinstance(message, dict) or message.get("role") not in ("system", "developer", "user", "assistant"):
            raise invalid_request("Invalid value for 'messages': each needs a role and a content.")
        content = message.get("content") or ""
        parts = content if isinstance(content, list) else [{"text": content}]
        found.append((str(message["role"]), "\n".join(str(part.get("text") or "") for part in parts)))
    return found


def _schema(body: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the schema that the answer must have, or None for words.

    Source: azure-ai-docs, "Structured outputs": `response_format` with `json_schema`, which has name and schema.
    """
    wanted = body.get("response_format") or {}
    if wanted.get("type") == "json_object":
        return {"type": "object", "properties": {"answer": {"type": "string"}}}
    if wanted.get("type") != "json_schema":
        return None
    named = wanted.get("json_schema")
    if not isinstance(named, dict) or not named.get("name") or not isinstance(named.get("schema"), dict):
        raise invalid_request("Missing required parameter: 'response_format.json_schema'.")
    schema: Mapping[str, Any] = named["schema"]
    if schema.get("type") != "object":
        raise invalid_request(
            f"Invalid schema for response_format '{named['name']}': schema must be a JSON Schema of 'type: \"object\"'."
        )
    return schema


def _answer(messages: list[tuple[str, str]], schema: Mapping[str, Any] | None, model: str) -> tuple[bytes, int]:
    """Return the answer's body and the tokens billed; runs in a thread."""
    text = next((content for role, content in reversed(messages) if role == "user"), "")
    content = answers.in_words(text) if schema is None else orjson.dumps(answers.by_schema(schema, text)).decode()
    # 3 tokens a message and 3 for the answer's beginning (OpenAI cookbook, "How to count tokens with tiktoken").
    prompt = sum(tokens.count([content for _, content in messages])) + 3 * len(messages) + 3
    completion = tokens.count([content])[0]
    body = {
        "id": f"chatcmpl-{uuid.uuid5(uuid.NAMESPACE_OID, text).hex}",
        "object": "chat.completion",
        "created": _CREATED,
        "model": model,
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": content},
                "finish_reason": "stop",
                "logprobs": None,
            }
        ],
        "usage": {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion},
    }
    return orjson.dumps(body), prompt + completion


class Chat(deployments.DeploymentOperation):
    """The chat completions of every account."""

    route = "chat/completions"
    name = "ChatCompletions_Create"

    async def _respond(self, account: Account, name: str, body: Mapping[str, Any], version: str) -> web.Response:
        deployment = deployments.find(account, name)
        if deployment.model in EMBEDDING_MODELS:
            raise deployments.wrong_model("chatCompletion", deployment.model)
        messages = _messages(body)
        # The limiter counts the prompt and what the answer may have at most ("Manage Azure OpenAI quota").
        most = body.get("max_completion_tokens") or body.get("max_tokens") or 0
        wanted = sum(estimate_tokens(len(content)) for _, content in messages) + int(most)
        remaining = self._gate.take(account, deployment, wanted, version)
        if body.get("stream"):
            raise invalid_request("The emulator does not stream answers; docs/emulator.md lists what it does.")
        schema = _schema(body)
        loop = asyncio.get_running_loop()
        answer, billed = await loop.run_in_executor(self._executor, _answer, messages, schema, deployment.model)
        self._usage.answered(account.name, deployment.name, 1, billed)
        headers = deployments.answer_headers(account, deployment, remaining)
        return web.Response(body=answer, content_type="application/json", headers=headers)
