"""What a stack says about itself."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from policy.plan import ACCOUNT, RESOURCE_GROUP, SERVER, STACK, Plan
from policy.rule import DENY, Levels, Rule, Violation

TAGS = ("owner", "environment", "cost-center", "data-class")
MOST_NAMES = 5
TAGGED = (SERVER, ACCOUNT, RESOURCE_GROUP)  # these must have tags; of other types, those that the program tags at all
# Names that say secret; `openaiKeyName` or `keyVaultName` do not.
SECRET_NAME = re.compile(r"(password|secret|token|connectionstring|key\d?)$", re.IGNORECASE)
# Inputs and outputs that hold a secret, whatever they are called where they are exported.
SECRET_PROPERTIES = ("administratorLoginPassword", "password", "apiKey", "openaiKey", "languageKey")
RANDOM_PASSWORD = "random:index/randomPassword:RandomPassword"  # noqa: S105 - the name of a type


def tags(plan: Plan) -> Iterator[Violation]:
    """Find what lacks one of the tags that say whose it is; all that lack the same are one violation of the stack."""
    lacking: dict[tuple[str, ...], list[str]] = {}
    for resource in plan.resources:
        given = resource.get("tags")
        if isinstance(given, Mapping) or resource.kind in TAGGED:
            missing = tuple(tag for tag in TAGS if not (given or {}).get(tag))
            lacking.setdefault(missing, []).append(resource.name)
    for missing, names in lacking.items():
        if missing:
            more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
            yield Violation(None, f"no {', '.join(missing)} on {', '.join(sorted(names)[:MOST_NAMES])}{more}")


def outputs(plan: Plan) -> Iterator[Violation]:
    """Find exports that are a secret, by their value, or by their name where the value is not known yet."""
    known = {value for value in _secrets(plan) if isinstance(value, str) and value}
    for stack in plan.of(STACK):
        for name, value in stack.outputs.items():
            if any(secret in text for text in _texts(value) for secret in known):
                yield Violation(stack, f"the output {name} holds a password or a key")
            elif SECRET_NAME.search(name):
                yield Violation(stack, f"the output {name} is named like a password or a key")


def _secrets(plan: Plan) -> Iterator[Any]:
    for resource in plan.resources:
        for name in SECRET_PROPERTIES:
            yield resource.get(name)
        if resource.kind == RANDOM_PASSWORD:
            yield resource.outputs.get("result")


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)


RULES = (
    Rule(
        id="tags",
        description=f"Whatever takes tags has {', '.join(TAGS)}.",
        levels=Levels(DENY, DENY, DENY),
        source="the norm of platform teams; Cloud Adoption Framework, tagging",
        remediation=f"Set tags: {{{', '.join(f'{tag}: ...' for tag in TAGS)}}}.",
        check=tags,
    ),
    Rule(
        id="secrets-not-in-outputs",
        description="No output of a stack is a password or a key.",
        levels=Levels(DENY, DENY, DENY),
        source="the outputs of BYO and LEGAL, as examples of what goes wrong",
        remediation="Take the output out; applications read it from the key vault (keyVault.enabled).",
        check=outputs,
    ),
)
