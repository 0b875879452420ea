"""What `policy/stacks.yaml` decides for single stacks: stricter levels, and exemptions that end."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from policy.dangers import DANGERS
from policy.environment import Environment
from policy.rule import Level, Levelled
from policy.rules import RULES

FILE = Path(__file__).resolve().parent / "stacks.yaml"
KNOWN = {one.id for one in (*RULES, *DANGERS)}
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
Reason = Annotated[str, StringConstraints(strip_whitespace=True, min_length=15)]


class DecisionsError(ValueError):
    """The file cannot be used; the text says where and why."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Exemption(_Strict):
    """Leave for one resource to violate one rule, for a time.

    Attributes:
        rule: the rule's id.
        resource: the resource's name in the program; the stack's own name for what no single resource does.
        reason: why, in a sentence that a reviewer can weigh.
        until: its last day (UTC).
    """

    rule: Text
    resource: Text
    reason: Reason
    until: date

    def holds(self, today: date) -> bool:
        """Tell whether it has not ended."""
        return today <= self.until


class Decisions(_Strict):
    """What is decided for one stack."""

    levels: Mapping[Text, Level] = {}
    exemptions: tuple[Exemption, ...] = ()

    def exemption(self, rule: str, resource: str) -> Exemption | None:
        """Return the latest exemption of a resource from a rule, ended or not."""
        found = [one for one in self.exemptions if (one.rule, one.resource) == (rule, resource)]
        return max(found, key=lambda one: one.until, default=None)

    def level(self, rule: Levelled, environment: Environment) -> Level:
        """Return how strict a rule is for the stack: the table's level, or the stricter one that was decided."""
        return max(rule.levels.of(environment), self.levels.get(rule.id, Level.OFF), key=lambda level: level.strictness)


@functools.cache
def read(stack: str, path: Path = FILE) -> Decisions:
    """Read what is decided for a stack.

    Raises:
        DecisionsError: the file is not what it should be, names a rule that is not there, or makes one milder.
    """
    try:
        found = (yaml.safe_load(path.read_text(encoding="utf-8")) or {}).get(stack) or {}
        decisions = Decisions.model_validate(found)
    except (OSError, yaml.YAMLError, AttributeError) as error:
        message = f"policy/{path.name} cannot be read: {error}"
        raise DecisionsError(message) from None
    except ValidationError as error:
        told = "; ".join(
            f"{stack}.{'.'.join(str(part) for part in one['loc'])}: {one['msg']}" for one in error.errors()
        )
        message = f"policy/{path.name}: {told}"
        raise DecisionsError(message) from None
    for named in (*decisions.levels, *(one.rule for one in decisions.exemptions)):
        if named not in KNOWN:
            message = f"policy/{path.name}: {stack} names the rule {named!r}, which is not in the pack"
            raise DecisionsError(message)
    return decisions
