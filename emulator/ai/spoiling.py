"""How the AI services' web application carries a fault out."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
from aiohttp import web

from emulator.ai.errors import ServiceError, refusal
from emulator.ai.faults import REFUSALS, Faults

_POLL_SECONDS = 0.05
_THROTTLED = (
    "Requests to the Embeddings_Create Operation have exceeded call rate limit of your current OpenAI S0 pricing tier."
)
_DENIED = "Access denied due to invalid subscription key or wrong API endpoint."

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def spoiling(faults: Faults) -> Any:
    """Return the middleware that lets requests to Azure OpenAI fail while a fault is set."""

    @web.middleware
    async def spoil(request: web.Request, handler: Handler) -> web.StreamResponse:
        kind = faults.take() if request.path.startswith("/openai/") else None
        if kind in REFUSALS:
            raise _refusal(kind)
        answer = await handler(request)
        if kind is None or not isinstance(answer, web.Response) or not isinstance(answer.body, bytes):
            return answer
        if kind == "hang":
            return await _hang(request, answer)
        if kind == "half":
            return await _half(request, answer.body)
        document = orjson.loads(answer.body)
        if kind == "short":
            del document["data"][-1]
        else:
            document["data"].reverse()  # each keeps its `index`
        answer.body = orjson.dumps(document)
        return answer

    return spoil


def _refusal(kind: str) -> ServiceError:
    match kind:
        case "429":
            return refusal(429, "429", f"{_THROTTLED} Please retry after 1 second.", {"Retry-After": "1"})
        case "429-without-wait":
            return refusal(429, "429", _THROTTLED)
        case "500":
            return refusal(500, "InternalServerError", "The server had an error while processing your request.")
        case "503":
            return refusal(503, "ServiceUnavailable", "The service is temporarily unable to process your request.")
        case _:
            return refusal(401, "401", _DENIED)


async def _hang(request: web.Request, answer: web.Response) -> web.StreamResponse:
    """Answer when the client has given up."""
    while request.transport is not None and not request.transport.is_closing():  # noqa: ASYNC110 - no event tells
        await asyncio.sleep(_POLL_SECONDS)
    return answer


async def _half(request: web.Request, body: bytes) -> web.StreamResponse:
    """Announce the whole body, send half of it, and hang up."""
    answer = web.StreamResponse(headers={"Content-Type": "application/json", "Content-Length": str(len(body))})
    await answer.prepare(request)
    await answer.write(body[: len(body) // 2])
    if request.transport is not None:
        request.transport.close()
    return answer
