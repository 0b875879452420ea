"""From the path of a request to what it names."""

from __future__ import annotations

from dataclasses import dataclass

from emulator.arm.errors import ArmError
from emulator.arm.resource_id import ResourceId

_GROUPS = "resourcegroups"


@dataclass(frozen=True)
class Target:
    """What a path names.

    Attributes:
        id: The resource; in a list, a resource with an empty name.
        is_list: Whether the path ends with a type and not with a name.
        action: The last segment when it is neither.
    """

    id: ResourceId
    is_list: bool = False
    action: str | None = None


def parse(path: str, method: str) -> Target:
    """Return what the path of a resource, a list or an action names.

    Raises:
        ArmError: The path is none of these.
    """
    scope, marker, rest = path.rstrip("/").rpartition("/providers/")
    if not marker:
        return _group(path.strip("/").split("/"))
    namespace, *segments = rest.split("/")
    if not segments:
        raise bad_path(path)
    types, names = tuple(segments[0::2]), tuple(segments[1::2])
    if len(types) == len(names):
        return Target(ResourceId(scope, namespace, types, names))
    if method == "POST" and names:
        return Target(ResourceId(scope, namespace, types[:-1], names), action=types[-1])
    return Target(ResourceId(scope, namespace, types, (*names, "")), is_list=True)


def _group(parts: list[str]) -> Target:
    if len(parts) >= 3 and parts[0].lower() == "subscriptions" and parts[2].lower() == _GROUPS:
        scope = f"/subscriptions/{parts[1]}"
        kind = ("resourceGroups",)
        if len(parts) == 3:
            return Target(ResourceId(scope, "Microsoft.Resources", kind, ("",)), is_list=True)
        if len(parts) == 4:
            return Target(ResourceId(scope, "Microsoft.Resources", kind, (parts[3],)))
    raise bad_path("/" + "/".join(parts))


def bad_path(path: str) -> ArmError:
    """Return ARM's answer to a path that names nothing."""
    return ArmError(404, "InvalidResourceType", f"The path '{path}' names no resource type that the emulator has.")
