"""Settings of a server that is made from another one: restored, or revived after it was dropped."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

from pydantic import AfterValidator, Field

from components.section import Section, matching, one_of

ORIGIN_MODES = ("PointInTimeRestore", "GeoRestore", "ReviveDropped")

ServerId = Annotated[
    str,
    AfterValidator(
        matching(
            r"/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft\.DBforPostgreSQL/flexibleServers/[^/]+",
            "the ARM id of a flexible server (`az postgres flexible-server show --query id`)",
        )
    ),
]


def _moment(value: str) -> str:
    """Accept a time in UTC that has been, and spell it in one way.

    Raises:
        ValueError: it is no time, not in UTC, or still to come.
    """
    moment: dt.datetime | None
    try:
        moment = dt.datetime.fromisoformat(value)
    except ValueError:
        moment = None
    if moment is None or moment.utcoffset() != dt.timedelta(0):
        raise ValueError(f"{value!r} is no time in UTC; such as 2026-01-31T12:00:00Z (quote it)")
    if moment > dt.datetime.now(dt.UTC):
        raise ValueError(f"{value!r} is still to come; allowed: a time that has been")
    return moment.isoformat().replace("+00:00", "Z")


class OriginSettings(Section):
    """The server that this one is made from, once; what it says afterwards changes nothing."""

    mode: Annotated[str, AfterValidator(one_of(*ORIGIN_MODES))] = Field(
        default="PointInTimeRestore",
        description="PointInTimeRestore (in the same region), GeoRestore (in the paired region, from a geo-redundant"
        " backup, whose last state it takes whatever the time), or ReviveDropped (within 5 days).",
    )
    server_id: ServerId = Field(
        examples=["/subscriptions/s/resourceGroups/g/providers/Microsoft.DBforPostgreSQL/flexibleServers/psql"],
        description="ARM id of that server, dropped or not.",
    )
    point_in_time: Annotated[str, AfterValidator(_moment)] = Field(
        examples=["2026-01-31T12:00:00Z"],
        description="Time in UTC to restore, such as 2026-01-31T12:00:00Z; with ReviveDropped, when it was dropped.",
    )
    restored: bool = Field(
        default=False,
        description="Set it to true once the server is there: what changes from then on goes to Azure as a change of"
        " it, no longer as a restore.",
    )
