"""Who may call a data plane: an account's keys, or tokens of Microsoft Entra with a role at the account."""

import hmac
from collections.abc import Collection
from dataclasses import dataclass

from aiohttp import web

from emulator.ai.errors import ServiceError, refusal
from emulator.arm.lookup import Account, Lookup
from emulator.identity import Identity, InvalidToken, Principal

COGNITIVE_AUDIENCE = "https://cognitiveservices.azure.com"
FOUNDRY_AUDIENCE = "https://ai.azure.com"  # azure-ai-docs, "Azure OpenAI v1 API": accepted beside the other one

# azure-docs, "Azure built-in roles", AI + machine learning: roles whose data actions cover the calls.
COGNITIVE_SERVICES_USER = "a97b65f3-24c7-4388-baec-2e87135dc908"
OPENAI_ROLES = frozenset(
    {"5e0bd9bd-7b93-4f28-af87-19fc36ad61bd", "a001fd3d-188f-4b5d-821b-7da978bf7442", COGNITIVE_SERVICES_USER}
)  # Cognitive Services OpenAI User, Cognitive Services OpenAI Contributor
LANGUAGE_ROLES = frozenset({COGNITIVE_SERVICES_USER, "7628b7b8-a8b2-4cdc-b46f-e9b35248918e"})  # Language Reader

_BAD_KEY = (
    "Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a valid key for an "
    "active subscription and use a correct regional API endpoint for your resource."
)
_BAD_TOKEN = (
    f"Unauthorized. Access token is missing, invalid, audience is incorrect ({COGNITIVE_AUDIENCE}), or have expired."
)


@dataclass(frozen=True)
class Operation:
    """What a caller wants to do, and who may.

    Attributes:
        roles: Ids of the roles that allow it.
        denied: What the service says to a principal without them; `{principal}` is its object id.
        audiences: What tokens may be for.
        key_as_bearer: Whether a key may come as `Authorization: Bearer`.
    """

    roles: Collection[str]
    denied: str
    audiences: tuple[str, ...] = (COGNITIVE_AUDIENCE,)
    key_as_bearer: bool = False


def _bad_token(reason: str) -> ServiceError:
    # The service does not say what is wrong with a token; the emulator does, in a header.
    return ServiceError(401, {"statusCode": 401, "message": _BAD_TOKEN}, {"x-emulator-reason": reason})


def _principal(identity: Identity, token: str, audiences: tuple[str, ...]) -> Principal:
    reason = ""
    for audience in audiences:
        try:
            return identity.verify(token, audience)
        except InvalidToken as error:
            reason = reason or str(error)
    raise _bad_token(reason)


def authorize(request: web.Request, account: Account, lookup: Lookup, identity: Identity, operation: Operation) -> None:
    """Let a request pass, or refuse it as the service does.

    Raises:
        ServiceError: 401 for a wrong key or token or a missing role, 403 where public access, the network rules or the
            use of keys forbid it.
    """
    if not account.public_access:
        raise refusal(403, "AccessDenied", "Public access is disabled. Please configure private endpoint.")
    if not account.in_rules:
        # azure-sql-db-chatbot #3
        raise refusal(403, "403", "Access denied due to Virtual Network/Firewall rules.")
    key = request.headers.get("api-key") or request.headers.get("Ocp-Apim-Subscription-Key")
    scheme, _, credential = request.headers.get("Authorization", "").partition(" ")
    token = credential.strip() if scheme.lower() == "bearer" else ""
    if not key and operation.key_as_bearer and token.count(".") != 2:
        key, token = token, ""
    if key:
        _check_key(account, key)
        return
    if not token:
        raise _bad_token("neither a key nor a token was sent")
    principal = _principal(identity, token, operation.audiences)
    if not lookup.may(principal, operation.roles, account.resource_id):
        raise refusal(401, "PermissionDenied", operation.denied.format(principal=principal.object_id))


def _check_key(account: Account, key: str) -> None:
    if not account.local_auth:
        raise refusal(403, "AuthenticationTypeDisabled", "Key based authentication is disabled for this resource.")
    sent = key.encode()
    if not any([hmac.compare_digest(sent, valid.encode()) for valid in account.keys]):  # noqa: C419 - both, always
        raise refusal(401, "401", _BAD_KEY)
