"""What is wrong with a resource's inputs: everything at once, in the words of the real provider.

Source: pulumi-azure-native provider/pkg/provider/provider.go, validateType and validateProperty. Two things are
stricter here on purpose: the real provider drops a property that it does not know, which hides a typing error in a
dictionary, and does not look at a value that is true or false.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from pulumi.runtime.proto import provider_pb2 as pb

from emulator.providers.resource_types import NameRule
from emulator.providers.shapes import Field, Shape
from emulator.providers.values import UNKNOWN

_LOCATION_ADVICE = ". Either set it explicitly or configure it with 'pulumi config set azure-native:location <value>'."


def failures(
    described: Mapping[str, Field],
    inputs: Mapping[str, Any],
    names: Mapping[str, NameRule] | None = None,
    required: frozenset[str] = frozenset(),
) -> list[pb.CheckFailure]:
    """Return a failure for each thing that is wrong.

    The failures carry no property on purpose, as the real provider's: the engine prints the value of a property that a
    failure names, and that value may be a password.

    Args:
        described: The properties that there are.
        inputs: Their values.
        names: Rules for those that are names.
        required: Properties that must be given besides those that the SDK's constructor requires.
    """
    wrong = [*_object_mistakes("", described, inputs, required)]
    for name, rule in (names or {}).items():
        if isinstance(value := inputs.get(name), str):
            wrong += _name_mistakes(name, rule, value)
    return [pb.CheckFailure(reason=reason) for reason in wrong]


def _object_mistakes(
    path: str, described: Mapping[str, Field], values: Mapping[str, Any], required: frozenset[str] = frozenset()
) -> Iterator[str]:
    prefix = f"{path}." if path else ""
    for name, field in described.items():
        if name not in values and (field.required or name in required):
            advice = _LOCATION_ADVICE if prefix + name == "location" else ""
            yield f"missing required property '{prefix}{name}'{advice}"
    for name, value in values.items():
        if name in described:
            yield from _value_mistakes(prefix + name, described[name].shape, value)
        elif not name.startswith("__"):
            yield f"unknown property '{prefix}{name}'. The properties are: {', '.join(sorted(described))}."


def _value_mistakes(path: str, shape: Shape, value: Any) -> Iterator[str]:
    if value is UNKNOWN or shape.kind == "any":
        return
    found = _kind_of(value)
    match shape.kind, value:
        case "object", dict():
            yield from _object_mistakes(path, shape.fields, value)
        case "map", dict():
            for name, item in value.items():
                yield from _value_mistakes(f"{path}.{name}", shape.item or Shape("any"), item)
        case "list", list():
            for index, item in enumerate(value):
                yield from _value_mistakes(f"{path}[{index}]", shape.item or Shape("any"), item)
        case "integer", float():
            yield f"'{path}' must be an integer but got {value:f}"
        case _ if found != {"integer": "number", "map": "object", "list": "array"}.get(shape.kind, shape.kind):
            article = "an" if found[0] in "ao" else "a"
            yield f"'{path}' should be of type '{_arm_kind(shape)}' but got {article} {found}"


def _arm_kind(shape: Shape) -> str:
    return {"list": "array", "map": "object"}.get(shape.kind, shape.kind)


def _kind_of(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    for kind, name in ((str, "string"), (int | float, "number"), (dict, "object"), (list, "array")):
        if isinstance(value, kind):
            return name
    return type(value).__name__


def _name_mistakes(name: str, rule: NameRule, value: str) -> Iterator[str]:
    if len(value) < rule.shortest:
        yield f"'{name}' is too short ({len(value)}): at least {rule.shortest} characters required"
    if len(value) > rule.longest:
        yield f"'{name}' is too long ({len(value)}): at most {rule.longest} characters allowed"
    if rule.pattern and not re.search(rule.pattern, value):
        yield f"'{name}' does not match expression '{rule.pattern}'"
