"""What happens to a resource between what it was and what it is to be, and ways to say that it is of one kind.

Each of the functions is, or returns, one that says of a change what changes, or nothing where it is another one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from components.catalogue.server_limits import compute

# The engine's mark for a text that a preview does not know (pulumi/pulumi, sdk/go/common/resource/plugin/rpc.go).
UNKNOWN_TEXT = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"

Fate = Literal["update", "replace", "delete"]


@dataclass(frozen=True, kw_only=True)
class Change:
    """What happens to one resource.

    Attributes:
        kind: its type token.
        name: its name in the program.
        fate: update in place, replace (delete and make anew), delete.
        before: its inputs as they were.
        after: its inputs as they are to be; empty where it goes.
        because: the inputs that make it be replaced.
    """

    kind: str
    name: str
    fate: Fate
    before: Mapping[str, Any] = field(default_factory=dict)
    after: Mapping[str, Any] = field(default_factory=dict)
    because: tuple[str, ...] = ()

    def change_of(self, *path: str) -> tuple[Any, Any] | None:
        """Return an input before and after, or None where it stays or the resource goes."""
        if self.fate == "delete":
            return None
        before, after = _at(self.before, path), _at(self.after, path)
        return None if before == after else (before, after)


def _at(inputs: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        inputs = inputs.get(key) if isinstance(inputs, Mapping) else None
    return inputs


def goes(change: Change) -> str:
    """Say that a resource is deleted, or replaced and by what."""
    if change.fate == "delete":
        return "is deleted"
    if change.fate == "replace":
        return "is deleted and made anew" + (f", for {', '.join(change.because)}" if change.because else "")
    return ""


def of_primary(found: Callable[[Change], str]) -> Callable[[Change], str]:
    """Return what says the same of servers that are no replica."""
    return lambda change: "" if _is_replica(change) else found(change)


def of_replica(found: Callable[[Change], str]) -> Callable[[Change], str]:
    """Return what says the same of replicas alone."""
    return lambda change: found(change) if _is_replica(change) else ""


def _is_replica(change: Change) -> bool:
    return change.before.get("createMode") == "Replica"


def changes(*path: str, default: str | None = None) -> Callable[[Change], str]:
    """Return what says that an input changes, from what to what; left out, it is Azure's default."""

    def found(change: Change) -> str:
        values = change.change_of(*path)
        if values is None:
            return ""
        before, after = (default if value is None else value for value in values)
        return "" if before == after else f"{'.'.join(path)}: {_said(before)} -> {_said(after)}"

    return found


def lowers(*path: str) -> Callable[[Change], str]:
    """Return what says that a number becomes smaller."""
    return _compares(path, lambda before, after: after < before)


def raises(*path: str) -> Callable[[Change], str]:
    """Return what says that a number becomes larger."""
    return _compares(path, lambda before, after: after > before)


def _compares(path: tuple[str, ...], wanted: Callable[[float, float], bool]) -> Callable[[Change], str]:
    def found(change: Change) -> str:
        values = change.change_of(*path)
        try:
            return changes(*path)(change) if values and wanted(float(values[0]), float(values[1])) else ""
        except (TypeError, ValueError):  # not there before or after: nothing to compare
            return ""

    return found


def appears_or_goes(*path: str) -> Callable[[Change], str]:
    """Return what says that an input is there now and was not, or the other way round."""

    def found(change: Change) -> str:
        values = change.change_of(*path)
        return changes(*path)(change) if values and None in values else ""

    return found


def any_of(*founds: Callable[[Change], str]) -> Callable[[Change], str]:
    """Return what says all that several of these say."""
    return lambda change: "; ".join(text for text in (found(change) for found in founds) if text)


def shrinks(change: Change) -> str:
    """Say that a machine has fewer processors or less memory, or none of its own any more."""
    values = change.change_of("sku")
    if values is None:
        return ""
    try:
        (before, after) = (compute(str(sku["name"])) for sku in values)
    except (KeyError, TypeError, ValueError):  # a size that the catalogue cannot read, or none
        return ""
    burstable = values[1].get("tier") == "Burstable" != values[0].get("tier")
    if not burstable and after.vcores >= before.vcores and after.memory_gib >= before.memory_gib:
        return ""
    sizes = " -> ".join(
        f"{sku['name']} ({size.vcores} cores, {size.memory_gib} GiB)"
        for sku, size in zip(values, (before, after), strict=True)
    )
    return f"sku: {sizes}"


def resizes(change: Change) -> str:
    """Say that a machine changes and is not a smaller one."""
    values = change.change_of("sku")
    if values is None or None in values or shrinks(change):
        return ""
    return "sku: " + " -> ".join(str(sku.get("name")) for sku in values)


def restarts(change: Change) -> str:
    """Say for which static parameters a server restarts."""
    before, after = change.change_of("triggers") or ({}, {})
    had, wanted = before or {}, after or {}
    changed = [
        f"{name}: {_said(had.get(name, 'its default'))} -> {_said(value)}"
        for name, value in sorted(wanted.items())
        if had.get(name) != value
    ]
    return f"for {', '.join(changed)}" if changed else ""


def _said(value: Any) -> str:
    if value is None:
        return "nothing"
    return "(known after up)" if value == UNKNOWN_TEXT else str(value)
