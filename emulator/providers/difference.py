"""Differences between inputs: what a change touches, what replaces the resource, and what drifted.

Follows pulumi-azure-native provider/pkg/provider/diff.go and, for the drift, Read in provider/pkg/provider/provider.go.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from pulumi.runtime.proto import provider_pb2 as pb

from emulator.providers.naming import CREATE_BEFORE_DELETE, normal_location

Kind = pb.PropertyDiff.Kind
_REPLACING = {Kind.ADD: Kind.ADD_REPLACE, Kind.DELETE: Kind.DELETE_REPLACE, Kind.UPDATE: Kind.UPDATE_REPLACE}


def compare(
    old: Mapping[str, Any], new: Mapping[str, Any], state: Mapping[str, Any], replaces: Collection[str]
) -> pb.DiffResponse:
    """Return what a change of inputs does.

    Args:
        old: The inputs of the last update.
        new: The inputs now.
        state: The outputs of the last update.
        replaces: The properties whose change replaces the resource.
    """
    detailed: dict[str, Kind.ValueType] = {}
    for path, change in _changes("", old, new):
        top = re.split(r"[.\[]", path)[0]
        if _same_place(path, old, new):
            continue
        # An input that repeats what Azure chose itself changes nothing (diff.go, calculateChangesAndReplacements).
        if top in replaces and not (change == Kind.ADD and path == top and state.get(top) == new.get(top)):
            detailed[path] = _REPLACING[change]
        else:
            detailed[path] = change
    replaced = [path for path, kind in detailed.items() if kind in _REPLACING.values()]
    stays_beside = bool(old.get(CREATE_BEFORE_DELETE, False))
    return pb.DiffResponse(
        changes=pb.DiffResponse.DIFF_SOME if detailed else pb.DiffResponse.DIFF_NONE,
        replaces=replaced,
        deleteBeforeReplace=bool(replaced) and not stays_beside,
        diffs=sorted({re.split(r"[.\[]", path)[0] for path in detailed}),
        detailedDiff={path: pb.PropertyDiff(kind=kind, inputDiff=True) for path, kind in detailed.items()},
        hasDetailedDiff=True,
    )


def drifted(inputs: Mapping[str, Any], old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """Return the inputs with what changed in Azure put into them.

    Azure fills many properties that nobody gave, so answers cannot become inputs as they are. What counts is the
    difference between what was read before and what is read now.

    Args:
        inputs: The inputs of the last update.
        old: What was read then, in the shape of inputs.
        new: What is read now, in the same shape.
    """
    result = {name: value for name, value in inputs.items() if name not in old or name in new}
    for name, value in new.items():
        if name not in old:
            result[name] = value
        elif old[name] != value:
            result[name] = _drifted_value(inputs[name], old[name], value) if name in inputs else value
    return result


def _drifted_value(given: Any, old: Any, new: Any) -> Any:
    if isinstance(given, dict) and isinstance(old, dict) and isinstance(new, dict):
        return drifted(given, old, new)
    if isinstance(given, list) and isinstance(old, list) and isinstance(new, list):
        known = min(len(given), len(old))
        return [
            _drifted_value(given[index], old[index], item) if index < known else item for index, item in enumerate(new)
        ]
    return new if old != new else given


def _same_place(path: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    before, after = old.get(path), new.get(path)
    if not isinstance(before, str) or not isinstance(after, str):
        return False
    if path == "location":
        return normal_location(before) == normal_location(after)
    return path == "resourceGroupName" and before.lower() == after.lower()


def _changes(prefix: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[tuple[str, Kind.ValueType]]:
    for name in [*old, *(name for name in new if name not in old)]:
        if name.startswith("__"):
            continue
        if name not in new:
            yield prefix + name, Kind.DELETE
        elif name not in old:
            yield prefix + name, Kind.ADD
        else:
            yield from _value_changes(prefix + name, old[name], new[name])


def _value_changes(path: str, old: Any, new: Any) -> Iterator[tuple[str, Kind.ValueType]]:
    if isinstance(old, dict) and isinstance(new, dict):
        yield from _changes(f"{path}.", old, new)
    elif isinstance(old, list) and isinstance(new, list):
        for index in range(max(len(old), len(new))):
            place = f"{path}[{index}]"
            if index >= len(new):
                yield place, Kind.DELETE
            elif index >= len(old):
                yield place, Kind.ADD
            else:
                yield from _value_changes(place, old[index], new[index])
    elif old != new or isinstance(old, bool) != isinstance(new, bool):
        yield path, Kind.UPDATE
