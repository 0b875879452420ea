"""Decoding of what the engine hands to a dynamic provider.

Every number arrives as a float, keys that were None are missing, and in a preview any value, at any depth, may be
unknown.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, TypeVar

from pulumi.dynamic import CheckFailure
from pulumi.output import Unknown
from pulumi.runtime import rpc

from database.errors import DatabaseError

T = TypeVar("T")


def unknown(value: Any) -> bool:
    """Tell whether the value, or anything inside it, is not known yet."""
    if isinstance(value, Unknown) or (isinstance(value, str) and value == rpc.UNKNOWN):
        return True
    if isinstance(value, Mapping):
        return any(unknown(item) for item in value.values())
    return isinstance(value, list | tuple) and any(unknown(item) for item in value)


def normal(value: Any) -> Any:
    """Return the value as it is on both sides of the engine: whole floats as integers, None keys left out."""
    if isinstance(value, Mapping):
        return {key: normal(item) for key, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        return [normal(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


class Props:
    """Reads properties by name and type; what is wrong is collected, so that a check reports everything at once.

    An unknown value yields a placeholder of its type and no failure.
    """

    def __init__(self, values: Mapping[str, Any], path: str = "", failures: list[CheckFailure] | None = None) -> None:
        self._values = values
        self._path = path
        self.failures: list[CheckFailure] = [] if failures is None else failures

    def has(self, name: str) -> bool:
        """Tell whether the property is there with a value other than null."""
        return self._values.get(name) is not None

    def text(self, name: str, *, default: str | None = None, choices: Collection[str] = ()) -> str:
        """Return a string that is not empty."""
        value = self._get(name, default)
        if not isinstance(value, str) or not value:
            return self._placeholder(name, value, "a text that is not empty", "")
        if choices and value not in choices:
            return self._placeholder(name, value, f"one of {', '.join(choices)}", "")
        return value

    def optional_text(self, name: str) -> str | None:
        """Return a string, or None where the property is missing."""
        return self.text(name) if self.has(name) else None

    def integer(self, name: str, *, minimum: int, maximum: int, default: int | None = None) -> int:
        """Return a whole number within limits."""
        value = self._get(name, default)
        whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
        if not whole or isinstance(value, bool) or not minimum <= value <= maximum:
            return self._placeholder(name, value, f"a whole number from {minimum} to {maximum}", minimum)
        return int(value)

    def optional_integer(self, name: str, *, minimum: int, maximum: int) -> int | None:
        """Return a whole number within limits, or None where the property is missing."""
        return self.integer(name, minimum=minimum, maximum=maximum) if self.has(name) else None

    def number(self, name: str, *, default: float | None = None) -> float:
        """Return a number that is not negative."""
        value = self._get(name, default)
        if not isinstance(value, int | float) or isinstance(value, bool) or not value >= 0:
            return self._placeholder(name, value, "a number that is not negative", 0.0)
        return float(value)

    def flag(self, name: str, *, default: bool) -> bool:
        """Return a boolean."""
        value = self._get(name, default)
        return value if isinstance(value, bool) else self._placeholder(name, value, "true or false", default)

    def mapping(self, name: str) -> Mapping[str, Any]:
        """Return an object as it came."""
        value = self._get(name, None)
        return value if isinstance(value, Mapping) else self._placeholder(name, value, "an object", {})

    def inside(self, name: str) -> Props:
        """Return a reader of a nested object that reports into the same failures."""
        if unknown(self._values.get(name)) and not isinstance(self._values.get(name), Mapping):
            return _Unknown(f"{self._path}{name}.", self.failures)
        return Props(self.mapping(name), f"{self._path}{name}.", self.failures)

    def texts(self, name: str) -> tuple[str, ...]:
        """Return a list of strings, empty where the property is missing."""
        value = self._get(name, [])
        if isinstance(value, list | tuple) and all(isinstance(item, str) or unknown(item) for item in value):
            return tuple(value)
        return self._placeholder(name, value, "a list of texts", ())

    def refuse(self, name: str, reason: str) -> None:
        """Report a property that is well formed and still wrong."""
        self.failures.append(CheckFailure(self._path + name, reason))

    def settled(self) -> None:
        """Raise what was collected, where an engine that ran the check would not have come this far."""
        if self.failures:
            wrong = "; ".join(f"{failure.property}: {failure.reason}" for failure in self.failures)
            raise DatabaseError(f"the resource's inputs in the stack's state cannot be used: {wrong}")

    def _get(self, name: str, default: Any) -> Any:
        value = self._values.get(name)
        return default if value is None else value

    def _placeholder(self, name: str, value: Any, wanted: str, placeholder: T) -> T:
        if not unknown(value):
            # The value is not shown: nobody knows here which properties are secret.
            self.refuse(name, f"is {'missing' if value is None else 'not allowed'}; allowed: {wanted}")
        return placeholder


class _Unknown(Props):
    """Stands for an object that is not known yet: everything inside it is unknown."""

    def __init__(self, path: str, failures: list[CheckFailure]) -> None:
        super().__init__({}, path, failures)

    def _get(self, name: str, default: Any) -> Any:  # noqa: ARG002
        return Unknown()  # type: ignore[no-untyped-call]

    def has(self, name: str) -> bool:  # noqa: ARG002
        return True
