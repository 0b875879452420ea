"""The catalogue of resource types, SKUs, models and roles, and the checks that follow from it alone."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from emulator.arm import body as bodies
from emulator.arm.body import Json
from emulator.arm.errors import ArmError, invalid_parameter, invalid_property, missing_property

_FILE = Path(__file__).with_name("catalogue.yaml")
_PLATFORM = Path(__file__).with_name("platform_types.yaml")


@dataclass(frozen=True)
class TypeRules:
    """What the catalogue says of one resource type; the keys are those of catalogue.yaml and platform_types.yaml."""

    type: str
    api_versions: tuple[str, ...]
    name: re.Pattern[str]
    parameter: str = "name"
    located: bool = False
    locations: tuple[str, ...] = ()
    extension: bool = False
    required: tuple[str, ...] = ()
    create_only: tuple[str, ...] = ()
    set_once: tuple[str, ...] = ()
    write_only: tuple[str, ...] = ()
    read_only: tuple[str, ...] = ()
    allowed: Mapping[str, list[str]] = field(default_factory=dict)
    patterns: Mapping[str, str] = field(default_factory=dict)
    ranges: Mapping[str, list[int]] = field(default_factory=dict)
    defaults: Mapping[str, Any] = field(default_factory=dict)
    references: tuple[str, ...] = ()
    generated: Mapping[str, str] = field(default_factory=dict)
    last: tuple[str, ...] = ()

    def refuse(self, path: str, why: str) -> ArmError:
        """Return the service's refusal of the value at a path."""
        if self.type.startswith("Microsoft.DBforPostgreSQL/"):
            return invalid_parameter(path.rpartition(".")[2], why)
        if self.type.startswith("Microsoft.CognitiveServices/"):
            return invalid_property(why)
        return ArmError(400, "BadRequest", why)

    def check_name(self, name: str) -> None:
        """Refuse a name that the service would refuse."""
        if not self.name.fullmatch(name):
            raise self.refuse(self.parameter, f"the name '{name}' of a {self.type} must match {self.name.pattern}")

    def check(self, body: Json, existing: Mapping[str, Any] | None, *, partial: bool = False) -> None:
        """Refuse a body that breaks a rule of the catalogue.

        Args:
            body: What the client sent.
            existing: The resource as it is, or None when it is to be created.
            partial: Whether the body changes only what it names (PATCH).
        """
        if not partial:
            for path in (*(("location",) if self.located else ()), *self.required):
                if bodies.get(body, path) in (None, ""):
                    raise missing_property(path)
        for path, choices in self.allowed.items():
            for value in bodies.find(body, path):
                if value not in choices:
                    raise self.refuse(path, f"'{path}' is '{value}'; allowed: {', '.join(c for c in choices if c)}")
        for path, pattern in self.patterns.items():
            value = bodies.get(body, path)
            if value is not None and not re.fullmatch(pattern, str(value)):
                raise self.refuse(path, f"'{path}' is '{value}'; it must match {pattern}")
        for path, (low, high) in self.ranges.items():
            value = bodies.get(body, path)
            if value is not None and not (isinstance(value, (int, float)) and low <= value <= high):
                raise self.refuse(path, f"'{path}' is '{value}'; allowed: {low} to {high}")
        if existing is not None:
            self._check_create_only(body, existing)

    def _check_create_only(self, body: Json, existing: Mapping[str, Any]) -> None:
        for path in self.create_only:
            value, present = bodies.get(body, path), bodies.get(existing, path)
            if path == "location":
                value = normal_location(value) if value else None
            if value in (None, "") or path in self.write_only or value == present:
                continue
            if path in self.set_once and present in (None, ""):
                continue
            if path == "location":
                raise wrong_location(str(existing.get("name")), str(present), str(value))
            why = f"'{path}' is set when the resource is created and cannot change from '{present}' to '{value}'"
            raise self.refuse(path, why)

    def with_defaults(self, body: Json) -> Json:
        """Return the body with what the service fills in where the client says nothing."""
        result = bodies.drop(bodies.without_nulls(body), self.read_only)
        for path, value in self.defaults.items():
            if bodies.get(result, path) in (None, ""):
                bodies.put(result, path, value)
        return result


@dataclass(frozen=True)
class ServerSku:
    """A compute size of flexible servers."""

    name: str
    tier: str
    vcores: int
    memory_gib: int


@dataclass(frozen=True)
class Model:
    """A model that accounts can deploy; `standard` are the regions of the SKU Standard."""

    name: str
    versions: tuple[str, ...]
    retires: str
    capability: str
    standard: tuple[str, ...]
    retired: bool = False


@dataclass(frozen=True)
class Catalogue:
    """All that catalogue.yaml says, with the derived tables."""

    types: Mapping[str, TypeRules]
    locations: frozenset[str]
    servers: Mapping[str, Any]
    server_skus: Mapping[str, ServerSku]
    accounts: Mapping[str, Any]
    quota: Mapping[str, int]
    models: Mapping[str, Model]
    roles: Mapping[str, str]

    def rules(self, resource_type: str) -> TypeRules | None:
        """Return the rules of a type, compared without case."""
        return self.types.get(resource_type.lower())


def normal_location(location: object) -> str:
    """Return a location as ARM keeps it: `East US 2` is `eastus2`."""
    return str(location).replace(" ", "").lower()


def wrong_location(name: str, present: str, wanted: str) -> ArmError:
    """Return ARM's refusal to move a resource."""
    return ArmError(
        409,
        "InvalidResourceLocation",
        f"The resource '{name}' already exists in location '{present}'. A resource with the same name cannot be "
        f"created in location '{wanted}'. Please select a new resource name.",
    )


@functools.cache
def load() -> Catalogue:
    """Read catalogue.yaml and platform_types.yaml, once."""
    raw = _read(_FILE)
    types = {**raw["types"], **_read(_PLATFORM)["types"]}
    return Catalogue(
        types={name.lower(): _rules(name, entry) for name, entry in types.items()},
        locations=frozenset(raw["locations"]),
        servers=raw["servers"],
        server_skus={sku.name: sku for family in raw["servers"]["sku_families"] for sku in _skus(family)},
        accounts=raw["accounts"],
        quota=raw["quota"],
        models={entry["name"]: _model(entry) for entry in raw["models"]},
        roles=raw["roles"],
    )


def _read(file: Path) -> Mapping[str, Any]:
    raw: Mapping[str, Any] = yaml.load(
        file.read_text(encoding="utf-8"),
        Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader),  # noqa: S506
    )
    return raw


def _rules(name: str, entry: Mapping[str, Any]) -> TypeRules:
    lists = (
        "api_versions",
        "required",
        "create_only",
        "set_once",
        "write_only",
        "read_only",
        "references",
        "last",
        "locations",
    )
    values: dict[str, Any] = {key: tuple(value) if key in lists else value for key, value in entry.items()}
    values["name"] = re.compile(entry["name"])
    return TypeRules(type=name, **values)


def _skus(family: Mapping[str, Any]) -> list[ServerSku]:
    memory = family.get("memory_gib") or {vcores: vcores * family["per_vcore"] for vcores in family["vcores"]}
    return [
        ServerSku(f"{family['prefix']}{vcores}{family['suffix']}", family["tier"], vcores, gib)
        for vcores, gib in memory.items()
    ]


def _model(entry: Mapping[str, Any]) -> Model:
    return Model(
        name=entry["name"],
        versions=tuple(entry["versions"]),
        retires=entry["retires"],
        capability=entry["capability"],
        standard=tuple(entry["standard"]),
        retired=entry.get("retired", False),
    )
