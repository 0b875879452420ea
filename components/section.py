"""What the sections of the settings share: the base model and the types of single values.

A validator here looks at one value. What depends on two of them is a rule (`server_rules.py`, `job_rules.py`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Annotated, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, model_validator
from pydantic.alias_generators import to_camel

T = TypeVar("T")


def decode_json(value: object) -> object:
    """Decode a list or an object that arrives as text, as `pulumi config set --path` leaves it."""
    if isinstance(value, str) and value.strip()[:1] in ("{", "["):
        try:
            return json.loads(value)
        except json.JSONDecodeError:
            return value
    return value


class Section(BaseModel):
    """Base of every part of the settings: camelCase in YAML, unknown keys refused, frozen."""

    model_config = ConfigDict(
        alias_generator=to_camel, extra="forbid", frozen=True, coerce_numbers_to_str=True, validate_default=True
    )

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: object) -> object:
        value = decode_json(value)
        # A key with nothing after it is YAML's null: the same as leaving the key out.
        return {k: v for k, v in value.items() if v is not None} if isinstance(value, dict) else value


def matching(pattern: str, allowed: str) -> Callable[[str], str]:
    """Return a validator that wants the whole text to match; `allowed` says in words what may stand there."""
    compiled = re.compile(pattern)

    def check(value: str) -> str:
        if not compiled.fullmatch(value):
            raise ValueError(f"{value!r} is not allowed; allowed: {allowed}")
        return value

    return check


def one_of(*choices: str) -> Callable[[str], str]:
    """Return a validator that wants one of the choices, and offers the nearest spelling."""

    def check(value: str) -> str:
        for choice in choices:
            if choice.lower() == value.lower():
                return choice
        raise ValueError(f"{value!r} is not allowed; allowed: {', '.join(choices)}")

    return check


Mapped = Annotated[dict[str, T], BeforeValidator(decode_json)]
Listed = Annotated[tuple[T, ...], BeforeValidator(decode_json)]

IDENTIFIER = r"[A-Za-z_][A-Za-z0-9_]{0,62}"

Identifier = Annotated[
    str, AfterValidator(matching(IDENTIFIER, "1 to 63 letters, digits or underscores, not starting with a digit"))
]
TableName = Annotated[
    str,
    AfterValidator(matching(rf"{IDENTIFIER}\.{IDENTIFIER}", "a table with its schema, such as public.invoices")),
]
Guid = Annotated[
    str,
    AfterValidator(
        matching(
            r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}",
            "a GUID, such as 00000000-0000-0000-0000-000000000000 (`az ad user show --query id`)",
        )
    ),
]


def _region(value: str) -> str:
    """Accept `East US 2` for eastus2, as Azure does."""
    return matching(r"[a-z][a-z0-9]{2,39}", "an Azure region such as eastus2")(value.lower().replace(" ", ""))


Region = Annotated[str, AfterValidator(_region)]
ConfigName = Annotated[
    str,
    AfterValidator(matching(r"[a-z][a-z0-9-]{0,39}", "1 to 40 lower-case letters, digits or hyphens, a letter first")),
]
