"""Rules over TLS and PgBouncer. Source: azure-databases-docs, "PgBouncer" and "Secure connectivity with TLS"."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from components.catalogue.parameters import PARAMETERS
from components.mistakes import Findings
from components.tier_rules import refuse_on_burstable

if TYPE_CHECKING:
    from components.settings import StackSettings

_POOLER = ("server", "pgbouncer")


def check(settings: StackSettings, findings: Findings) -> None:
    """Add every mistake of the named parameters."""
    server, pooler = settings.server, settings.server.pgbouncer
    for name, (setting, _) in server.named_parameters.items():
        if name in settings.parameters:
            findings.add(
                ("parameters", name), f"is set by server.{setting} too; leave it out here", reads=[("server", setting)]
            )
    if pooler is None:
        return
    if pooler.enabled:
        refuse_on_burstable(settings, findings, (*_POOLER, "enabled"))
    if not pooler.enabled and pooler.options:
        findings.add(_POOLER, "has options, which Azure knows only while it is enabled; leave them out, or enable it")


def notes(settings: StackSettings) -> Iterator[str]:
    """Yield what weakens the way in."""
    secure = settings.parameters.get("require_secure_transport")
    if secure is not None and PARAMETERS["require_secure_transport"].normalise(secure) == "off":
        yield "parameters.require_secure_transport: clients may connect without TLS, with passwords and data in clear"
