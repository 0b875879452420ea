"""A fixed set of accounts and the AI services over them, for the tests of the AI data planes."""

import asyncio
import ssl
import threading
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

from emulator.ai.app import create_app
from emulator.ai.faults import Faults
from emulator.ai.usage import Usage
from emulator.arm.lookup import Account, Deployment, ServerView
from emulator.certificates import Certificates
from emulator.identity import Identity, Principal

OPENAI_HOST = "contracts-ai.openai.azure.com"
LANGUAGE_HOST = "contracts-lang.cognitiveservices.azure.com"
KEYLESS_HOST = "keyless-ai.openai.azure.com"
PRIVATE_HOST = "private-ai.openai.azure.com"
KEY = "key-one-of-the-contracts-accounts"
OTHER_KEY = "key-two-of-the-contracts-accounts"
GROUP = "/subscriptions/00000000-0000-4000-8000-000000000002/resourceGroups/contracts"
OPENAI_USER = "5e0bd9bd-7b93-4f28-af87-19fc36ad61bd"
COGNITIVE_USER = "a97b65f3-24c7-4388-baec-2e87135dc908"
SERVER = Principal("00000000-0000-4000-8000-00000000a001", "contracts-server", "ServicePrincipal")
STRANGER = Principal("00000000-0000-4000-8000-00000000a002", "stranger", "ServicePrincipal")
SERVER_IDENTITY = "header-of-the-contracts-server"
COGNITIVE_AUDIENCE = "https://cognitiveservices.azure.com"


def _deployments() -> dict[str, Deployment]:
    wanted = {
        "small": ("text-embedding-3-small", 1_000_000),
        "large": ("text-embedding-3-large", 1_000_000),
        "ada": ("text-embedding-ada-002", 1_000_000),
        "slow": ("text-embedding-3-small", 1),
        "chat": ("gpt-5.4", 10),
        "talk": ("gpt-5.4", 1_000_000),
    }
    return {
        name: Deployment(name, model, "1", "GlobalStandard", capacity) for name, (model, capacity) in wanted.items()
    }


def _account(host: str, kind: str, *, local_auth: bool = True, public_access: bool = True) -> Account:
    name = host.split(".", 1)[0]
    return Account(
        resource_id=f"{GROUP}/providers/Microsoft.CognitiveServices/accounts/{name}",
        name=name,
        kind=kind,
        location="eastus2",
        endpoint=f"https://{host}/",
        keys=(KEY, OTHER_KEY),
        local_auth=local_auth,
        public_access=public_access,
        deployments=_deployments() if kind == "OpenAI" else {},
        sku="S0" if kind == "OpenAI" else "S",
    )


@dataclass
class FixedLookup:
    """Accounts and assignments that a test may change."""

    accounts: dict[str, Account] = field(
        default_factory=lambda: {
            OPENAI_HOST: _account(OPENAI_HOST, "OpenAI"),
            LANGUAGE_HOST: _account(LANGUAGE_HOST, "TextAnalytics"),
            KEYLESS_HOST: _account(KEYLESS_HOST, "OpenAI", local_auth=False),
            PRIVATE_HOST: _account(PRIVATE_HOST, "OpenAI", public_access=False),
        }
    )
    roles: dict[str, set[str]] = field(default_factory=lambda: {SERVER.object_id: {OPENAI_USER, COGNITIVE_USER}})

    def account_by_host(self, host: str) -> Account | None:
        return self.accounts.get(host.split(":", 1)[0].lower())

    def server_by_host(self, host: str) -> ServerView | None:
        return None

    def may(self, principal: Principal, role_ids: Collection[str], scope: str) -> bool:
        return bool(self.roles.get(principal.object_id, set()) & set(role_ids)) and scope.startswith(GROUP)


@dataclass
class Services:
    """The AI services and an identity endpoint, each on a port of its own, in one thread."""

    lookup: FixedLookup
    identity: Identity
    usage: Usage
    identity_headers: dict[str, Principal]
    ca_file: Path
    tokens_issued: list[str] = field(default_factory=list)
    https_port: int = 0
    http_port: int = 0
    closing: ExitStack = field(default_factory=ExitStack)
    """Clients of the tests, closed first."""
    paused: bool = False
    arrivals: int = 0
    arrived: threading.Event = field(default_factory=threading.Event)
    resumed: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def pause(self) -> Iterator[None]:
        """Hold every request of the AI services until the block ends; `arrived` says that one is there."""
        self.arrived.clear()
        self.resumed.clear()
        self.paused = True
        try:
            yield
        finally:
            self.paused = False
            self.resumed.set()

    def start(self, ssl_context: ssl.SSLContext) -> None:
        """Start both and return when they listen."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(ssl_context), self._loop).result()

    def stop(self) -> None:
        """Stop both."""
        self.closing.close()
        for runner in self._runners:
            asyncio.run_coroutine_threadsafe(runner.cleanup(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _listen(self, ssl_context: ssl.SSLContext) -> None:
        endpoint = web.Application()
        endpoint.router.add_get("/msi/token", self._token)
        ai = create_app(self.lookup, self.identity, self.usage, Faults())
        ai.middlewares.append(self._hold)
        self._runners = [web.AppRunner(ai), web.AppRunner(endpoint)]
        for runner, context in zip(self._runners, (ssl_context, None), strict=True):
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
        self.https_port, self.http_port = (runner.addresses[0][1] for runner in self._runners)

    @property
    def _hold(self) -> Any:
        @web.middleware
        async def hold(request: web.Request, handler: Any) -> web.StreamResponse:
            self.arrivals += 1
            if self.paused:
                self.arrived.set()
                await asyncio.to_thread(self.resumed.wait)
            return await handler(request)

        return hold

    async def _token(self, request: web.Request) -> web.Response:
        principal = self.identity_headers.get(request.headers.get("X-IDENTITY-HEADER", ""))
        if principal is None:
            return web.json_response({"statusCode": 401, "message": "The identity header is wrong."}, status=401)
        token = self.identity.issue(principal, request.query["resource"])
        self.tokens_issued.append(token)
        claims = {"access_token": token, "expires_on": "4102444800", "resource": request.query["resource"]}
        return web.json_response({**claims, "token_type": "Bearer"})


@contextmanager
def running_services(folder: Path) -> Iterator[Services]:
    """Run the services; the header `SERVER_IDENTITY` stands for the server's identity."""
    (folder / "tls").mkdir()
    certificates = Certificates(folder / "tls")
    certificates.ensure()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificates.server, certificates.server_key)
    identity = Identity("00000000-0000-4000-8000-000000000001", "k" * 40)
    services = Services(FixedLookup(), identity, Usage(), {SERVER_IDENTITY: SERVER}, certificates.ca)
    services.start(context)
    try:
        yield services
    finally:
        services.stop()
