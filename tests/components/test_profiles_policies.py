"""What the policies say to every checked-in stack, without the engine: the rules run on what the program asks for."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from emulator.providers import values
from policy.decisions import Decisions, read
from policy.environment import environment_of
from policy.finding import findings
from policy.plan import STACK, UNKNOWN, Plan, PlannedResource
from policy.rule import Level
from policy.rules import RULES
from tests.components.conftest import Recording
from tests.components.test_schema_truth import STACKS, config_of

TODAY = date(2026, 12, 1)


def plan_of(recording: Recording, stack: str) -> Plan:
    """Return what a program asked for as the pack would see it."""
    made = [
        PlannedResource(
            kind=one.token,
            name=one.name,
            urn=urn(stack, one.token, one.name),
            inputs=known(values.read(one.request.object)),
            protect=one.request.protect,
            refers={
                name: frozenset(whole(stack, other) for other in others.urns)
                for name, others in one.request.propertyDependencies.items()
            },
        )
        for one in recording.registrations
    ]
    exported = PlannedResource(kind=STACK, name=stack, urn=urn(stack, STACK, stack), outputs=dict(recording.exports))
    return Plan((exported, *made), TODAY)


def urn(stack: str, kind: str, name: str) -> str:
    return f"urn:pulumi:{stack}::postgres-genai::{kind}::{name}"


def whole(stack: str, found: str) -> str:
    """Return a URN without the types of its parents."""
    *_, kind, name = found.split("::")
    return urn(stack, kind.rpartition("$")[2], name)


def known(value: Any) -> Any:
    """Return a value with the mark of this package for what is not known."""
    if isinstance(value, dict):
        return {key: known(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [known(inner) for inner in value]
    if isinstance(value, values.Secret):
        return known(value.value)
    return UNKNOWN if value is values.UNKNOWN else value


def denials(plan: Plan, decisions: Decisions, config: dict[str, Any]) -> list[str]:
    """Return what the stack's environment denies, exemptions considered."""
    environment = environment_of(config["tags"])
    return [
        f"{rule.id}: {found.text}"
        for rule in RULES
        if decisions.level(rule, environment) is Level.DENY
        for found in findings(plan, rule, decisions)
        if found.exemption is None
    ]


@pytest.fixture(params=["new", "there"])
def planned(request: pytest.FixtureRequest, deploy: Callable[..., Recording]) -> Callable[[str], Plan]:
    """Plan a stack: before its first `up`, when next to nothing is known, and after it."""
    return lambda stack: plan_of(deploy(config_of(stack), preview=True, exists=request.param == "there"), stack)


@pytest.mark.parametrize("stack", STACKS)
def test_no_checked_in_stack_is_denied(planned: Callable[[str], Plan], stack: str) -> None:
    assert denials(planned(stack), read(stack), config_of(stack)) == []


@pytest.mark.parametrize("stack", STACKS)
def test_none_needs_an_exemption(planned: Callable[[str], Plan], stack: str) -> None:
    assert denials(planned(stack), Decisions(), config_of(stack)) == []
    assert read(stack).exemptions == ()


def test_dev_would_be_denied_as_prod(planned: Callable[[str], Plan]) -> None:
    config = config_of("dev")
    found = denials(planned("dev"), Decisions(), {**config, "tags": {**config["tags"], "environment": "prod"}})
    assert {line.partition(":")[0] for line in found} >= {"pg-public-access-off", "pg-geo-backup", "pg-cannot-delete"}


def test_prod_with_a_replica_passes_too(deploy: Callable[..., Recording]) -> None:
    config = config_of("prod")
    with_replica = {**config, "server": {**config["server"], "replicas": {"reports": {}}}}
    assert denials(plan_of(deploy(with_replica, preview=True), "prod"), Decisions(), with_replica) == []
