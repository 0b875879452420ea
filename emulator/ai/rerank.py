"""POST /providers/cohere/v2/rerank: what `azure_ai.rank` asks for, with a scorer that needs no model.

Path and bodies are those of Cohere's API, "Rerank (v2)", as Azure AI Foundry serves its models. A score here is half
how near the word vectors of query and document are, and half how many of the query's words the document has: the same
texts have the same scores, and an order that makes sense. It is no cross-encoder, and says nothing about one's quality.
"""

import asyncio
import re
from collections.abc import Sequence
from concurrent.futures import Executor
from typing import Any

import orjson
from aiohttp import web

from emulator.ai import vectors
from emulator.ai.authentication import COGNITIVE_AUDIENCE, FOUNDRY_AUDIENCE, OPENAI_ROLES, Operation, authorize
from emulator.ai.errors import invalid_request
from emulator.ai.models import EMBEDDING_MODELS
from emulator.ai.usage import Usage
from emulator.arm.lookup import Account, Lookup
from emulator.identity import Identity

MAX_DOCUMENTS = 1_000  # Cohere API reference, "Rerank": "we recommend against sending more than 1,000 documents"
_DIMENSIONS = 256
_WORD = re.compile(r"\w+")
_RANK = Operation(
    OPENAI_ROLES,
    "The principal `{principal}` may not use the models of this resource.",
    (COGNITIVE_AUDIENCE, FOUNDRY_AUDIENCE),
)


def scores(query: str, documents: Sequence[str]) -> list[float]:
    """Return how well each document answers the query, 0 to 1; runs in a thread or in a process of its own."""
    found = vectors.embed([query, *documents], EMBEDDING_MODELS["text-embedding-3-small"], _DIMENSIONS)
    near = found[1:] @ found[0]
    asked = set(_WORD.findall(query.lower()))
    shares = [len(asked & set(_WORD.findall(text.lower()))) / max(1, len(asked)) for text in documents]
    return [round((max(0.0, float(n)) + share) / 2, 6) for n, share in zip(near, shares, strict=True)]


class Rerank:
    """The rerank operation of every account."""

    def __init__(self, lookup: Lookup, identity: Identity, usage: Usage, executor: Executor) -> None:
        self._lookup = lookup
        self._identity = identity
        self._usage = usage
        self._executor = executor

    async def rerank(self, request: web.Request, account: Account) -> web.Response:
        """Answer with the documents' numbers and scores, best first; of any model, deployed or not."""
        authorize(request, account, self._lookup, self._identity, _RANK)
        model, query, documents = _wanted(await request.read())
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(self._executor, scores, query, documents)
        self._usage.answered(account.name, model, len(documents), 0)
        ranked = sorted(range(len(documents)), key=lambda number: (-found[number], number))
        results = [{"index": number, "relevance_score": found[number]} for number in ranked]
        return web.json_response({"id": "emulator", "results": results}, dumps=lambda body: orjson.dumps(body).decode())


def _wanted(body: bytes) -> tuple[str, str, list[str]]:
    try:
        given: Any = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise invalid_request(f"We could not parse the JSON body of your request: {error}") from None
    if not isinstance(given, dict):
        raise invalid_request("The body of the request must be a JSON object.")
    query, documents = given.get("query"), given.get("documents")
    if not isinstance(query, str) or not query:
        raise invalid_request("query must be a text that is not empty")
    if not isinstance(documents, list) or not documents or not all(isinstance(text, str) for text in documents):
        raise invalid_request("documents must be a list of texts, one at least")
    if len(documents) > MAX_DOCUMENTS:
        raise invalid_request(f"documents: {len(documents)} are too many, at most {MAX_DOCUMENTS}")
    return str(given.get("model") or ""), query, documents
