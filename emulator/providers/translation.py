"""Between the engine's property names and Resource Manager's: paths, bodies, outputs.

Follows pulumi-azure-native provider/pkg/convert and provider/pkg/provider/crud.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, unquote

from emulator.arm import body as bodies
from emulator.providers.resource_types import ENVELOPE, ResourceType
from emulator.providers.shapes import Field, Shape
from emulator.providers.values import UNKNOWN

Json = dict[str, Any]

_SETS = frozenset({"userAssignedIdentities"})
"""Lists in the SDK that are objects with the items as keys in ARM (`isStringSet` in the provider's metadata)."""


class MissingParameter(Exception):
    """A part of a resource's path that was not given; the message names it."""


def arm_id(resource_type: ResourceType, values: Mapping[str, Any], subscription_id: str) -> str:
    """Return the ARM id that inputs name.

    Raises:
        MissingParameter: An input that is a part of the path is absent.
    """

    def filled(match: re.Match[str]) -> str:
        name = match.group(1)
        value = subscription_id if name == "subscriptionId" else values.get(name)
        if not isinstance(value, str) or not value:
            raise MissingParameter(name)
        return value.strip("/") if name in resource_type.unescaped else quote(value, safe="$&+:=@")

    return re.sub(r"{(\w+)}", filled, resource_type.path)


def path_values(resource_type: ResourceType, resource_id: str) -> Json:
    """Return the inputs that an ARM id holds; names compare without case.

    Raises:
        ValueError: The id is not one of this type.
    """
    pattern = re.sub(
        r"{(\w+)}",
        lambda match: f"(?P<{match.group(1)}>{'.*?' if match.group(1) in resource_type.unescaped else '[^/]*?'})",
        resource_type.path,
    )
    match = re.fullmatch(pattern, resource_id, re.IGNORECASE)
    if match is None:
        raise ValueError(f"failed to parse '{resource_id}' against the path '{resource_type.path}'")
    return {name: unquote(match.group(name)) for name in resource_type.path_parameters}


def request_body(resource_type: ResourceType, inputs: Mapping[str, Any]) -> Json:
    """Return the body of a PUT that makes a resource what its inputs say."""
    body: Json = {}
    for name, description in resource_type.body_inputs.items():
        if name not in inputs:
            continue
        container = resource_type.container(name)
        target = body.setdefault(container, {}) if container else body
        target[name] = _to_arm(description.shape, inputs[name], name)
    return body


def resource_outputs(resource_type: ResourceType, response: Mapping[str, Any]) -> Json:
    """Return what a resource gives, from what ARM answered."""
    return outputs_of(resource_type, resource_type.outputs, response) | {"azureApiVersion": resource_type.api_version}


def outputs_of(resource_type: ResourceType, described: Mapping[str, Field], response: Mapping[str, Any]) -> Json:
    """Return those of the described properties that ARM answered with; what nobody described is left out."""
    found: Json = {}
    for name, description in described.items():
        container = resource_type.container(name)
        source = response.get(container) if container else response
        value = source.get(name) if isinstance(source, Mapping) else None
        if value is not None:
            found[name] = _from_arm(description.shape, value)
    return found


def as_inputs(resource_type: ResourceType, outputs: Mapping[str, Any]) -> Json:
    """Return those outputs that are inputs too, in the shape of inputs."""
    return _project(resource_type.body_inputs, outputs)


def without_sub_resources(resource_type: ResourceType, inputs: Mapping[str, Any], values: Json) -> Json:
    """Return values without the lists of resources that the program does not declare here but on their own.

    Source: SetUnsetSubresourcePropertiesToDefaults in provider/pkg/provider/crud/crud.go.
    """
    return bodies.drop(values, [path for path in resource_type.sub_resources if bodies.get(inputs, path) is None])


def imported_inputs(resource_type: ResourceType, resource_id: str, outputs: Mapping[str, Any]) -> Json:
    """Return inputs that would make a resource which exists, without empty objects and lists."""
    body = {
        name: kept
        for name, value in as_inputs(resource_type, outputs).items()
        if (kept := _without_empty(value)) is not None
    }
    return body | path_values(resource_type, resource_id)


def previewed(described: Mapping[str, Field], inputs: Mapping[str, Any]) -> Json:
    """Return outputs as a preview knows them: the inputs of the same name, and everything else unknown."""
    return {name: _preview(description.shape, inputs.get(name, UNKNOWN)) for name, description in described.items()}


def _preview(shape: Shape, value: Any) -> Any:
    kinds = {"boolean": bool, "string": str, "integer": int | float, "number": int | float}
    expected = kinds.get(shape.kind)
    if expected is not None:
        return value if isinstance(value, expected) else UNKNOWN
    match shape.kind, value:
        case "list", list():
            return [_preview(shape.item or Shape("any"), item) for item in value]
        case "map", dict():
            return {name: _preview(shape.item or Shape("any"), item) for name, item in value.items()}
        case "object", dict():
            return previewed(shape.fields, value)
        case "any", _:
            return value
    return UNKNOWN


def _to_arm(shape: Shape, value: Any, name: str = "") -> Any:
    if isinstance(value, list) and name in _SETS:
        return {item: {} for item in value}
    match shape.kind, value:
        case "list", list():
            return [_to_arm(shape.item or Shape("any"), item) for item in value]
        case "map", dict():
            return {key: _to_arm(shape.item or Shape("any"), item) for key, item in value.items()}
        case "object", dict():
            fields = shape.fields
            sent = {key: _to_arm(fields[key].shape, item, key) for key, item in value.items() if key in fields}
            return _sunk(sent) if shape.is_flattened else sent
    return value


def _sunk(values: Json) -> Json:
    """Return an object with what the SDK lifted out of `properties` back in there."""
    inner = {key: value for key, value in values.items() if key not in ENVELOPE}
    beside = {key: value for key, value in values.items() if key in ENVELOPE}
    return beside | ({"properties": inner} if inner else {})


def _from_arm(shape: Shape, value: Any) -> Any:
    match shape.kind, value:
        case "list", list():
            return [_from_arm(shape.item or Shape("any"), item) for item in value]
        case "map", dict():
            return {key: _from_arm(shape.item or Shape("any"), item) for key, item in value.items() if item is not None}
        case "object", dict():
            fields = shape.fields
            lifted = {**(value.get("properties") or {}), **value} if shape.is_flattened else value
            return {
                key: _from_arm(fields[key].shape, item)
                for key, item in lifted.items()
                if key in fields and item is not None
            }
    return value


def _project(described: Mapping[str, Field], outputs: Mapping[str, Any]) -> Json:
    return {name: _to_input(field.shape, outputs[name], name) for name, field in described.items() if name in outputs}


def _to_input(shape: Shape, value: Any, name: str = "") -> Any:
    if isinstance(value, dict) and shape.kind == "list" and name in _SETS:
        return sorted(value)
    match shape.kind, value:
        case "list", list():
            return [_to_input(shape.item or Shape("any"), item) for item in value]
        case "map", dict():
            return {key: _to_input(shape.item or Shape("any"), item) for key, item in value.items()}
        case "object", dict():
            return {key: _to_input(field.shape, value[key], key) for key, field in shape.fields.items() if key in value}
    return value


def _without_empty(value: Any) -> Any:
    if isinstance(value, dict):
        kept = {name: item for name, old in value.items() if (item := _without_empty(old)) is not None}
        return kept or None
    if isinstance(value, list):
        items = [item for old in value if (item := _without_empty(old)) is not None]
        return items or None
    return value
