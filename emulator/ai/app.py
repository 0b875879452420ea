"""The AI services' web application: finds the account by host name and the operation by path."""

import io
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor, ThreadPoolExecutor

from aiohttp import web

from emulator.ai.chat import Chat
from emulator.ai.embeddings import Embeddings
from emulator.ai.errors import ServiceError, refusal, resource_not_found
from emulator.ai.faults import Faults
from emulator.ai.language.operations import Language
from emulator.ai.quota import Quota
from emulator.ai.rerank import Rerank
from emulator.ai.spoiling import spoiling
from emulator.ai.usage import Usage
from emulator.arm.lookup import Account, Lookup
from emulator.identity import Identity

# 2,048 inputs of 8,192 tokens would be refused by their sum; 300,000 tokens are 1 to 10 MB of JSON.
_MAX_BODY_BYTES = 64 * 1024 * 1024
_THREADS = 2
_PIECE_BYTES = 64 * 1024

Operation = Callable[[web.Request, Account], Awaitable[web.Response]]


def create_app(
    lookup: Lookup,
    identity: Identity,
    usage: Usage,
    faults: Faults,
    quota: Quota | None = None,
    executor: Executor | None = None,
) -> web.Application:
    """Return the application that answers `*.openai.azure.com` and `*.cognitiveservices.azure.com`.

    Args:
        lookup: The accounts, their deployments and their role assignments.
        identity: Whose tokens are accepted.
        usage: Where requests are counted.
        faults: What goes wrong on demand.
        quota: The rate limits; full buckets unless given.
        executor: Where embeddings are computed, shut down with the application; threads unless given.
    """
    threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="ai")
    quota = quota or Quota()
    embeddings = Embeddings(lookup, identity, usage, quota, executor or threads)
    chat = Chat(lookup, identity, usage, quota, threads)
    language = Language(lookup, identity, usage, threads)
    rerank = Rerank(lookup, identity, usage, executor or threads)

    def route(operation: Operation, kinds: frozenset[str]) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def answer(request: web.Request) -> web.Response:
            account = lookup.account_by_host(request.host)
            if account is None:
                raise refusal(
                    404, "404", f"Resource not found: no account of the emulator has the host {request.host}."
                )
            if account.kind not in kinds:
                raise resource_not_found()
            return await operation(request, account)

        return answer

    openai_kinds = frozenset({"OpenAI", "AIServices"})
    language_kinds = frozenset({"TextAnalytics", "AIServices", "CognitiveServices"})
    app = web.Application(client_max_size=_MAX_BODY_BYTES, middlewares=[_piece_by_piece, _refusals, spoiling(faults)])
    app.router.add_post("/openai/deployments/{deployment}/embeddings", route(embeddings.by_deployment, openai_kinds))
    app.router.add_post("/openai/v1/embeddings", route(embeddings.by_model, openai_kinds))
    app.router.add_post("/openai/deployments/{deployment}/chat/completions", route(chat.by_deployment, openai_kinds))
    app.router.add_post("/openai/v1/chat/completions", route(chat.by_model, openai_kinds))
    app.router.add_post("/providers/cohere/v2/rerank", route(rerank.rerank, openai_kinds))
    app.router.add_post("/language/:analyze-text", route(language.analyze_text, language_kinds))
    app.router.add_route("*", "/{path:.*}", route(_not_served, openai_kinds | language_kinds))

    async def stop(_: web.Application) -> None:
        for each in filter(None, (threads, executor)):
            each.shutdown(wait=False, cancel_futures=True)

    app.on_cleanup.append(stop)
    return app


@web.middleware
async def _piece_by_piece(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Write large answers in pieces, as files are: between them the clients of the gateway have their turn."""
    answer = await handler(request)
    if isinstance(answer, web.Response) and isinstance(answer.body, bytes) and len(answer.body) > _PIECE_BYTES:
        answer.body = io.BytesIO(answer.body)
    return answer


@web.middleware
async def _refusals(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    try:
        return await handler(request)
    except ServiceError as error:
        return error.response()


async def _not_served(request: web.Request, _: Account) -> web.Response:
    """Say plainly that an operation of the real services is not here.

    The status is 400 because clients try a 5xx again.
    """
    if not request.path.startswith(("/openai/", "/language/", "/text/analytics/")):
        raise resource_not_found()
    raise refusal(
        400,
        "OperationNotSupported",
        f"The emulator does not serve {request.method} {request.path}; docs/emulator.md lists what it serves.",
    )
