"""What the providers know of each `azure-native` resource type beyond the SDK package's own types.

The types are in resource_types.yaml, each with how it was established what replaces it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from emulator.providers import shapes
from emulator.providers.shapes import Field

PACKAGE = "pulumi_azure_native"

_FILE = Path(__file__).with_name("resource_types.yaml")
_GROUP = "/subscriptions/{subscriptionId}/resourceGroups/{resourceGroupName}"

ENVELOPE = frozenset(
    {
        "etag",
        "extendedLocation",
        "id",
        "identity",
        "kind",
        "location",
        "managedBy",
        "name",
        "plan",
        "sku",
        "systemData",
        "tags",
        "type",
        "zones",
    }
)
"""What lies beside `properties` in an ARM body (Azure Resource Manager RPC, "Common API details")."""


@dataclass(frozen=True)
class NameRule:
    """What the provider itself checks of a name, before ARM sees it."""

    shortest: int
    longest: int
    pattern: str | None = None


@dataclass(frozen=True)
class ResourceType:
    """One type of resource.

    Attributes:
        module: The SDK module, for example `dbforpostgresql`.
        name: The SDK class, for example `Server`.
        api_version: The version that version 3.29.0 of the SDK uses.
        path: The ARM path; its parameters are inputs of the resource, and a change of one replaces it.
        force_new: Inputs whose change replaces the resource, besides those of the path; how that was established.
        refused: Inputs, as dotted paths, whose change Azure refuses though the provider tries it; the source.
        required: Inputs that ARM requires though the SDK's constructor does not, because the provider may fill them.
        singleton: Whether Azure makes it with its parent, so that it can neither be created nor deleted.
        sub_resources: Lists of inputs that are left alone where the program gives none, since their items are resources
            of their own too; dotted paths.
        inside: Properties under `properties` although their names are those of the envelope.
        beside: Properties beside `properties` although their names are not.
        secrets: Inputs that must never appear in an error; dotted paths, in which `[]` stands for each item of a list.
        names: Rules of path parameters.
        unescaped: Path parameters that are paths themselves.
    """

    module: str
    name: str
    api_version: str
    path: str
    force_new: Mapping[str, str] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)
    required: frozenset[str] = frozenset()
    singleton: bool = False
    sub_resources: frozenset[str] = frozenset()
    inside: frozenset[str] = frozenset()
    beside: frozenset[str] = frozenset()
    secrets: frozenset[str] = frozenset()
    names: Mapping[str, NameRule] = field(default_factory=dict)
    unescaped: frozenset[str] = frozenset()

    @property
    def token(self) -> str:
        """The type's token, such as `azure-native:dbforpostgresql:Server`."""
        return f"azure-native:{self.module}:{self.name}"

    @property
    def path_parameters(self) -> tuple[str, ...]:
        """The inputs that the path is made of."""
        return tuple(name for name in re.findall(r"{(\w+)}", self.path) if name != "subscriptionId")

    @property
    def inputs(self) -> Mapping[str, Field]:
        """What the resource takes."""
        return shapes.inputs(PACKAGE, self.module, self.name)

    @property
    def outputs(self) -> Mapping[str, Field]:
        """What the resource gives."""
        return shapes.outputs(PACKAGE, self.module, self.name)

    @property
    def body_inputs(self) -> Mapping[str, Field]:
        """What the resource takes and sends in the body."""
        return {name: value for name, value in self.inputs.items() if name not in self.path_parameters}

    def container(self, name: str) -> str | None:
        """Return "properties" for a property that the SDK lifts out of there, and None for any other."""
        if name in self.inside:
            return "properties"
        beside = name in ENVELOPE or name in self.beside or name == "properties" or not self.lifts_properties
        return None if beside else "properties"

    @property
    def lifts_properties(self) -> bool:
        """Whether the SDK shows what lies under `properties` in ARM as the resource's own."""
        return "properties" not in self.outputs


def _load() -> Mapping[str, ResourceType]:
    raw = yaml.load(_FILE.read_text(encoding="utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506
    return {token: _type(token, entry) for token, entry in raw.items()}


def _type(token: str, entry: Mapping[str, Any]) -> ResourceType:
    _, module, name = token.split(":")
    path = entry["path"] if "path" in entry else f"{_GROUP}/providers/{entry['in_group']}"
    names = {"resourceGroupName": (1, 90)} if "{resourceGroupName}" in path else {}
    sets = ("required", "sub_resources", "inside", "beside", "secrets", "unescaped")
    return ResourceType(
        module,
        name,
        entry["api_version"],
        path,
        force_new=entry.get("force_new", {}),
        refused=entry.get("refused", {}),
        singleton=entry.get("singleton", False),
        names={parameter: NameRule(*rule) for parameter, rule in {**names, **entry.get("names", {})}.items()},
        **{key: frozenset(entry[key]) for key in sets if key in entry},
    )


RESOURCE_TYPES: Mapping[str, ResourceType] = _load()
"""Every type by its token."""
