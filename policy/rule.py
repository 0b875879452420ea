"""A rule: what is checked, how strictly in which environment, who says so, and what to do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Protocol

from policy.environment import Environment
from policy.plan import Plan, PlannedResource


class Level(StrEnum):
    """What a violation does, from the mildest to the strictest."""

    OFF = "off"
    WARN = "warn"
    DENY = "deny"

    @property
    def strictness(self) -> int:
        """Where it stands among the levels."""
        return list(Level).index(self)

    @property
    def enforcement(self) -> str:
        """The engine's word for it."""
        return {"off": "disabled", "warn": "advisory", "deny": "mandatory"}[self.value]


class Levels(NamedTuple):
    """The level of a rule in each environment."""

    dev: Level
    staging: Level
    prod: Level

    def of(self, environment: Environment) -> Level:
        """Return the level in one environment."""
        found: Level = getattr(self, environment)
        return found


class Violation(NamedTuple):
    """What a rule found.

    Attributes:
        resource: where; None for the stack as a whole.
        found: what is there, and what it means where that is not plain.
    """

    resource: PlannedResource | None
    found: str


class Levelled(Protocol):
    """What has an id and levels: a rule, or a danger."""

    @property
    def id(self) -> str:
        """Its name."""

    @property
    def levels(self) -> Levels:
        """How strict it is, by environment."""


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One rule of the pack.

    Attributes:
        id: its name in messages, exemptions and the docs.
        description: what must hold, one sentence.
        levels: how strict it is, by environment.
        source: who asks for it.
        remediation: what to change, in the stack's config where that can do it.
        check: yields what violates it.
    """

    id: str
    description: str
    levels: Levels
    source: str
    remediation: str
    check: Callable[[Plan], Iterator[Violation]]


OFF, WARN, DENY = Level
