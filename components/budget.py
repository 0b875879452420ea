"""Budget: what a stack's resource group may cost a month, and mails when that is near."""

from __future__ import annotations

from datetime import UTC, datetime

import pulumi
from pulumi_azure_native import consumption

from components.cost_settings import BudgetSettings


def budget(
    name: str, settings: BudgetSettings, group_id: pulumi.Input[str], opts: pulumi.ResourceOptions | None = None
) -> consumption.Budget:
    """Make the budget of a resource group."""
    notifications = {
        f"spent-{percent}": _notification(settings, percent, "Actual") for percent in sorted(settings.thresholds)
    } | {f"forecast-{settings.forecast}": _notification(settings, settings.forecast, "Forecasted")}
    return consumption.Budget(
        name,
        budget_name="postgres-genai",
        scope=group_id,
        category="Cost",
        amount=settings.monthly,
        time_grain="Monthly",
        time_period=consumption.BudgetTimePeriodArgs(start_date=first_of_month(datetime.now(UTC))),
        notifications=notifications,
        opts=pulumi.ResourceOptions.merge(
            # A budget starts with a month and keeps that start: the date is read once, when it is created.
            pulumi.ResourceOptions(ignore_changes=["timePeriod"]),
            opts,
        ),
    )


def first_of_month(now: datetime) -> str:
    """Return the first day of a month, as a budget's period begins (consumption 2024-08-01)."""
    return f"{now:%Y-%m}-01T00:00:00Z"


def _notification(settings: BudgetSettings, percent: int, kind: str) -> consumption.NotificationArgs:
    return consumption.NotificationArgs(
        enabled=True,
        operator="GreaterThanOrEqualTo",
        threshold=percent,
        threshold_type=kind,
        contact_emails=list(settings.emails),
    )
