"""Which models are deployed, and how."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

from components.catalogue.models import MODELS
from policy.plan import DEPLOYMENT, Plan, PlannedResource
from policy.rule import WARN, Levels, Rule, Violation

RETIREMENT_DAYS = 90


def safe_deployment(plan: Plan) -> Iterator[Violation]:
    """Find deployments of a model that nobody chose, that ends soon, or whose limits Azure fills in."""
    for deployment in plan.of(DEPLOYMENT):
        for found in _model(deployment, plan.today):
            yield Violation(deployment, found)
        if not deployment.get("properties", "raiPolicyName"):
            yield Violation(deployment, "names no content filter")
        for part in ("name", "capacity"):
            if not deployment.get("sku", part):
                yield Violation(deployment, f"sku.{part} is left to Azure")


def _model(deployment: PlannedResource, today: date) -> Iterator[str]:
    name = str(deployment.get("properties", "model", "name"))
    model = MODELS.get(name)
    if model is None:
        yield f"{name} is not in the list of approved models, components/catalogue/models.py"
    elif date.fromisoformat(model.retires) <= today + timedelta(days=RETIREMENT_DAYS):
        yield f"{name} retires on {model.retires}, within {RETIREMENT_DAYS} days"


RULES = (
    Rule(
        id="ai-deployment-safe",
        description=f"A deployed model is approved, stays {RETIREMENT_DAYS} days at least, and has a content filter, a"
        " sku and a capacity.",
        levels=Levels(WARN, WARN, WARN),
        source="POL aafe3651, af253d37, f3a9c2e0; azure-ai-docs, model retirements",
        remediation="Choose another model under deployments; docs/vectorization.md says how rows move to it.",
        check=safe_deployment,
    ),
)
