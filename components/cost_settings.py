"""Settings that bound what a stack costs: a budget, and a server that sleeps at night."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field, field_validator

from components.monitoring_settings import Email
from components.section import Listed, Section, matching, one_of

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MOST_THRESHOLDS = 4  # a budget takes five notifications (consumption 2024-08-01), and one is the forecast

Clock = Annotated[str, AfterValidator(matching(r"([01]\d|2[0-3]):[0-5]\d", "a time of day such as 19:00 (quote it)"))]


class BudgetSettings(Section):
    """What a month may cost, and who hears of it. Azure stops nothing when it is spent."""

    monthly: float = Field(examples=[200], gt=0, description="Amount a month, in the currency of the subscription.")
    thresholds: Listed[int] = Field(
        default=(80, 100), description="Percent of it, once spent, at which mails are sent: 1 to 4 of them."
    )
    forecast: int = Field(
        default=100, ge=1, le=1000, description="Percent of it, once forecast for the month, at which a mail is sent."
    )
    emails: Listed[Email] = Field(examples=[["team@example.com"]], min_length=1, description="Addresses of the mails.")

    @field_validator("thresholds")
    @classmethod
    def _few(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if not 1 <= len(value) <= _MOST_THRESHOLDS or len(set(value)) < len(value):
            raise ValueError(f"needs 1 to {_MOST_THRESHOLDS} percentages, each once")
        if not all(0 < percent <= 1000 for percent in value):
            raise ValueError("holds a percentage that is not allowed; allowed: 1 to 1000")
        return value


class AutostopSettings(Section):
    """When the server is stopped, and started again. A stopped server bills its storage alone."""

    stop_at: Clock = Field(examples=["19:00"], description="Time of day at which the server is stopped.")
    start_at: Clock | None = Field(
        default=None, description="Time of day at which it is started; by hand when left out, or by Azure after 7 days."
    )
    days: Listed[Annotated[str, AfterValidator(one_of(*DAYS))]] = Field(
        default=DAYS[:5], min_length=1, description="Days of both; the weekdays when left out."
    )
    time_zone: str = Field(
        default="UTC", description="Time zone by its Windows name, such as W. Europe Standard Time (`tzutil /l`)."
    )


class CostSettings(Section):
    """What bounds the cost of a stack."""

    budget: BudgetSettings | None = Field(
        default=None, description="A budget on the resource group: {monthly, thresholds, forecast, emails}."
    )
    autostop: AutostopSettings | None = Field(
        default=None, description="Stops the server by the clock, for development: {stopAt, startAt, days, timeZone}."
    )
