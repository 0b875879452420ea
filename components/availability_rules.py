"""Rules over zones and the standby.

Sources: terraform-provider-azurerm 69697b7; azure-docs, "Reliability in Azure Database for PostgreSQL". Whether a
region has zones is known only there: preflight asks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.mistakes import Findings
from components.tier_rules import refuse_on_burstable

if TYPE_CHECKING:
    from components.settings import StackSettings

_HERE = ("server", "highAvailability")


def check(settings: StackSettings, findings: Findings) -> None:
    """Add every mistake of zones and standby."""
    server, available = settings.server, settings.server.high_availability
    if available.mode != "Disabled":
        refuse_on_burstable(settings, findings, (*_HERE, "mode"))
    if available.standby_zone is None:
        return
    place, reads = (*_HERE, "standbyZone"), [(*_HERE, "mode"), ("server", "zone")]
    if available.mode != "ZoneRedundant":
        findings.add(place, f"is used only with mode: ZoneRedundant; leave it out with {available.mode}", reads=reads)
    elif server.zone is None:
        findings.add(place, "needs server.zone too, or Azure may put the server itself there", reads=reads)
    elif server.zone == available.standby_zone:
        findings.add(place, f"is the server's own zone, {server.zone}; choose another", reads=reads)
