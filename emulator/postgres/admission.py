"""Who may connect to an emulated server: network rules and authentication, with the service's texts."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from emulator.arm.lookup import ServerView
from emulator.identity import Identity, InvalidToken, Principal

AUDIENCE = "https://ossrdbms-aad.database.windows.net"
"""The resource that tokens for databases are for (azure-databases-docs, "Connect with managed identity")."""

INSIDE = "127.0.0.1"
"""The address of this machine inside of every emulated network; its other addresses are outside, on the internet."""

_ACCESSIBLE = frozenset({"Ready", "Updating"})
"""States in which a server takes connections; that it does while Updating is unverified."""


class Refusal(Exception):
    """A connection that is refused; `sqlstate` and the message go to the client."""

    def __init__(self, message: str, sqlstate: str = "28000", hint: str | None = None) -> None:
        """Keep what the client is told."""
        super().__init__(message)
        self.sqlstate = sqlstate
        self.hint = hint


def is_accessible(server: ServerView) -> bool:
    """Return whether anything listens at the server's name."""
    return server.state in _ACCESSIBLE


def check_network(server: ServerView, address: str, user: str, database: str) -> None:
    """Refuse a client whom public access or the firewall rules keep out.

    A server in a subnet, or with a private endpoint, is reached from inside its network, where INSIDE alone is.

    The text is PostgreSQL's own, seen with `SSL on` in its place on older servers (azuredatastudio-postgresql #257);
    that a flexible server answers so, and not by silence, is unverified.

    Raises:
        Refusal: The client is kept out.
    """
    if (server.inside and address == INSIDE) or (server.public_access and _is_in(address, server.firewall)):
        return
    raise no_entry(address, user, database, "SSL encryption")


def no_entry(address: str, user: str, database: str, encryption: str = "no encryption") -> Refusal:
    """Return the refusal of a client that no rule lets in; for one without TLS seen in hydra #3762 and dbmate #347."""
    return Refusal(
        f'no pg_hba.conf entry for host "{address}", user "{user}", database "{database}", {encryption}', "28000"
    )


def wants_token(server: ServerView, user: str, object_id: str | None) -> bool:
    """Return whether a user proves itself with an Entra token; else it does with a password.

    Args:
        server: The server.
        user: The role.
        object_id: The Entra principal that it belongs to, or None.

    Raises:
        Refusal: The server takes neither.
    """
    if server.entra and object_id is not None:
        return True
    if server.password:
        return False
    if server.entra:
        return True
    raise Refusal(f'password authentication failed for user "{user}"', "28P01")  # unverified


def check_token(expected: str | None, identity: Identity, user: str, token: str) -> Principal:
    """Return whom a token stands for, when it may connect as this user.

    Args:
        expected: The object id of the principal that the user's role belongs to, or None.
        identity: The issuer.
        user: The role.
        token: The token.

    Raises:
        Refusal: The token is not valid, is somebody else's, or the role belongs to no principal.
    """
    try:
        principal = identity.verify(token, AUDIENCE)
    except InvalidToken as problem:
        raise _invalid_token(str(problem)) from None
    if expected is None:
        raise Refusal(f'password authentication failed for user "{user}"', "28P01")  # unverified
    if principal.object_id.lower() == expected.lower():
        return principal
    if principal.kind == "ServicePrincipal":
        # Seen in Azure's own workshops for Container Apps: a managed identity's token with a person's role.
        raise Refusal(
            f'Microsoft Entra user token for role "{user}" is neither an AAD_AUTH_TOKENTYPE_APP_USER or an '
            "AAD_AUTH_TOKENTYPE_APP_OBO token."
        )
    raise Refusal(f'The access token does not belong to role "{user}".')  # unverified


def _invalid_token(problem: str) -> Refusal:
    """Return the service's words for a token's problem."""
    if "expired" in problem:
        return Refusal("The access token has expired. Please acquire a new token and retry.")  # ora2pg #1851
    if "audience" in problem:  # azuredatastudio-postgresql #505
        return Refusal(
            "The access token does not have a valid audience claim. "
            f'Please acquire a new token for the resource "{AUDIENCE}".'
        )
    return Refusal(
        "An error occurred while validating the access token. Please acquire a new token and retry."
    )  # unverified


def _is_in(address: str, rules: Iterable[tuple[str, str]]) -> bool:
    """Return whether an address is in one of the ranges.

    0.0.0.0 to 0.0.0.0 stands for Azure's own services (azure-databases-docs, "Firewall rules"); no client of the
    emulator is one.
    """
    client = ipaddress.ip_address(address)
    if isinstance(client, ipaddress.IPv6Address):
        if client.ipv4_mapped is None:
            return False
        client = client.ipv4_mapped
    return any(ipaddress.IPv4Address(first) <= client <= ipaddress.IPv4Address(last) for first, last in rules)
