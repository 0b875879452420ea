"""Settings of the server's availability: its zone, its standby, when it is maintained."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from components.section import Section, one_of

# Azure counts the days of a week from Sunday, 0.
DAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")

Zone = Annotated[str, AfterValidator(one_of("1", "2", "3"))]


class HighAvailability(Section):
    """A standby that takes over when the server fails; it costs as much as the server."""

    mode: Annotated[str, AfterValidator(one_of("Disabled", "SameZone", "ZoneRedundant"))] = Field(
        default="Disabled",
        description="Disabled, SameZone or ZoneRedundant; not on Burstable. It can be switched on and off later.",
    )
    standby_zone: Zone | None = Field(
        default=None,
        description="Zone of a ZoneRedundant standby: 1, 2 or 3; Azure chooses when left out."
        " Used when the server is created: a failover swaps it with `zone`, so a change later is ignored.",
    )


class MaintenanceWindow(Section):
    """The hour of the week in which Azure patches the server, in UTC; it may restart."""

    day: Annotated[str, AfterValidator(one_of(*DAYS))] = Field(
        examples=["Sunday"], description=f"Day of the week: {', '.join(DAYS)}."
    )
    hour: int = Field(examples=[2], ge=0, le=23, description="Hour at which it begins, UTC.")
    minute: int = Field(default=0, ge=0, le=59, description="Minute at which it begins.")
