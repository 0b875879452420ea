"""Who may ask the console, and what a browser may do with its answers.

Loopback keeps other machines away, but not the other programs and accounts of this one, nor the pages of other sites in
the same browser. So the address has a token that nobody else knows; the Host header must name this machine, or a name
that a stranger's DNS leads here would make a stranger's page one of ours (DNS rebinding); and what changes something
must come from a form of a page that was served here.
"""

from __future__ import annotations

import hmac
import secrets
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

HOSTS = frozenset({"127.0.0.1", "localhost"})

HEADERS = {
    # Even if a row's text came to be read as HTML, it could run and load nothing: no script within a page counts.
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src data:; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    # Not no-referrer: a form's Origin would be null then (Fetch standard, "append a request Origin header").
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


class Guard:
    """Knows the token of the address and that of the forms; both live as long as the process."""

    def __init__(self) -> None:
        self.token = secrets.token_urlsafe(24)
        self.form = secrets.token_urlsafe(24)

    def address(self, port: int) -> str:
        """Return the address that opens the page."""
        return f"http://127.0.0.1:{port}/{self.token}/"

    @web.middleware
    async def check(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        """Answer for the handler where somebody may not ask."""
        if not names_this_machine(request.headers.getall("Host", [])):
            return _refusal("This console answers to 127.0.0.1 and localhost only.")
        if not _same(request.path.split("/")[1], self.token):
            return _refusal("Open the whole address that `make console` printed; it changes with each start.")
        if request.method not in ("GET", "HEAD"):
            origins = request.headers.getall("Origin", [])
            given = (await request.post()).get("form", "")
            if origins != [f"http://{request.headers['Host']}"] or not _same(str(given), self.form):
                return _refusal("This did not come from the console's own page. Load the page again, then try again.")
        return await handler(request)


def names_this_machine(hosts: list[str]) -> bool:
    """Tell whether there is one Host header and it names this machine, with any port: a tunnel may have another."""
    if len(hosts) != 1:
        return False
    try:
        parts = urlsplit(f"//{hosts[0]}")
        _ = parts.port  # a ValueError where it is no number
    except ValueError:
        return False
    return parts.hostname in HOSTS and parts.username is None and not (parts.path or parts.query or parts.fragment)


async def add_headers(_: web.Request, response: web.StreamResponse) -> None:
    """Add to an answer what browsers must know; what the handler set stays."""
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)


def _same(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode(errors="surrogateescape"), expected.encode())


def _refusal(why: str) -> web.Response:
    return web.Response(status=403, text=f"{why}\n")
