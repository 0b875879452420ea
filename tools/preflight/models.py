"""Whether the region has the models, for how long, and the quota for what the stack declares."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tools.preflight.finding import OK, PROBLEM, WARNING, Finding

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tools.preflight.resource_manager import ResourceManager
    from tools.preflight.wanted import Wanted, WantedDeployment

MODELS = "models"
QUOTA = "quota"
RETIREMENT_DAYS = 90


@dataclass(frozen=True)
class Listed:
    """A version of a model as the region lists it.

    Attributes:
        skus: kinds of deployment, and the quota that each counts against.
        retires: the day after which it answers no more, or None where the service names none.
    """

    name: str
    version: str
    lifecycle: str
    skus: Mapping[str, str]
    retires: dt.date | None


def check(wanted: Wanted, manager: ResourceManager, today: dt.date, retirement_days: int) -> list[Finding]:
    """Look at the models and at the quota."""
    if not wanted.deployments:
        return [Finding(check=MODELS, status=OK, found="The stack declares no model deployment.")]
    scope = manager.scope
    account = wanted.openai_id
    if account is not None:  # models and quota are those of its region and its subscription
        location = str(manager.get(account).get("location")).replace(" ", "").lower()
        wanted, scope = replace(wanted, location=location), f"/subscriptions/{account.split('/')[2]}"
    place = f"{scope}/providers/Microsoft.CognitiveServices/locations/{wanted.location}"
    listed = listed_models(manager.list(f"{place}/models"))
    usages = manager.list(f"{place}/usages")
    return [
        *judge_models(wanted, listed, today, retirement_days, f"GET {place}/models"),
        *judge_quota(wanted, listed, usages, f"GET {place}/usages"),
    ]


def listed_models(answer: Sequence[Mapping[str, Any]]) -> list[Listed]:
    """Decode the service's list; an entry stands for a kind of account, so a version may be there more than once."""
    found = []
    for entry in answer:
        model = entry.get("model") or {}
        if model.get("format") != "OpenAI":
            continue
        skus = {
            str(sku.get("name")): str(sku.get("usageName") or f"OpenAI.{sku.get('name')}.{model.get('name')}")
            for sku in model.get("skus") or []
        }
        ends = str((model.get("deprecation") or {}).get("inference") or "")
        found.append(
            Listed(
                str(model.get("name")),
                str(model.get("version")),
                str(model.get("lifecycleStatus") or ""),
                skus,
                _day(ends),
            )
        )
    return found


def _day(text: str) -> dt.date | None:
    try:
        return dt.date.fromisoformat(text[:10])
    except ValueError:
        return None


def judge_models(
    wanted: Wanted, listed: Sequence[Listed], today: dt.date, retirement_days: int, read: str
) -> list[Finding]:
    """Compare each deployment with what the region lists."""
    found = []
    for deployment in wanted.deployments:
        status, text, way_out = _judge_model(wanted.location, deployment, listed, today, retirement_days)
        found.append(Finding(check=MODELS, status=status, found=text, do=way_out, read=read))
    return found


def _judge_model(
    location: str, deployment: WantedDeployment, listed: Sequence[Listed], today: dt.date, retirement_days: int
) -> tuple[str, str, str]:
    what = f"deployments.{deployment.name}: {deployment.model}"
    versions = [model for model in listed if model.name == deployment.model]
    if not versions:
        there = ", ".join(sorted({model.name for model in listed if "embedding" in model.name})) or "none"
        return PROBLEM, f"{what} is not in {location}.", f"Choose another region, or a model of this one: {there}."
    matching = [model for model in versions if deployment.version in (None, model.version)]
    if not matching:
        there = ", ".join(sorted({model.version for model in versions}))
        return PROBLEM, f"{what} has no version {deployment.version} in {location}.", f"There is: {there}."
    skus = {name for model in matching for name in model.skus}
    if deployment.sku not in skus:
        return (
            PROBLEM,
            f"{what} has no {deployment.sku} in {location}.",
            f"There is: {', '.join(sorted(skus)) or 'none'}; or choose another region.",
        )
    model = matching[0]
    version = f"{what} version {model.version}"
    days = (model.retires - today).days if model.retires else None
    if model.lifecycle == "Deprecated" or (days is not None and days < 0):
        when = f" since {model.retires}" if model.retires and days is not None and days < 0 else ""
        return PROBLEM, f"{version} is retired{when}.", "Choose another model, and give the job a deployment of it."
    if days is not None and days <= retirement_days:
        return (
            WARNING,
            f"{version} retires on {model.retires}, in {days} days.",
            "Plan the change: another deployment, and the job's `deployment` moved to it (docs/vectorization.md).",
        )
    until = f"until {model.retires}" if model.retires else "with no day of retirement named"
    return OK, f"{version}, {deployment.sku}, in {location} {until}.", ""


def judge_quota(
    wanted: Wanted, listed: Sequence[Listed], usages: Sequence[Mapping[str, Any]], read: str
) -> list[Finding]:
    """Compare what the deployments ask for with what the subscription has left and the stack holds already."""
    by_name = {str((usage.get("name") or {}).get("value")): usage for usage in usages}
    names = {(model.name, sku): usage for model in listed for sku, usage in model.skus.items()}
    asked: dict[str, int] = {}
    held: dict[str, int] = {}
    for deployment in wanted.deployments:
        quota = names.get((deployment.model, deployment.sku), deployment.quota)
        asked[quota] = asked.get(quota, 0) + deployment.capacity
        held[quota] = wanted.held.get(deployment.quota, 0)
    return [_judge_one(wanted, quota, asked[quota], held[quota], by_name.get(quota), read) for quota in sorted(asked)]


def _judge_one(
    wanted: Wanted, quota: str, asked: int, held: int, usage: Mapping[str, Any] | None, read: str
) -> Finding:
    if usage is None:
        return Finding(
            check=QUOTA,
            status=PROBLEM,
            found=f"{quota}: the subscription has no such quota in {wanted.location}.",
            do="Choose another kind of deployment (sku) or region, or ask for quota: https://aka.ms/oai/stuquotarequest",
            read=read,
        )
    limit, used = int(usage.get("limit") or 0), int(usage.get("currentValue") or 0)
    free = limit - used + held
    # The service counts what the stack holds as used, as does the portal.
    own = f", of which the stack holds {min(held, asked):,} already" if held else ""
    what = (
        f"{quota} in {wanted.location}: {asked:,} asked{own}; {limit - used:,} of {limit:,} free "
        "(thousands of tokens a minute)"
    )
    if asked <= free:
        return Finding(check=QUOTA, status=OK, found=f"{what}.", read=read)
    lower = f"Lower the capacity to {free:,} or less, " if free > 0 else "Free some of it, "
    return Finding(
        check=QUOTA,
        status=PROBLEM,
        found=f"{what}: {asked - free:,} too few.",
        do=f"{lower}choose another sku or region, purge soft-deleted accounts, or ask for quota: "
        "https://aka.ms/oai/stuquotarequest",
        read=read,
    )
