"""The gate before a change: a preview under the policy pack, and its dangers. What is denied is not begun."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from policy.change import Change, Fate
from policy.dangers import DANGERS, Danger
from policy.decisions import Decisions, DecisionsError, read
from policy.environment import Environment, environment_of
from policy.finding import Finding, judged
from policy.rule import Level
from policy.rules import RULES
from tools.failure import Failure
from tools.places import ROOT, stacks
from tools.stack import config_values

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date

    from tools.events import Events
    from tools.pulumi import Pulumi

PACK = ROOT / "policy"
# Arguments of `up` that a preview does not know.
OF_UP = ("--yes", "-y", "--skip-preview", "-f", "--continue-on-error")
# What the engine's operations come to. Of those that make one replacement, the last knows most.
FATES: dict[str, Fate] = {
    "update": "update",
    "delete": "delete",
    "delete-replaced": "replace",
    "replace": "replace",
    "create-replacement": "replace",
}


@dataclass(frozen=True)
class Dangerous:
    """A dangerous change that a preview shows.

    Attributes:
        danger: what kind it is.
        resource: whom it happens to, by the name in the program.
        level: what the stack's environment says to it.
        finding: what changes, and the exemption that lets it pass.
    """

    danger: Danger
    resource: str
    level: Level
    finding: Finding

    @property
    def denied(self) -> bool:
        """Whether it stops the change."""
        return self.level is Level.DENY and self.finding.exemption is None

    def lines(self) -> list[str]:
        """Say it: what changes, what follows, what became of an exemption."""
        exemption = self.finding.exemption
        verdict = f"exempt until {exemption.until}" if exemption else "denied" if self.denied else "warning"
        return [
            f"  {verdict}: {self.resource} {self.finding.text} [{self.danger.id}]",
            f"    {self.danger.consequence}",
            *([f"    {exemption.reason}"] if exemption else []),
        ]


@dataclass(frozen=True)
class Preview:
    """A preview as it went.

    Attributes:
        environment: the environment whose levels held.
        code: the engine's exit status.
        events: what the engine reported.
        text: what the engine printed.
        dangers: the dangerous changes in it.
    """

    environment: Environment
    code: int
    events: Events
    text: str
    dangers: list[Dangerous]

    @property
    def denied(self) -> list[str]:
        """The ids of all that denies the change."""
        rules = {found.policy for found in self.events.policies if found.denied}
        return sorted(rules | {one.danger.id for one in self.dangers if one.denied})

    @property
    def warned(self) -> list[str]:
        """The id of the rule of each warning."""
        return [found.policy for found in self.events.policies if not found.denied]

    def warnings(self) -> list[str]:
        """Return the dangers as lines, the denied ones first; none where there is no danger."""
        ordered = sorted(self.dangers, key=lambda one: not one.denied)
        lines = [line for one in ordered for line in one.lines()]
        return ["Dangerous changes:", *lines, ""] if lines else []

    def sentence(self) -> str:
        """Say what the policies come to, and which of them deny and warn."""
        here = f"policies at the levels of {self.environment}"
        if self.code and not self.events.policies and not self.dangers:
            return f"{here}: not reached"
        denied = [found.policy for found in self.events.policies if found.denied]
        denied += [one.danger.id for one in self.dangers if one.denied]
        return f"{here}: denied {_counted(denied)}, warned {_counted(self.warned)}, dangers {len(self.dangers)}"


def _counted(ids: list[str]) -> str:
    """Write how many there are, and of which rules: 3 (2 tags, pg-tls12)."""
    rules = [f"{count} {rule}" if count > 1 else rule for rule, count in sorted(Counter(ids).items())]
    return f"{len(ids)} ({', '.join(rules)})" if ids else "0"


def preview(pulumi: Pulumi, arguments: Sequence[str], *, data: bool = False) -> Preview:
    """Preview a stack under the policies of its environment.

    Args:
        pulumi: the stack.
        arguments: of `preview` or `up`.
        data: whether what the engine prints is data.

    Raises:
        Failure: policy/stacks.yaml cannot be used.
    """
    environment = environment_of(config_values(pulumi.name).get("tags") or {})
    try:
        decisions = read(pulumi.name)
    except DecisionsError as error:
        raise Failure(f"{error}.", "Mend that file: docs/policies.md says what it takes.") from None
    wanted = [argument for argument in arguments if argument not in OF_UP]
    code, events, text = pulumi.captured([*pack_arguments(pulumi.name, environment, decisions), *wanted], beside=data)
    return Preview(
        environment, code, events, text, list(dangers(events, environment, decisions, datetime.now(UTC).date()))
    )


def pack_arguments(stack: str, environment: Environment, decisions: Decisions) -> list[str]:
    """Return the engine's arguments for the pack, at the levels of an environment."""
    levels = {rule.id: decisions.level(rule, environment).enforcement for rule in RULES}
    path = stacks() / f"policy-{stack}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(levels, indent=2), encoding="utf-8")
    return ["--policy-pack", str(PACK), "--policy-pack-config", str(path)]


def dangers(events: Events, environment: Environment, decisions: Decisions, day: date) -> Iterator[Dangerous]:
    """Find the dangerous changes in what a preview reported."""
    for urn, change in planned(events).items():
        for danger in DANGERS:
            text = danger.found(change) if danger.kind == change.kind else ""
            if text:
                finding = judged(urn, change.name, text, danger.id, decisions, day)
                yield Dangerous(danger, change.name, decisions.level(danger, environment), finding)


def planned(events: Events) -> dict[str, Change]:
    """Return what happens to each resource, by URN.

    Of what is protected the engine may say no more than that it would have to go.
    """
    found: dict[str, Change] = {}
    for operation, fate in FATES.items():
        for one in (one for one in events.changes.values() if one.operation == operation):
            earlier = found.get(one.urn)
            found[one.urn] = Change(
                kind=one.kind,
                name=one.name,
                fate=fate,
                before=one.before or (earlier.before if earlier else {}),
                after=one.inputs,
                because=one.replaced_for or (earlier.because if earlier else ()),
            )
    for urn in events.protected:
        kind, _, name = urn.rpartition("::")
        found.setdefault(urn, Change(kind=kind.rpartition("$")[2].rpartition("::")[2], name=name, fate="replace"))
    return found
