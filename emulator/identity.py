"""Entra tokens of the emulator: who somebody is, and how a token says so."""

import time
import uuid
from dataclasses import dataclass

import jwt

_ALGORITHM = "HS256"
_CLOCK_SKEW_SECONDS = 5


@dataclass(frozen=True)
class Principal:
    """Somebody who signs in.

    Attributes:
        object_id: The Entra object id, a GUID.
        name: What people call it; the name of the role in PostgreSQL.
        kind: "User" or "ServicePrincipal" (managed identities are service principals).
    """

    object_id: str
    name: str
    kind: str


class InvalidToken(Exception):
    """A token that is refused; the message says why."""


def audience_of(resource: str) -> str:
    """Return a token's audience for a resource or a scope.

    Clients write the same resource with and without `/.default` and with and without a slash at the end
    (Microsoft identity platform, "Scopes and permissions", trailing slash and .default).
    """
    return resource.removesuffix("/.default").rstrip("/").lower()


class Identity:
    """Issues and checks tokens with one key, which the daemon keeps in its state."""

    def __init__(self, tenant_id: str, signing_key: str) -> None:
        """Create an issuer.

        Args:
            tenant_id: The GUID of the tenant that tokens name.
            signing_key: A secret of at least 32 characters; tokens of another key are refused.
        """
        self.tenant_id = tenant_id
        self._key = signing_key
        self._issuer = f"https://sts.windows.net/{tenant_id}/"

    def issue(self, principal: Principal, resource: str, lifetime_seconds: int = 3600) -> str:
        """Return a signed token that lets a principal use a resource."""
        now = int(time.time())
        claims: dict[str, object] = {
            "aud": audience_of(resource),
            "iss": self._issuer,
            "iat": now,
            "nbf": now,
            "exp": now + lifetime_seconds,
            "oid": principal.object_id,
            "sub": principal.object_id,
            "tid": self.tenant_id,
            "uti": uuid.uuid4().hex,
            "ver": "1.0",
            "idtyp": "user" if principal.kind == "User" else "app",
            "name": principal.name,
        }
        if principal.kind == "User":
            claims["unique_name"] = principal.name
        else:
            claims["appid"] = principal.object_id
        return jwt.encode(claims, self._key, algorithm=_ALGORITHM)

    def expires_on(self, token: str) -> int:
        """Return when a token of this issuer ends, in seconds since 1970."""
        claims = jwt.decode(
            token, self._key, algorithms=[_ALGORITHM], options={"verify_aud": False, "verify_exp": False}
        )
        return int(claims["exp"])

    def verify(self, token: str, audience: str) -> Principal:
        """Return whom a token stands for.

        Args:
            token: The token as it was sent, without `Bearer`.
            audience: The resource that it must be for.

        Raises:
            InvalidToken: It is expired, for another resource, or was not issued here.
        """
        try:
            claims = jwt.decode(
                token,
                self._key,
                algorithms=[_ALGORITHM],
                issuer=self._issuer,
                leeway=_CLOCK_SKEW_SECONDS,
                options={"verify_aud": False, "require": ["aud", "exp", "iss", "oid"]},
            )
        except jwt.ExpiredSignatureError:
            raise InvalidToken("the token is expired") from None
        except jwt.ImmatureSignatureError:
            raise InvalidToken("the token is not valid yet") from None
        except jwt.PyJWTError:
            raise InvalidToken("the token was not issued by this emulator") from None
        actual = str(claims["aud"])
        if actual != audience_of(audience):
            raise InvalidToken(f"wrong audience: the token is for {actual}, not for {audience_of(audience)}")
        kind = "User" if claims.get("idtyp") == "user" else "ServicePrincipal"
        return Principal(object_id=str(claims["oid"]), name=str(claims.get("name", "")), kind=kind)
