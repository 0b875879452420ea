"""Rules over several values of what surrounds the server, said before anything is created."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from components.mistakes import Findings

if TYPE_CHECKING:
    from components.settings import StackSettings


def check(settings: StackSettings, findings: Findings) -> None:
    """Add every mistake of monitoring, cost and key vault."""
    keys, password = settings.ai.authentication == "keys", settings.authentication.password
    if settings.key_vault.enabled and not ((keys and settings.uses_ai) or password):
        findings.add(
            ("keyVault", "enabled"),
            "has nothing to keep: no password is used, and no keys; leave it out, or see ai.authentication",
            reads=[("ai", "authentication"), ("authentication", "password")],
        )
    if settings.ai.key_in_use != 1 and not keys:
        findings.add(
            ("ai", "keyInUse"),
            "is used only with ai.authentication: keys; leave it out",
            reads=[("ai", "authentication")],
        )
    stop = settings.cost.autostop
    if stop is not None and stop.start_at == stop.stop_at:
        findings.add(("cost", "autostop", "startAt"), f"{stop.start_at} is when it stops too; give another time")
    if stop is not None and settings.protect:
        findings.add(
            ("cost", "autostop"),
            "stops a server that the stack protects; leave one of the two out",
            reads=[("protect",)],
        )


def notes(settings: StackSettings) -> Iterator[str]:
    """Yield what a reader of the preview should know."""
    monitoring = settings.monitoring
    if monitoring.enabled and monitoring.alerts and not monitoring.emails:
        yield "monitoring.emails is empty: alerts are seen in the portal alone"
    if settings.cost.autostop is not None:
        yield (
            f"the server stops at {settings.cost.autostop.stop_at} ({settings.cost.autostop.time_zone}):"
            " while it is stopped, `pulumi up` cannot reach it"
        )
