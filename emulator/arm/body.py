"""Reading and changing JSON bodies by dotted paths, without changing what others hold."""

import copy
from collections.abc import Iterable, Mapping
from typing import Any

Json = dict[str, Any]
"""A JSON object."""


def get(body: Mapping[str, Any], path: str) -> Any:
    """Return the value at a dotted path, or None."""
    value: Any = body
    for part in path.split("."):
        if not isinstance(value, Mapping):
            return None
        value = value.get(part)
    return value


def find(body: Any, path: str) -> list[Any]:
    """Return every value at a dotted path, in which `[]` stands for each item of a list or of an object's values."""
    values = [body]
    for part in path.split("."):
        name, each = part.removesuffix("[]"), part.endswith("[]")
        values = [value[name] for value in values if isinstance(value, Mapping) and value.get(name) is not None]
        if each:
            values = [item for value in values for item in (value.values() if isinstance(value, Mapping) else value)]
    return values


def put(body: Json, path: str, value: Any) -> None:
    """Set the value at a dotted path, making the objects on the way."""
    *parents, last = path.split(".")
    for part in parents:
        child = body.get(part)
        if not isinstance(child, dict):
            child = body[part] = {}
        body = child
    body[last] = value


def drop(body: Json, paths: Iterable[str]) -> Json:
    """Return a copy without the values at some dotted paths, in which `[]` stands as in `find`."""
    result = copy.deepcopy(body)
    for path in paths:
        parents, _, last = path.rpartition(".")
        for target in find(result, parents) if parents else [result]:
            if isinstance(target, dict):
                target.pop(last, None)
    return result


def merge(base: Mapping[str, Any], changes: Mapping[str, Any]) -> Json:
    """Return a JSON merge patch (RFC 7396) of two objects, except that null leaves a value as it is."""
    result = copy.deepcopy(dict(base))
    for key, value in changes.items():
        if isinstance(value, Mapping) and isinstance(result.get(key), dict):
            result[key] = merge(result[key], value)
        elif value is not None:
            result[key] = copy.deepcopy(value)
    return result


def without_nulls(value: Any) -> Any:
    """Return a copy of a JSON value in which no object has a null."""
    if isinstance(value, Mapping):
        return {key: without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [without_nulls(item) for item in value]
    return value
