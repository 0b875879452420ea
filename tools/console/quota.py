"""The last hour of a deployment's quota as a picture of sixty bars, and as a sentence that says the same."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from tools.watch.page import span

MINUTES = 60
WIDTH, HEIGHT = 600, 64  # of the picture, in its own units; a bar has 10
STEP = WIDTH / MINUTES
UNITS = ("tokens", "requests")  # what a quota is counted in; a service that is no deployment has no tokens


@dataclass(frozen=True)
class Bar:
    """A minute: where its bar is, and what a pointer is told about it."""

    x: float
    y: float
    height: float
    told: str


@dataclass(frozen=True)
class Use:
    """How much of a deployment's quota is used.

    Attributes:
        deployment: its name.
        lately: the last minute in a sentence, with what slows the workers down.
        hour: the last hour in a sentence.
        bars: the minutes that used something; a full one is as high as the picture.
    """

    deployment: str
    lately: str
    hour: str
    bars: list[Bar]


def use(quota: dict[str, Any], minutes: list[dict[str, Any]], now: datetime) -> Use:
    """Put together what is to be said of a deployment.

    Args:
        quota: its row of vectorize.quota.
        minutes: rows of vectorize.quota_minutes, of all deployments.
        now: the present time, in the time zone to be shown.
    """
    own = [minute for minute in minutes if minute["deployment"] == quota["deployment"]]
    return Use(quota["deployment"], _lately(quota, now), _hour(quota, own, now), _bars(quota, own, now))


def _lately(quota: dict[str, Any], now: datetime) -> str:
    shares = [
        f"{_percent(quota[f'{unit}_last_minute'] / limit)} of {limit:,} {unit}"
        for unit in UNITS
        if (limit := quota[f"{unit}_per_minute"])
    ]
    said = f"Last minute: {', '.join(shares)}."
    rate = float(quota["rate"] if quota["rate"] is not None else 1)
    held = quota["not_before"]
    if rate < 0.9:
        said += f" Slowed to {_percent(rate)} after refusals."
    if held and held > now:
        said += f" Everybody waits for {span((held - now).total_seconds())}, as the service asked."
    return said


def _hour(quota: dict[str, Any], minutes: list[dict[str, Any]], now: datetime) -> str:
    if not minutes:
        return "Nothing was used in the last hour."
    busiest = max(minutes, key=lambda minute: _share(quota, minute))
    tokens, requests = (sum(minute[key] for minute in minutes) for key in ("tokens", "requests"))
    return (
        f"Last hour: {tokens:,} tokens in {requests:,} requests; the busiest minute was "
        f"{busiest['minute'].astimezone(now.tzinfo):%H:%M}, with {_percent(_share(quota, busiest))} of the quota."
    )


def _bars(quota: dict[str, Any], minutes: list[dict[str, Any]], now: datetime) -> list[Bar]:
    begin = now.replace(second=0, microsecond=0) - timedelta(minutes=MINUTES - 1)
    bars = []
    for minute in minutes:
        place = (minute["minute"] - begin) // timedelta(minutes=1)
        if 0 <= place < MINUTES:
            height = max(1.0, HEIGHT * min(1.0, _share(quota, minute)))  # a minute that used little is seen still
            told = (
                f"{minute['minute'].astimezone(now.tzinfo):%H:%M}: {minute['tokens']:,} tokens, "
                f"{minute['requests']:,} requests, {_percent(_share(quota, minute))} of the quota"
            )
            bars.append(Bar(round(place * STEP + 1, 1), round(HEIGHT - height, 1), round(height, 1), told))
    return bars


def _share(quota: dict[str, Any], minute: dict[str, Any]) -> float:
    """Return the share that a minute used of what ran out first, tokens or requests."""
    limits = [(unit, quota[f"{unit}_per_minute"]) for unit in UNITS]
    return max((minute[unit] / limit for unit, limit in limits if limit), default=0.0)


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"
