"""What every request to a model deployment passes: its JSON, the deployment, and the deployment's quota."""

import re
import uuid
from abc import ABC, abstractmethod
from collections.abc import Mapping
from concurrent.futures import Executor
from typing import Any

import orjson
from aiohttp import web

from emulator.ai.authentication import COGNITIVE_AUDIENCE, FOUNDRY_AUDIENCE, OPENAI_ROLES, Operation, authorize
from emulator.ai.errors import ServiceError, invalid_request, refusal, resource_not_found
from emulator.ai.quota import Quota, Remaining, Throttled
from emulator.ai.usage import Usage
from emulator.arm.lookup import Account, Deployment, Lookup
from emulator.identity import Identity

_API_VERSION = re.compile(r"\d{4}-\d{2}-\d{2}(-preview)?")
_DENIED = (
    "The principal `{{principal}}` lacks the required data action "
    "`Microsoft.CognitiveServices/accounts/OpenAI/deployments/{route}/action` to perform `POST {path}` operation."
)
_NO_DEPLOYMENT = (
    "The API deployment for this resource does not exist. If you created the deployment within the last 5 minutes, "
    "please wait a moment and try again."
)


def find(account: Account, name: str) -> Deployment:
    """Return a deployment by its name.

    Raises:
        ServiceError: 404, there is none.
    """
    for deployment in account.deployments.values():
        if deployment.name.lower() == name.lower():  # names of ARM resources do not differ by case
            return deployment
    raise refusal(404, "DeploymentNotFound", _NO_DEPLOYMENT)


def wrong_model(operation: str, model: str) -> ServiceError:
    """Return the refusal of a model of another kind."""
    return refusal(
        400,
        "OperationNotSupported",
        f"The {operation} operation does not work with the specified model, {model}. "
        "Please choose different model and try again.",
    )


async def body_of(request: web.Request) -> Mapping[str, Any]:
    """Return a request's JSON object.

    Raises:
        ServiceError: 400, it is none.
    """
    try:
        body = orjson.loads(await request.read())
    except orjson.JSONDecodeError as error:
        raise invalid_request(f"We could not parse the JSON body of your request: {error}") from None
    if not isinstance(body, dict):
        raise invalid_request("The body of the request must be a JSON object.")
    return body


class Gate:
    """Takes requests out of the quota of the deployments, and counts those that it refuses."""

    def __init__(self, quota: Quota, usage: Usage, operation: str) -> None:
        """Name the operation as the service's refusals do, for example `Embeddings_Create`."""
        self._quota = quota
        self._usage = usage
        self._operation = operation

    def take(self, account: Account, deployment: Deployment, tokens: int, version: str) -> Remaining:
        """Take one request with so many tokens, by estimate.

        Raises:
            ServiceError: 429, the deployment's quota is used up for now.
        """
        try:
            return self._quota.take(account.resource_id, deployment.name, deployment.capacity, tokens)
        except Throttled as throttled:
            self._usage.refused(account.name, deployment.name)
            raise self._too_many(throttled, version) from None

    def _too_many(self, throttled: Throttled, version: str) -> ServiceError:
        seconds = throttled.whole_seconds
        message = (
            f"Requests to the {self._operation} Operation under Azure OpenAI API version {version} have exceeded "
            f"{throttled.limit} of your current OpenAI S0 pricing tier. Please retry after {seconds} second"
            f"{'' if seconds == 1 else 's'}. Please go here: https://aka.ms/oai/quotaincrease if you would like to "
            "further increase the default rate limit."
        )
        headers = {"Retry-After": str(seconds), "Retry-After-Ms": str(throttled.milliseconds)}
        return refusal(429, "429", message, headers)


class DeploymentOperation(ABC):
    """One operation of the deployments of every account, by both of its routes."""

    route: str
    """How its paths end."""
    name: str
    """What the service's refusals call it."""

    def __init__(self, lookup: Lookup, identity: Identity, usage: Usage, quota: Quota, executor: Executor) -> None:
        """Name who may call it, what counts its use, and where its answers are computed."""
        self._lookup = lookup
        self._identity = identity
        self._usage = usage
        self._gate = Gate(quota, usage, self.name)
        self._executor = executor
        classic = _DENIED.format(route=self.route, path=f"/openai/deployments/{{{{deployment-id}}}}/{self.route}")
        v1 = _DENIED.format(route=self.route, path=f"/openai/v1/{self.route}")
        self._by_deployment = Operation(OPENAI_ROLES, classic)
        self._by_model = Operation(OPENAI_ROLES, v1, (COGNITIVE_AUDIENCE, FOUNDRY_AUDIENCE), True)

    async def by_deployment(self, request: web.Request, account: Account) -> web.Response:
        """Answer the classic route, where the deployment is in the path."""
        authorize(request, account, self._lookup, self._identity, self._by_deployment)
        version = request.query.get("api-version", "")
        if not _API_VERSION.fullmatch(version):
            raise resource_not_found()
        return await self._respond(account, request.match_info["deployment"], await body_of(request), version)

    async def by_model(self, request: web.Request, account: Account) -> web.Response:
        """Answer the v1 route, where the deployment is the body's `model` and no api-version is needed."""
        authorize(request, account, self._lookup, self._identity, self._by_model)
        body = await body_of(request)
        return await self._respond(account, str(body.get("model") or ""), body, "v1")

    @abstractmethod
    async def _respond(self, account: Account, name: str, body: Mapping[str, Any], version: str) -> web.Response:
        """Answer a request to the deployment of this name."""


def answer_headers(account: Account, deployment: Deployment, remaining: Remaining) -> dict[str, str]:
    """Return the headers of an answer."""
    request_id = str(uuid.uuid4())
    return {
        "x-ratelimit-remaining-requests": str(remaining.requests),
        "x-ratelimit-remaining-tokens": str(remaining.tokens),
        "x-ms-region": account.location,
        "x-ms-deployment-name": deployment.name,
        "x-request-id": request_id,
        "apim-request-id": request_id,
    }
