"""Rules over a server that is made from another one. Source: azure-databases-docs, "Backup and restore"."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from components.mistakes import Findings

if TYPE_CHECKING:
    from components.settings import StackSettings


def check(settings: StackSettings, findings: Findings) -> None:
    """Add every mistake of the origin."""
    origin, available = settings.server.origin, settings.server.high_availability
    if origin is not None and not origin.restored and available.mode != "Disabled":
        findings.add(
            ("server", "highAvailability", "mode"),
            "must be Disabled while the server is restored: Azure makes a single one; set server.origin.restored"
            " to true once it is there, and then ask for the standby",
            reads=[("server", "origin")],
        )


def notes(settings: StackSettings) -> Iterator[str]:
    """Yield what a restored server brings along, and what not."""
    origin = settings.server.origin
    if origin is not None and not origin.restored:
        name = origin.server_id.rpartition("/")[2]
        yield (
            f"the server is made from {name} as of {origin.point_in_time} ({origin.mode}): database"
            f" {settings.database.name!r} must be in it and is not created; version and storage must fit"
        )
