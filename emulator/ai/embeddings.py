"""POST /openai/deployments/{deployment}/embeddings and POST /openai/v1/embeddings."""

import asyncio
import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from aiohttp import web

from emulator.ai import deployments, tokens, vectors
from emulator.ai.errors import invalid_request
from emulator.ai.models import EMBEDDING_MODELS, MAX_INPUT_TOKENS, MAX_INPUTS, MAX_REQUEST_TOKENS, EmbeddingModel
from emulator.ai.quota import Remaining, estimate_tokens
from emulator.arm.lookup import Account, Deployment

_BAD_INPUT = "'$.input' is invalid. Please check the API reference: https://platform.openai.com/docs/api-reference."


@dataclass(frozen=True)
class _Wanted:
    """A request that is well formed."""

    texts: Sequence[str]
    dimensions: int
    base64: bool


def _texts(value: object) -> list[str]:
    """Return the texts of `input`: a text, texts, tokens, or lists of tokens."""
    items = value if isinstance(value, list) else [value]
    if items and all(type(item) is int for item in items):
        items = [items]
    if not 1 <= len(items) <= MAX_INPUTS:
        raise invalid_request(_BAD_INPUT)
    texts = []
    for item in items:
        text = item
        if isinstance(item, list) and item and all(type(token) is int for token in item):
            try:
                text = tokens.decode(item)
            except ValueError:
                text = None
        if not isinstance(text, str) or not text:
            raise invalid_request(_BAD_INPUT)
        texts.append(text)
    return texts


def _dimensions(value: object, model: EmbeddingModel) -> int:
    if value is None:
        return model.dimensions
    if not model.reducible:
        raise invalid_request("This model does not support specifying dimensions.")
    if type(value) is not int:
        raise invalid_request(f"{value!r} is not of type 'integer' - 'dimensions'")
    if value < 1:
        raise invalid_request(f"{value} is less than the minimum of 1 - 'dimensions'")
    if value > model.dimensions:
        limit = f"Must be less than or equal to {model.dimensions}."
        raise invalid_request(f"Invalid value for 'dimensions' = {value}. {limit}")
    return value


def _wanted(body: Mapping[str, Any], model: EmbeddingModel) -> _Wanted:
    encoding = body.get("encoding_format") or "float"
    if encoding not in ("float", "base64"):
        raise invalid_request(f"{encoding!r} is not one of ['float', 'base64'] - 'encoding_format'")
    dimensions = _dimensions(body.get("dimensions"), model)
    return _Wanted(_texts(body.get("input")), dimensions, encoding == "base64")


def _answer(wanted: _Wanted, model: EmbeddingModel) -> tuple[bytes, int]:
    """Return the answer's body and the tokens billed; runs in a thread or in a process of its own."""
    counts = tokens.count(wanted.texts)
    longest, total = max(counts), sum(counts)
    if longest > MAX_INPUT_TOKENS:
        raise invalid_request(
            f"This model's maximum context length is {MAX_INPUT_TOKENS} tokens, however you requested {longest} tokens "
            f"({longest} in your prompt; 0 for the completion). Please reduce your prompt; or completion length."
        )
    if total > MAX_REQUEST_TOKENS:
        kind = "max_tokens_per_request"
        raise invalid_request(f"Requested {total} tokens, max {MAX_REQUEST_TOKENS} tokens per request", kind, kind)
    rows = vectors.embed(wanted.texts, model, wanted.dimensions)
    body = {
        "object": "list",
        "data": [
            {
                "object": "embedding",
                "index": index,
                "embedding": base64.b64encode(row.astype("<f4").tobytes()).decode() if wanted.base64 else row,
            }
            for index, row in enumerate(rows)
        ],
        "model": model.name,
        "usage": {"prompt_tokens": total, "total_tokens": total},
    }
    return orjson.dumps(body, option=orjson.OPT_SERIALIZE_NUMPY), total


class Embeddings(deployments.DeploymentOperation):
    """The embeddings operation of every account."""

    route = "embeddings"
    name = "Embeddings_Create"

    async def _respond(self, account: Account, name: str, body: Mapping[str, Any], version: str) -> web.Response:
        deployment = deployments.find(account, name)
        model = EMBEDDING_MODELS.get(deployment.model)
        if model is None:
            raise deployments.wrong_model("embeddings", deployment.model)
        remaining = self._take(account, deployment, body.get("input"), version)
        wanted = _wanted(body, model)
        loop = asyncio.get_running_loop()
        answer, billed = await loop.run_in_executor(self._executor, _answer, wanted, model)
        self._usage.answered(account.name, deployment.name, len(wanted.texts), billed)
        headers = deployments.answer_headers(account, deployment, remaining)
        return web.Response(body=answer, content_type="application/json", headers=headers)

    def _take(self, account: Account, deployment: Deployment, value: object, version: str) -> Remaining:
        items = value if isinstance(value, list) else [value]
        # A token of a caller that sends tokens counts as the 4 characters that it stands for.
        estimated = sum(
            estimate_tokens(len(item)) if isinstance(item, str) else len(item) if isinstance(item, list) else 1
            for item in items
        )
        return self._gate.take(account, deployment, estimated, version)
