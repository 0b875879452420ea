"""Resource Manager over HTTPS."""

from __future__ import annotations

import json
import logging
import uuid

from aiohttp import web

from emulator.arm import access, routes
from emulator.arm.body import Json
from emulator.arm.control_plane import ControlPlane
from emulator.arm.errors import ArmError, internal
from emulator.arm.kind import Answer
from emulator.arm.lookup import Lookup
from emulator.arm.operations import Operation
from emulator.identity import Identity
from emulator.state import StateError

_log = logging.getLogger(__name__)

_HOSTS = ("management.azure.com", "localhost", "127.0.0.1")
_POLL_MILLISECONDS = "100"
"""How long clients wait between questions. Not Retry-After: azure-core takes `Retry-After: 0` for 30 seconds."""


class ArmApp:
    """Turns HTTP requests into calls of the control plane, and its answers into HTTP."""

    def __init__(self, control_plane: ControlPlane, lookup: Lookup, identity: Identity) -> None:
        self._control_plane = control_plane
        self._lookup = lookup
        self._identity = identity

    def create(self) -> web.Application:
        """Return the application; every path is its own."""
        app = web.Application(client_max_size=4 * 1024 * 1024)
        app.router.add_route("*", "/{path:.*}", self._handle)
        return app

    async def _handle(self, request: web.Request) -> web.Response:
        request_id = str(uuid.uuid4())
        try:
            response = await self._answer(request)
        except ArmError as error:
            response = _json(error.status, error.body())
            if error.status == 401:
                tenant = self._identity.tenant_id
                response.headers["WWW-Authenticate"] = (
                    f'Bearer authorization_uri="https://login.windows.net/{tenant}", error="invalid_token"'
                )
        except StateError as error:
            response = _json(500, internal(str(error)).body())
        except Exception:  # noqa: BLE001 - logged whole; the client gets a body that it understands
            _log.exception("%s %s failed", request.method, request.path)
            response = _json(500, internal("The emulator's log says more.").body())
        response.headers["x-ms-request-id"] = request_id
        response.headers["x-ms-correlation-request-id"] = request.headers.get("x-ms-correlation-request-id", request_id)
        _log.info("%s %s %s", request.method, request.path, response.status)
        return response

    async def _answer(self, request: web.Request) -> web.Response:
        host = request.host.rpartition(":")[0] or request.host
        if host not in _HOSTS:
            raise ArmError(421, "MisdirectedRequest", f"There is no service of the emulator at '{request.host}'.")
        principal = access.authenticate(self._identity, request.headers.get("Authorization"))
        parts = request.path.strip("/").split("/")
        if parts[0].lower() == "subscriptions" and len(parts) > 1:
            self._check_subscription(parts[1])
        scope = request.path.rstrip("/") if request.method != "POST" else request.path.rpartition("/")[0]
        if principal.object_id != self._control_plane.plane.deployer.object_id:
            access.authorize(self._lookup, principal, request.method, _type_of(request), scope)
        if len(parts) >= 8 and parts[-2].lower() in ("azureasyncoperation", "operationresults"):
            return await self._operation(request, parts[-2].lower(), parts[-1])
        body = await _body(request)
        answer = await self._control_plane.answer(request.method, request.path, request.query, body, principal)
        return self._respond(request, answer)

    def _check_subscription(self, subscription_id: str) -> None:
        if subscription_id.lower() != self._control_plane.subscription_id:
            raise ArmError(404, "SubscriptionNotFound", f"The subscription '{subscription_id}' could not be found.")

    def _respond(self, request: web.Request, answer: Answer) -> web.Response:
        response = _json(answer.status, answer.body) if answer.body is not None else web.Response(status=answer.status)
        if answer.operation:
            operation = answer.operation
            base = self._operation_base(request, operation)
            version = request.query["api-version"]
            response.headers["Azure-AsyncOperation"] = (
                f"{base}/azureAsyncOperation/{operation.id}?api-version={version}"
            )
            response.headers["Location"] = f"{base}/operationResults/{operation.id}?api-version={version}"
            response.headers["x-ms-retry-after-ms"] = _POLL_MILLISECONDS
        return response

    def _operation_base(self, request: web.Request, operation: Operation) -> str:
        return f"https://{request.host}/subscriptions/{self._control_plane.subscription_id}{operation.path}"

    async def _operation(self, request: web.Request, form: str, operation_id: str) -> web.Response:
        operation = self._control_plane.plane.operations.get(operation_id)
        if operation is None:
            raise ArmError(404, "OperationNotFound", f"The operation '{operation_id}' is unknown or long past.")
        self._control_plane.plane.operations.tell(operation)
        if form == "azureasyncoperation":
            response = _json(200, operation.to_json(request.path))
        elif operation.status == "InProgress":
            response = web.Response(status=202)
            response.headers["Location"] = str(request.url)
        elif operation.error:
            raise operation.error
        else:
            resource = None if operation.deletes else self._control_plane.plane.store.get(operation.resource_id)
            response = _json(200, resource.to_json()) if resource else web.Response(status=204)
        if operation.status == "InProgress":
            response.headers["x-ms-retry-after-ms"] = _POLL_MILLISECONDS
        return response


def _type_of(request: web.Request) -> str:
    try:
        return routes.parse(request.path, request.method).id.type
    except ArmError:
        return "Microsoft.Resources/subscriptions"


async def _body(request: web.Request) -> Json:
    if not request.can_read_body:
        return {}
    text = await request.text()
    try:
        value = json.loads(text) if text.strip() else {}
    except ValueError:
        raise ArmError(
            400, "InvalidRequestContent", "The request content was invalid and could not be deserialized."
        ) from None
    if not isinstance(value, dict):
        raise ArmError(400, "InvalidRequestContent", "The request content is not a JSON object.")
    return value


def _json(status: int, body: Json | None) -> web.Response:
    return web.json_response(body, status=status)
