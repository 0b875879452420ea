"""The few messages of PostgreSQL's protocol that the gateway reads and writes itself.

Formats: PostgreSQL documentation, "Message Formats" and "Message Flow" (protocols 3.0 and 3.2).
"""

from __future__ import annotations

import struct
from collections.abc import Mapping

SSL_REQUEST = 80877103
GSS_REQUEST = 80877104
CANCEL_REQUEST = 80877102
TLS_HANDSHAKE = b"\x16"
"""First byte of a client that starts with TLS at once, which libpq does from version 17 with sslnegotiation=direct."""

CLEARTEXT_PASSWORD_REQUEST = struct.pack("!cII", b"R", 8, 3)
MAXIMUM_STARTUP_BYTES = 10_000
"""PostgreSQL's own limit (pqcomm.h, MAX_STARTUP_PACKET_LENGTH)."""

MAXIMUM_PASSWORD_BYTES = 65_535
"""PostgreSQL's own limit (auth.c, PG_MAX_AUTH_TOKEN_LENGTH); a token of Entra has a few thousand."""

BACKEND_KEY = b"K"
READY = b"Z"
PASSWORD = b"p"


class ProtocolViolation(Exception):
    """A peer sent what the protocol does not allow."""


def startup_parameters(body: bytes) -> dict[str, str]:
    """Return the names and values of a startup message's body, without its protocol version.

    Raises:
        ProtocolViolation: The body is no list of pairs.
    """
    try:
        words = body.decode().split("\0")
    except UnicodeDecodeError:
        raise ProtocolViolation("startup message is not UTF-8") from None
    if len(words) < 2 or words[-2:] != ["", ""] or len(words) % 2 != 0:
        raise ProtocolViolation("startup message is not a list of names and values")
    pairs = words[:-2]
    return dict(zip(pairs[::2], pairs[1::2], strict=True))


def startup_message(protocol: int, parameters: Mapping[str, str]) -> bytes:
    """Return a startup message."""
    body = b"".join(f"{name}\0{value}\0".encode() for name, value in parameters.items()) + b"\0"
    return struct.pack("!II", len(body) + 8, protocol) + body


def error_response(message: str, sqlstate: str, hint: str | None = None) -> bytes:
    """Return a FATAL ErrorResponse."""
    fields = [("S", "FATAL"), ("V", "FATAL"), ("C", sqlstate), ("M", message)]
    if hint is not None:
        fields.append(("H", hint))
    body = b"".join(f"{code}{value}\0".encode() for code, value in fields) + b"\0"
    return struct.pack("!cI", b"E", len(body) + 4) + body
