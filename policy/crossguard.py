"""The rules as a CrossGuard pack.

The engine hands a pack each resource's inputs one by one, and at the end all resources with what they refer to but with
their outputs. Rules want both, so the pack remembers the inputs until the end comes. Levels arrive as the pack's
configuration, the standard way; without one, those of prod hold.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pulumi_policy import (
    EnforcementLevel,
    Policy,
    PolicyPack,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    StackValidationArgs,
    StackValidationPolicy,
    proxy,
)
from pulumi_policy.deserialize import serialize_properties

from policy.decisions import read
from policy.finding import findings
from policy.plan import UNKNOWN, Plan, PlannedResource
from policy.rule import Rule
from policy.rules import RULES

NAME = "postgres-genai"
_UNKNOWN_VALUES = {value for name, value in vars(proxy).items() if name.startswith("UNKNOWN_")}


def serve() -> None:
    """Serve the pack until the engine ends."""
    PolicyPack(NAME, policies(), description="Rules for PostgreSQL with generative AI on Azure, by environment.")


def policies() -> list[Policy]:
    """Return the rules as the engine's policies, after the one that remembers inputs."""
    memory = Memory()
    remember = ResourceValidationPolicy(
        "remember-inputs",
        "Remembers what the program asks for, for the rules about several resources; finds nothing itself.",
        memory.remember,
    )
    return [remember, *(_policy(rule, memory) for rule in RULES), _exemptions(memory)]


class Memory:
    """What the engine has said of the stack so far."""

    def __init__(self) -> None:
        self._inputs: dict[str, Mapping[str, Any]] = {}
        self._plan: Plan | None = None

    def remember(self, args: ResourceValidationArgs, _: ReportViolation) -> None:
        """Keep a resource's inputs."""
        self._inputs[args.urn] = plain(args.props)
        self._plan = None

    def plan(self, args: StackValidationArgs) -> Plan:
        """Return the whole stack as a plan, made once for all rules: every one of them is handed the same."""
        if self._plan is None:
            self._plan = plan_of(args, self._inputs)
        return self._plan


def _policy(rule: Rule, memory: Memory) -> Policy:
    def validate(args: StackValidationArgs, report: ReportViolation) -> None:
        plan = memory.plan(args)
        for found in findings(plan, rule, read(plan.stack)):
            if found.exemption is None:
                report(f"{found.text}\n{rule.remediation} [{rule.source}]", found.urn)

    return StackValidationPolicy(
        rule.id,
        rule.description,
        validate,
        enforcement_level=EnforcementLevel(rule.levels.prod.enforcement),
        remediation_steps=rule.remediation,
    )


def _exemptions(memory: Memory) -> Policy:
    """Return the policy that says what is let pass, so that no exemption is forgotten."""

    def validate(args: StackValidationArgs, report: ReportViolation) -> None:
        plan = memory.plan(args)
        decisions = read(plan.stack)
        exempt = {one.rule for one in decisions.exemptions}
        for rule in (rule for rule in RULES if rule.id in exempt):
            for found in findings(plan, rule, decisions):
                if found.exemption is not None:
                    report(
                        f"{rule.id} until {found.exemption.until}: {found.text}. {found.exemption.reason}", found.urn
                    )

    return StackValidationPolicy(
        "exemptions", "What policy/stacks.yaml lets pass, and until when.", validate, EnforcementLevel.ADVISORY
    )


def plan_of(args: StackValidationArgs, inputs: Mapping[str, Mapping[str, Any]]) -> Plan:
    """Return the engine's resources as a plan."""
    return Plan(
        tuple(
            PlannedResource(
                kind=resource.resource_type,
                name=resource.name,
                urn=resource.urn,
                inputs=inputs.get(resource.urn, {}),
                outputs=plain(resource.props),
                protect=bool(resource.opts.protect),
                refers={
                    name: frozenset(other.urn for other in others)
                    for name, others in resource.property_dependencies.items()
                },
            )
            for resource in args.resources
        ),
        datetime.now(UTC).date(),
    )


def plain(properties: Mapping[str, Any]) -> dict[str, Any]:
    """Return the engine's properties as plain values, with UNKNOWN for what a preview does not know."""
    found: dict[str, Any] = _known(serialize_properties(properties))
    return found


def _known(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _known(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_known(inner) for inner in value]
    return UNKNOWN if isinstance(value, str) and value in _UNKNOWN_VALUES else value
