"""The catalogue of server parameters: types, defaults, allowed values, and what a value means."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from emulator.arm import catalogue
from emulator.arm.body import Json

_FILE = Path(__file__).with_name("parameters.yaml")
_RANGE = re.compile(r"(-?[\d.]+)-(-?[\d.]+(?:e\+\d+)?)")


@dataclass(frozen=True)
class Parameter:
    """One server parameter of one server.

    Attributes:
        kind: "dynamic", "static" or "read-only".
        allowed: A range `a-b`, a list `x,y`, a regular expression, or "" for anything.
    """

    name: str
    data_type: str
    default: str
    allowed: str
    kind: str
    unit: str

    def normal(self, value: str) -> str:
        """Return a value as the service reads it back.

        Sets come back in lower case, sorted, without spaces; the service's own order and case are unverified.
        """
        if self.data_type == "Set":
            return ",".join(sorted({item.strip().lower() for item in value.split(",") if item.strip()}))
        return value

    def same(self, left: str, right: str) -> bool:
        """Return whether two values mean the same."""
        if self.data_type in ("Boolean", "Enumeration"):
            return left.lower() == right.lower()
        if self.data_type in ("Integer", "Numeric"):
            return _number(left) == _number(right)
        return self.normal(left) == self.normal(right)

    def problem(self, value: str) -> str | None:
        """Return why a value is not allowed, or None."""
        if self.kind == "read-only":
            return f"'{self.name}' is read-only"
        if self.data_type in ("Integer", "Numeric"):
            return self._number_problem(value)
        if self.data_type == "Set":
            choices = self.allowed.split(",")
            unknown = [item for item in self.normal(value).split(",") if item and item not in choices]
            return f"'{self.name}' cannot hold {', '.join(unknown)}; allowed: {self.allowed}" if unknown else None
        if self.data_type in ("Boolean", "Enumeration"):
            fits = value.lower() in self.allowed.lower().split(",")
        else:
            fits = not self.allowed or re.fullmatch(self.allowed, value) is not None
        return None if fits else f"'{self.name}' cannot be '{value}'; allowed: {self.allowed}"

    def _number_problem(self, value: str) -> str | None:
        number = _number(value)
        if number is None or (self.data_type == "Integer" and number != int(number)):
            return f"'{self.name}' cannot be '{value}'; it is a number in {self.unit or 'no unit'}, written without one"
        bounds = _RANGE.fullmatch(self.allowed)
        if bounds and not float(bounds[1]) <= number <= float(bounds[2]):
            return f"'{self.name}' cannot be '{value}'; allowed: {self.allowed}"
        return None

    def properties(self, value: str, source: str, *, pending: bool) -> Json:
        """Return the properties of the configuration resource."""
        return {
            "value": value,
            "description": f"Server parameter {self.name}.",
            "defaultValue": self.default,
            "dataType": self.data_type,
            "allowedValues": self.allowed,
            "source": source,
            "isDynamicConfig": self.kind == "dynamic",
            "isReadOnly": self.kind == "read-only",
            "isConfigPendingRestart": pending,
            "unit": self.unit,
            "documentationLink": f"https://learn.microsoft.com/azure/postgresql/parameters/{self.name}",
        }


@functools.cache
def of_server(version: str, sku_name: str) -> Mapping[str, Parameter]:
    """Return the parameters of a server by name.

    Args:
        version: Major version; versions before 16 get the list of 16 (unverified), later ones that of 18.
        sku_name: Compute size; some defaults follow from its memory.
    """
    raw = _load()
    major = version if version in ("16", "17", "18") else "16" if int(version) < 16 else "18"
    words = _words(raw, major, sku_name)
    lines = {**raw["parameters"], **raw["by_version"].get(major, {})}
    return {
        name: Parameter(name, line[0], words.get(line[1], line[1]), words.get(line[2], line[2]), line[3], line[4])
        for name, line in lines.items()
    }


def _words(raw: Mapping[str, Any], major: str, sku_name: str) -> dict[str, str]:
    sku = catalogue.load().server_skus.get(sku_name)
    memory = sku.memory_gib if sku else 4
    connections = catalogue.load().servers["max_connections"]
    # A quarter of the memory (server-parameters-azure-notes-shared-buffers); the smallest differ a little: unverified.
    return {
        "$extensions": ",".join(sorted([*raw["extensions"]["every"], *raw["extensions"][major]])),
        "$preload": ",".join(raw["preload"][major]),
        "$max_connections": str(connections.get(memory, 5000 if memory > 48 else 859)),
        "$shared_buffers": str(memory * 131072 // 4),
        "$effective_cache_size": str(memory * 131072 * 3 // 4),
        "$maintenance_work_mem": str(min(2097151, max(65536, memory * 1024 * 1024 // 32))),
        "$max_wal_size": "2048",
        "$wal_buffers": "2048",
    }


@functools.cache
def _load() -> Mapping[str, Any]:
    raw: Mapping[str, Any] = yaml.load(
        _FILE.read_text(encoding="utf-8"),
        Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader),  # noqa: S506
    )
    return raw


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
