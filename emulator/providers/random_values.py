"""Random strings and passwords as the `random` provider makes them.

Source: terraform-provider-random internal/random/string.go (character sets, minimums, shuffle) and
internal/provider/resource_password.go (defaults, validators).
"""

from __future__ import annotations

import secrets
import string
from collections.abc import Mapping
from typing import Any

DEFAULTS: Mapping[str, Any] = {
    "lower": True,
    "minLower": 0,
    "minNumeric": 0,
    "minSpecial": 0,
    "minUpper": 0,
    "number": True,
    "numeric": True,
    "special": True,
    "upper": True,
}
"""What a string has when the program does not say."""

_SPECIAL = "!@#$%&*()-_=+[]{}<>:?"
_MINIMUMS = ("minUpper", "minLower", "minNumeric", "minSpecial")


def with_defaults(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the inputs of a string or password with their defaults; `number` is the old name of `numeric`."""
    numeric = inputs.get("numeric", inputs.get("number", True))
    return {**DEFAULTS, **inputs, "numeric": numeric, "number": numeric}


def mistakes(inputs: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with inputs whose types are right; what is unknown is not judged."""
    wrong = []
    length = inputs.get("length")
    if isinstance(length, int):
        if length < 1:
            wrong.append(f"'length' must be at least 1, got: {length}")
        least = sum(value for name in _MINIMUMS if isinstance(value := inputs.get(name, 0), int))
        if length < least:
            wrong.append(f"'length' must be at least the sum of {', '.join(_MINIMUMS)} ({least}), got: {length}")
    wrong += [
        f"'{name}' must be at least 0, got: {inputs[name]}" for name in _MINIMUMS if _is_negative(inputs.get(name))
    ]
    if "number" in inputs and "numeric" in inputs and inputs["number"] != inputs["numeric"]:
        wrong.append("'number' is the old name of 'numeric', and the two differ: give 'numeric' alone")
    if (
        all(inputs.get(name) is False for name in ("upper", "lower", "special"))
        and with_defaults(inputs)["numeric"] is False
    ):
        wrong.append(
            "the character set specified is empty: at least one of 'upper', 'lower', 'numeric', 'special' must be true"
        )
    return wrong


def make_string(settings: Mapping[str, Any]) -> str:
    """Return a random string; the settings have their defaults already."""
    special = settings.get("overrideSpecial") or _SPECIAL
    sets = {
        "upper": (string.ascii_uppercase, settings["minUpper"]),
        "lower": (string.ascii_lowercase, settings["minLower"]),
        "numeric": (string.digits, settings["minNumeric"]),
        "special": (special, settings["minSpecial"]),
    }
    every = "".join(characters for name, (characters, _) in sets.items() if settings[name])
    chosen = [secrets.choice(characters) for characters, least in sets.values() for _ in range(least)]
    chosen += [secrets.choice(every) for _ in range(settings["length"] - len(chosen))]
    secrets.SystemRandom().shuffle(chosen)
    return "".join(chosen)


def _is_negative(value: Any) -> bool:
    return isinstance(value, int) and value < 0
