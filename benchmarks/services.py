"""The emulator's AI service for one account and one deployment, with its own rate limits, which are metered."""

from __future__ import annotations

import asyncio
import shutil
import ssl
import tempfile
import threading
import time
from collections.abc import Awaitable, Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import web

from benchmarks.server import BenchDatabase
from emulator.ai import app as ai
from emulator.ai import computing
from emulator.ai.faults import Faults
from emulator.ai.quota import Quota, Remaining, Throttled
from emulator.ai.usage import Usage
from emulator.arm.lookup import Account, Deployment, ServerView
from emulator.certificates import Certificates
from emulator.identity import Identity, Principal
from emulator.postgres.backend import Services as Addresses

HOST = "bench-ai.openai.azure.com"
DEPLOYMENT = "embedding"
MODEL = "text-embedding-3-small"
KEY = "key-of-the-account-of-the-benchmarks"
_TOKENS_A_CAPACITY = 1_000  # capacity 1 is 1,000 tokens a minute


@dataclass(frozen=True)
class Request:
    """One request as the limiter saw it.

    Attributes:
        at: seconds of the monotonic clock.
        tokens: what the limiter takes it for.
        admitted: whether it was let through; 429 otherwise.
        debt: tokens that the bucket owed after it.
    """

    at: float
    tokens: int
    admitted: bool
    debt: float


class Meter(Quota):
    """The emulator's limiter, unchanged, that remembers what it decided."""

    def __init__(self) -> None:
        super().__init__()
        self.requests: list[Request] = []

    def take(self, account: str, deployment: str, capacity: int, tokens: int) -> Remaining:
        """Decide as the limiter does, and remember it."""
        try:
            remaining = super().take(account, deployment, capacity, tokens)
        except Throttled:
            self.requests.append(Request(time.monotonic(), tokens, admitted=False, debt=0.0))
            raise
        level = self._levels[account, deployment].tokens
        self.requests.append(Request(time.monotonic(), tokens, admitted=True, debt=max(0.0, -level)))
        return remaining


@dataclass(frozen=True)
class _OneAccount:
    """What the data plane asks of Resource Manager, for one account."""

    account: Account

    def account_by_host(self, host: str) -> Account | None:
        return self.account if host.split(":", 1)[0].lower() == HOST else None

    def server_by_host(self, _host: str) -> ServerView | None:
        return None

    def may(self, _principal: Principal, _role_ids: Collection[str], _scope: str) -> bool:
        return False  # the benchmarks come with the account's key


class BenchServices:
    """The service in a thread of its own."""

    def __init__(self, folder: Path, capacity: int, latency_seconds: float) -> None:
        self.meter = Meter()
        self._latency_seconds = latency_seconds
        self._certificates = Certificates(folder)
        deployment = Deployment(DEPLOYMENT, MODEL, "1", "GlobalStandard", capacity)
        account = Account(
            "/subscriptions/bench", HOST.split(".", 1)[0], "OpenAI", "eastus2", f"https://{HOST}/", (KEY, KEY[::-1]),
            local_auth=True, public_access=True, deployments={DEPLOYMENT: deployment},
        )  # fmt: skip
        self.capacity = capacity
        self._lookup = _OneAccount(account)
        self._port = 0

    def start(self) -> None:
        """Listen, with the tokenizer and the word vectors loaded."""
        self._certificates.ensure()
        self._computing = computing.OwnProcess()
        self._computing.submit(computing.load).result()
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self._certificates.server, self._certificates.server_key)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(context), self._loop).result()

    def stop(self) -> None:
        """Close the connections and end the thread."""
        asyncio.run_coroutine_threadsafe(self._runner.cleanup(), self._loop).result(30)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def addresses(self) -> Addresses:
        """Return where the service listens, as a server of the emulator wants to know it."""
        return Addresses(f"127.0.0.1:{self._port}", "127.0.0.1:9", self._certificates.ca)

    def configure(self, database: BenchDatabase) -> None:
        """Point azure_ai of a database at the service."""
        for name, value in (
            ("endpoint", f"https://{HOST}/"),
            ("auth_type", "subscription-key"),
            ("subscription_key", KEY),
        ):
            database.execute("SELECT azure_ai.set_setting(%s, %s)", [f"azure_openai.{name}", value])
        database.deployment(DEPLOYMENT, MODEL, self.capacity * _TOKENS_A_CAPACITY)

    async def _listen(self, context: ssl.SSLContext) -> None:
        identity = Identity("00000000-0000-4000-8000-000000000003", "b" * 40)
        application = ai.create_app(self._lookup, identity, Usage(), Faults(), self.meter, self._computing)
        application.middlewares.append(self._delay)
        self._runner = web.AppRunner(application)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=context).start()
        self._port = self._runner.addresses[0][1]

    @property
    def _delay(self) -> Any:
        @web.middleware
        async def delay(
            request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
        ) -> web.StreamResponse:
            await asyncio.sleep(self._latency_seconds)
            return await handler(request)

        return delay


@contextmanager
def running_services(capacity: int, latency_seconds: float) -> Iterator[BenchServices]:
    """Run the service with a deployment of this capacity (1 is 1,000 tokens a minute)."""
    folder = Path(tempfile.mkdtemp(prefix="postgres-genai-bench-ai-"))
    services = BenchServices(folder, capacity, latency_seconds)
    try:
        services.start()
        try:
            yield services
        finally:
            services.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
