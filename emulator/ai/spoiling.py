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
_THROTTLED = {
    "openai": "Requests to the {operation} Operation have exceeded call rate limit of your current OpenAI S0 pricing "
    "tier.",
    "language": "Requests to the Analyze_Text Operation have exceeded call rate limit of your current Language S "
    "pricing tier.",
}
_SERVICES = {"/openai/": "openai", "/language/": "language"}
_DENIED = "Access denied due to invalid subscription key or wrong API endpoint."

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def spoiling(faults: Faults) -> Any:
    """Return the middleware that lets requests to a service fail while a fault is set for it."""

    @web.middleware
    async def spoil(request: web.Request, handler: Handler) -> web.StreamResponse:
        service = next((name for path, name in _SERVICES.items() if request.path.startswith(path)), None)
        kind = faults.take(service) if service else None
        if kind in REFUSALS:
            operation = "ChatCompletions_Create" if request.path.endswith("/completions") else "Embeddings_Create"
            raise _refusal(kind, _THROTTLED[str(service)].format(operation=operation))
        answer = await handler(request)
        if kind is None or not isinstance(answer, web.Response) or not isinstance(answer.body, bytes):
            return answer
        if kind == "hang":
            return await _hang(request, answer)
        if kind == "half":
            return await _half(request, answer.body)
        document = orjson.loads(answer.body)
        # Vectors, answers of a model, or documents; each keeps its `index` or `id`.
        parts = document.get("data") or document.get("choices") or document["results"]["documents"]
        if kind == "short":
            del parts[-1]
        else:
            parts.reverse()
        answer.body = orjson.dumps(document)
        return answer

    return spoil


def _refusal(kind: str, throttled: str) -> ServiceError:
    match kind:
        case "429":
            return refusal(429, "429", f"{throttled} Please retry after 1 second.", {"Retry-After": "1"})
        case "429-without-wait":
            return refusal(429, "429", throttled)
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
