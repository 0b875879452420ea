"""Who may do what in Resource Manager: tokens, and roles on the control plane."""

from __future__ import annotations

from emulator.arm.errors import ArmError
from emulator.arm.lookup import Lookup
from emulator.identity import Identity, InvalidToken, Principal

_AUDIENCES = ("https://management.azure.com", "https://management.core.windows.net")
_OWNER = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635"
_CONTRIBUTOR = "b24988ac-6180-42a0-ab88-20f7382dd24c"
_READER = "acdd72a7-3385-48ef-bd42-f606fba81ae7"
_ACCESS_ADMINISTRATOR = "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9"


def authenticate(identity: Identity, header: str | None) -> Principal:
    """Return who sends a request.

    Args:
        identity: The issuer.
        header: The Authorization header.

    Raises:
        ArmError: 401, with the code and the text that ARM has for the reason.
    """
    if not header:
        raise _refused("AuthenticationFailed", "Authentication failed. The 'Authorization' header is missing.")
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "bearer" or not token:
        message = "Authentication failed. The 'Authorization' header is provided in an invalid format."
        raise _refused("AuthenticationFailedInvalidHeader", message)
    reason = ""
    for audience in _AUDIENCES:
        try:
            return identity.verify(token.strip(), audience)
        except InvalidToken as error:
            reason = str(error)
    if "expired" in reason:
        raise _refused(
            "ExpiredAuthenticationToken", "The access token expiry UTC time is earlier than current UTC time."
        )
    if "audience" in reason:
        message = (
            "The access token has been obtained for wrong audience or resource. It should exactly match with one of "
            f"the allowed audiences '{','.join(_AUDIENCES)}'."
        )
        raise _refused("InvalidAuthenticationTokenAudience", message)
    raise _refused("InvalidAuthenticationToken", "The access token is invalid.")


def authorize(lookup: Lookup, principal: Principal, method: str, resource_type: str, scope: str) -> None:
    """Refuse what the principal's roles do not allow.

    Raises:
        ArmError: 403, AuthorizationFailed.
    """
    roles: tuple[str, ...] = (_OWNER, _CONTRIBUTOR)
    if method in ("GET", "HEAD"):
        roles = (_OWNER, _CONTRIBUTOR, _READER, _ACCESS_ADMINISTRATOR)
    elif resource_type.lower().startswith("microsoft.authorization/"):
        roles = (_OWNER, _ACCESS_ADMINISTRATOR)
    if lookup.may(principal, roles, scope):
        return
    verb = {"GET": "read", "HEAD": "read", "DELETE": "delete", "POST": "action"}.get(method, "write")
    raise ArmError(
        403,
        "AuthorizationFailed",
        f"The client '{principal.name}' with object id '{principal.object_id}' does not have authorization to perform "
        f"action '{resource_type}/{verb}' over scope '{scope}' or the scope is invalid. If access was recently "
        "granted, please refresh your credentials.",
    )


def _refused(code: str, message: str) -> ArmError:
    return ArmError(401, code, message)
