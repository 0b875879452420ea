"""The shape of a resource's inputs and outputs, read from the installed SDK package's own types.

A package is imported the first time that one of its modules is asked for: the import takes a second, and a daemon that
serves no preview should not pay it.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import types
import typing
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

# network 2024-05-01 of azure-rest-api-specs: objects inside of others that have `properties` which the SDK lifts out of
# there (`x-ms-client-flatten`); no other module that the providers know has such ones.
_FLATTENED = frozenset(
    {
        "ApplicationSecurityGroup",
        "Delegation",
        "IPConfiguration",
        "NetworkInterface",
        "NetworkSecurityGroup",
        "PrivateDnsZoneConfig",
        "PrivateEndpoint",
        "PrivateEndpointIPConfiguration",
        "PrivateLinkServiceConnection",
        "Route",
        "RouteTable",
        "SecurityRule",
        "ServiceEndpointPolicy",
        "Subnet",
    }
)


@dataclass(frozen=True)
class Shape:
    """What a value looks like.

    Attributes:
        kind: "string", "boolean", "integer", "number", "list", "map", "object" or "any".
        item: The shape of each item of a list or a map.
        sdk_type: The class that describes an object.
    """

    kind: str
    item: Shape | None = None
    sdk_type: type | None = None

    @property
    def is_flattened(self) -> bool:
        """Whether an object has `properties` in ARM that the SDK lifts out of there."""
        if self.sdk_type is None or ".network." not in f"{self.sdk_type.__module__}.":
            return False
        return self.sdk_type.__name__.removesuffix("Args").removesuffix("Response") in _FLATTENED

    @property
    def fields(self) -> Mapping[str, Field]:
        """An object's properties by the name that the engine uses."""
        return _fields(self.sdk_type) if self.sdk_type else {}


@dataclass(frozen=True)
class Field:
    """A property of an object."""

    shape: Shape
    required: bool


def inputs(package: str, module: str, name: str) -> Mapping[str, Field]:
    """Return what a resource takes, for example of `pulumi_azure_native`, `dbforpostgresql`, `Server`."""
    # Where an object inside of others has the name already, such as `network.SubnetArgs`, the SDK calls the resource's
    # own inputs `SubnetInitArgs`.
    try:
        return _fields(_load(package, module, f"{name}InitArgs"))
    except AttributeError:
        return _fields(_load(package, module, f"{name}Args"))


def outputs(package: str, module: str, name: str) -> Mapping[str, Field]:
    """Return what a resource gives."""
    return _fields(_load(package, module, name))


def results(package: str, module: str, name: str) -> Mapping[str, Field]:
    """Return what an invoke such as `getConfiguration` gives."""
    return _fields(_load(package, module, f"{name[0].upper()}{name[1:]}Result"))


def _load(package: str, module: str, name: str) -> type:
    path = f"{package}.{module}" if module else package
    found = getattr(importlib.import_module(path), name)
    if not isinstance(found, type):
        raise TypeError(f"{path}.{name} is no class")
    return found


@functools.cache
def _fields(sdk_type: type) -> Mapping[str, Field]:
    # pulumi._types is what the SDK itself translates names and types with; nothing public gives the same.
    from pulumi import _types
    from pulumi.resource import Resource

    if issubclass(sdk_type, Resource):
        return {name: Field(_shape(hint), required=False) for name, hint in _types.resource_types(sdk_type).items()}
    if not _types.is_input_type(sdk_type):
        return {name: Field(_shape(hint), required=False) for name, hint in _types.output_type_types(sdk_type).items()}
    hints = _types.input_type_types(sdk_type)
    parameters = inspect.signature(sdk_type.__init__).parameters
    return {
        name: Field(_shape(hints[name]), required=parameters[python_name].default is inspect.Parameter.empty)
        for python_name, name in _types.input_type_py_to_pulumi_names(sdk_type).items()
    }


def _shape(hint: Any) -> Shape:
    """Return the shape that a type annotation describes."""
    kinds = [option for option in _options(hint) if option is not type(None)]
    objects = [option for option in kinds if _is_object(option)]
    if len(objects) == 1:
        return Shape("object", sdk_type=objects[0])
    if objects:
        return Shape("any")
    for option in kinds:
        origin = typing.get_origin(option)
        if isinstance(origin, type) and issubclass(origin, Mapping):
            arguments = typing.get_args(option)
            return Shape("map", item=_shape(arguments[1]) if arguments else Shape("any"))
        if isinstance(origin, type) and issubclass(origin, Sequence):
            return Shape("list", item=_shape(typing.get_args(option)[0]))
    plain = {_plain(option) for option in kinds}
    return Shape(plain.pop()) if len(plain) == 1 else Shape("any")


def _plain(option: Any) -> str:
    if isinstance(option, type):
        if issubclass(option, Enum):
            return "number" if issubclass(option, int | float) else "string"
        return {str: "string", bool: "boolean", int: "integer", float: "number"}.get(option, "any")
    return "any"


def _is_object(option: Any) -> bool:
    from pulumi import _types

    return isinstance(option, type) and (_types.is_input_type(option) or _types.is_output_type(option))


def _options(hint: Any) -> list[Any]:
    """Return the alternatives of a union, without what only says that a value may come later."""
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return [option for part in typing.get_args(hint) for option in _options(part)]
    origin = typing.get_origin(hint)
    if origin is Awaitable or getattr(origin or hint, "__name__", "") == "Output":
        return []
    return [hint]
