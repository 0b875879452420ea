"""Property values as the engine sends them: protobuf structs with markers for what is unknown or secret.

Source of the markers: pulumi/pulumi sdk/go/common/resource/properties.go and sdk/go/common/resource/plugin/rpc.go.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from google.protobuf import struct_pb2

_UNKNOWN_TEXT: Final = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
_SIGNATURE: Final = "4dabf18193072939515e22adb298388d"
_SECRET: Final = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 - a marker
_OUTPUT: Final = "d0e6a833031e9bbcd3f4e8bde6ca49a4"


class Unknown(Enum):
    """A value that a preview does not know yet."""

    UNKNOWN = "unknown"


UNKNOWN: Final = Unknown.UNKNOWN


@dataclass(frozen=True)
class Secret:
    """A value that the engine must encrypt in state and hide in what it prints."""

    value: Any

    def __repr__(self) -> str:
        """Say that there is one, not which."""
        return "Secret(...)"


def read(struct: struct_pb2.Struct) -> dict[str, Any]:
    """Return a struct as plain Python values: secrets unwrapped, nulls left out, unknowns as UNKNOWN."""
    found = {name: _read(value) for name, value in struct.fields.items()}
    return {name: value for name, value in found.items() if value is not None}


def write(values: Mapping[str, Any]) -> struct_pb2.Struct:
    """Return values as a struct; what is None is left out."""
    struct = struct_pb2.Struct()
    for name, value in values.items():
        if value is not None:
            struct.fields[name].CopyFrom(_write(value))
    return struct


def _read(value: struct_pb2.Value) -> Any:
    kind = value.WhichOneof("kind")
    match kind:
        case "string_value":
            return UNKNOWN if value.string_value == _UNKNOWN_TEXT else value.string_value
        case "number_value":
            number = value.number_value
            return int(number) if number.is_integer() else number
        case "bool_value":
            return value.bool_value
        case "list_value":
            return [_read(item) for item in value.list_value.values]
        case "struct_value":
            return _read_object(value.struct_value)
        case _:
            return None


def _read_object(struct: struct_pb2.Struct) -> Any:
    if _SIGNATURE not in struct.fields:
        return read(struct)
    signature = struct.fields[_SIGNATURE].string_value
    if signature == _SECRET:
        return _read(struct.fields["value"])
    if signature == _OUTPUT:
        return _read(struct.fields["value"]) if "value" in struct.fields else UNKNOWN
    raise ValueError("Assets, archives and references to resources are not values that these resources take.")


def _write(value: Any) -> struct_pb2.Value:
    if value is UNKNOWN:
        return struct_pb2.Value(string_value=_UNKNOWN_TEXT)
    if isinstance(value, Secret):
        marked = struct_pb2.Struct()
        marked.fields[_SIGNATURE].string_value = _SECRET
        marked.fields["value"].CopyFrom(_write(value.value))
        return struct_pb2.Value(struct_value=marked)
    result = struct_pb2.Value()
    match value:
        case Mapping():
            result.struct_value.CopyFrom(write(value))
        case list():
            result.list_value.CopyFrom(struct_pb2.ListValue(values=[_write(item) for item in value]))
        case bool():
            result.bool_value = value
        case int() | float():
            result.number_value = value
        case None:
            result.null_value = struct_pb2.NULL_VALUE
        case _:
            result.string_value = value
    return result
