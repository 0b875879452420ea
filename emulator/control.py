"""The plain HTTP side: the identity endpoint of App Service, and the emulator's control API."""

from __future__ import annotations

import hmac
import logging
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from aiohttp import web

from emulator.arm import container_apps, servers
from emulator.arm.body import Json
from emulator.arm.conflicts import RANDOM, STRICT, Conflicts
from emulator.arm.store import Store
from emulator.identity import Identity, Principal

if TYPE_CHECKING:
    from emulator.ai.faults import Faults

_log = logging.getLogger(__name__)

_IDENTITY_API_VERSION = "2019-08-01"
_LIFETIME_SECONDS = 3600


class Endpoints:
    """Who asks for tokens, and who asks about the emulator."""

    def __init__(
        self,
        *,
        identity: Identity,
        store: Store,
        deployer: Principal,
        identity_header: str,
        control_secret: str,
        calls: Counter[str],
        faults: Faults,
        conflicts: Conflicts,
        status: Callable[[], Json],
        stop: Callable[[], None],
    ) -> None:
        """Take what answers are made from.

        Args:
            identity: Issues the tokens.
            store: Names the servers and their identities.
            deployer: Whom `identity_header` stands for.
            identity_header: The deployer's X-IDENTITY-HEADER.
            control_secret: The X-Emulator-Secret of the control API.
            calls: Where calls are counted.
            faults: What the AI services do wrong on demand.
            conflicts: What Resource Manager refuses on demand.
            status: Makes the status document.
            stop: Ends the daemon.
        """
        self._identity = identity
        self._store = store
        self._deployer = deployer
        self._identity_header = identity_header
        self._control_secret = control_secret
        self._calls = calls
        self._faults = faults
        self._conflicts = conflicts
        self._status = status
        self._stop = stop

    def create(self) -> web.Application:
        """Return the application."""
        app = web.Application()
        app.router.add_get("/msi/token", self._token)
        control = web.Application(middlewares=[self._check_secret])
        control.router.add_get("/status", self._show_status)
        control.router.add_post("/stop", self._end)
        control.router.add_post("/tokens", self._issue)
        control.router.add_post("/fault", self._spoil)
        app.add_subapp("/emulator", control)
        return app

    async def _token(self, request: web.Request) -> web.Response:
        """Answer as the identity endpoint of App Service does (Microsoft Learn, "How to use managed identities")."""
        self._calls["identity"] += 1
        header, client_id = request.headers.get("X-IDENTITY-HEADER", ""), request.query.get("client_id")
        principal = self._principal(header) or self._of_job(header, client_id)
        if principal is None:
            return _refuse(401, "The X-IDENTITY-HEADER is missing, unknown, or of a resource without that identity.")
        if request.query.get("api-version") != _IDENTITY_API_VERSION:
            return _refuse(400, f"The api-version must be {_IDENTITY_API_VERSION}.")
        resource = request.query.get("resource", "")
        if not resource:
            return _refuse(400, "The query parameter 'resource' is required.")
        token = self._identity.issue(principal, resource, _LIFETIME_SECONDS)
        _log.info("token for %s, %s", principal.name, resource)
        return web.json_response(self._answer(token, resource, principal))

    def _answer(self, token: str, resource: str, principal: Principal) -> Json:
        return {
            "access_token": token,
            "expires_on": str(self._identity.expires_on(token)),
            "resource": resource,
            "token_type": "Bearer",
            "client_id": principal.object_id,
        }

    def _principal(self, header: str) -> Principal | None:
        if hmac.compare_digest(header.encode(), self._identity_header.encode()):
            return self._deployer
        for server in self._store.of_type(servers.TYPE):
            if hmac.compare_digest(header.encode(), str(server.private["identityHeader"]).encode()):
                object_id = (server.body.get("identity") or {}).get("principalId")
                return Principal(str(object_id), server.name, "ServicePrincipal") if object_id else None
        return None

    def _of_job(self, header: str, client_id: str | None) -> Principal | None:
        """Return the identity of a Container Apps job: the user-assigned one with this client id, or else its own."""
        for job in self._store.of_type(container_apps.JOBS):
            if not hmac.compare_digest(header.encode(), str(job.private.get("identityHeader", "")).encode()):
                continue
            identity = job.body.get("identity") or {}
            for name, one in (identity.get("userAssignedIdentities") or {}).items():
                if client_id is not None and one["clientId"].lower() == client_id.lower():
                    return Principal(one["principalId"], name.rpartition("/")[2], "ServicePrincipal")
            own = identity.get("principalId") if client_id is None else None
            return Principal(str(own), job.name, "ServicePrincipal") if own else None
        return None

    @web.middleware
    async def _check_secret(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        given = request.headers.get("X-Emulator-Secret", "")
        if not hmac.compare_digest(given.encode(), self._control_secret.encode()):
            return _refuse(401, "The X-Emulator-Secret is missing or wrong.")
        return await handler(request)

    async def _show_status(self, _request: web.Request) -> web.Response:
        return web.json_response(self._status())

    async def _end(self, _request: web.Request) -> web.Response:
        self._stop()
        return web.json_response({}, status=202)

    async def _spoil(self, request: web.Request) -> web.Response:
        """Set what goes wrong: kind, requests, service, and for drawn conflicts rate and seed; `none` ends it all."""
        query = request.query
        try:
            kind, requests = query["kind"], int(query.get("requests", "1"))
            if kind == "none":
                self._faults.clear()
                self._conflicts.set_strict(strict=False)
                self._conflicts.set_random(0, 0, 0)
            elif kind == STRICT:
                self._conflicts.set_strict(strict=requests > 0)
            elif kind == RANDOM:
                self._conflicts.set_random(float(query.get("rate", "0.2")), int(query.get("seed", "0")), requests)
            else:
                self._faults.set(kind, requests, query.get("service", "openai"))
        except (KeyError, ValueError) as error:
            return _refuse(400, str(error))
        left = {name: {"kind": kind, "requests": count} for name, (kind, count) in self._faults.left().items()}
        return web.json_response({"faults": left, "conflicts": self._conflicts.to_json()})

    async def _issue(self, request: web.Request) -> web.Response:
        """Issue a token for any principal, for tests: objectId, name, kind, resource, lifetimeSeconds."""
        wanted = await request.json()
        principal = Principal(wanted["objectId"], wanted["name"], wanted.get("kind", "User"))
        token = self._identity.issue(principal, wanted["resource"], int(wanted.get("lifetimeSeconds", 3600)))
        return web.json_response(self._answer(token, wanted["resource"], principal))


def _refuse(status: int, message: str) -> web.Response:
    return web.json_response({"statusCode": status, "message": message}, status=status)
