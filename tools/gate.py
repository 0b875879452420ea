"""The gate before a change: a preview under the policy pack. What the pack denies is not begun."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from policy.decisions import DecisionsError, read
from policy.environment import Environment, environment_of
from tools.failure import Failure
from tools.places import ROOT, stacks
from tools.stack import config_values

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tools.events import Events, PolicyFinding
    from tools.pulumi import Pulumi

PACK = ROOT / "policy"
# Arguments of `up` that a preview does not know.
OF_UP = ("--yes", "-y", "--skip-preview", "-f", "--continue-on-error")


@dataclass(frozen=True)
class Preview:
    """A preview as it went.

    Attributes:
        environment: the environment whose levels held.
        code: the engine's exit status.
        events: what the engine reported.
        text: what the engine printed.
    """

    environment: Environment
    code: int
    events: Events
    text: str

    @property
    def denied(self) -> list[PolicyFinding]:
        """What the policies deny."""
        return [found for found in self.events.policies if found.denied]

    @property
    def warned(self) -> list[PolicyFinding]:
        """What the policies warn of."""
        return [found for found in self.events.policies if not found.denied]

    def sentence(self) -> str:
        """Say what the policies come to."""
        denied, warned = len(self.denied), len(self.warned)
        return f"policies of {self.environment}: {denied or 'none'} denied, {warned or 'no'} warnings"


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
    wanted = [argument for argument in arguments if argument not in OF_UP]
    code, events, text = pulumi.captured([*pack_arguments(pulumi.name, environment), *wanted], beside=data)
    return Preview(environment, code, events, text)


def pack_arguments(stack: str, environment: Environment) -> list[str]:
    """Return the engine's arguments for the pack, at the levels of an environment.

    Raises:
        Failure: policy/stacks.yaml cannot be used.
    """
    from policy.rules import RULES

    try:
        decisions = read(stack, RULES)
    except DecisionsError as error:
        raise Failure(f"{error}.", "Mend that file: docs/policies.md says what it takes.") from None
    levels = {rule.id: decisions.level(rule, environment).enforcement for rule in RULES}
    path = stacks() / f"policy-{stack}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(levels, indent=2), encoding="utf-8")
    return ["--policy-pack", str(PACK), "--policy-pack-config", str(path)]
