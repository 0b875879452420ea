"""What the rules find in a plan, with the exemptions that the stack has."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from policy.decisions import Decisions, Exemption
from policy.plan import Plan, PlannedResource
from policy.rule import Rule


@dataclass(frozen=True, kw_only=True)
class Finding:
    """All that one rule finds in one resource.

    Attributes:
        urn: the resource; None for the stack as a whole.
        text: what is there, and that an exemption has ended where one has.
        exemption: the exemption that lets it pass, or None.
    """

    urn: str | None
    text: str
    exemption: Exemption | None = None


def findings(plan: Plan, rule: Rule, decisions: Decisions) -> Iterator[Finding]:
    """Check one rule, one finding a resource."""
    found: dict[str | None, list[str]] = {}
    resources: dict[str | None, PlannedResource | None] = {}
    for violation in rule.check(plan):
        urn = violation.resource.urn if violation.resource else None
        found.setdefault(urn, []).append(violation.found)
        resources[urn] = violation.resource
    for urn, texts in found.items():
        resource = resources[urn]
        yield judged(urn, resource.name if resource else plan.stack, "; ".join(texts), rule.id, decisions, plan.today)


def judged(urn: str | None, name: str, text: str, rule: str, decisions: Decisions, day: date) -> Finding:
    """Return a finding with the exemption that lets it pass, or with the news that it has ended."""
    exemption = decisions.exemption(rule, name)
    if exemption is None:
        return Finding(urn=urn, text=text)
    if exemption.holds(day):
        return Finding(urn=urn, text=text, exemption=exemption)
    return Finding(urn=urn, text=f"{text} (its exemption ended on {exemption.until}: {exemption.reason})")
