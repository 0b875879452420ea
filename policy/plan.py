"""What a program asks for: its resources with their inputs, and which of them refer to which."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

AZURE = "azure-native:"
SERVER = f"{AZURE}dbforpostgresql:Server"
DATABASE = f"{AZURE}dbforpostgresql:Database"
ACCOUNT = f"{AZURE}cognitiveservices:Account"
DEPLOYMENT = f"{AZURE}cognitiveservices:Deployment"
RESOURCE_GROUP = f"{AZURE}resources:ResourceGroup"
STACK = "pulumi:pulumi:Stack"


class Unknown:
    """A value that is there, and known only once what it comes from is made."""

    def __repr__(self) -> str:
        return "(known after up)"


UNKNOWN = Unknown()


@dataclass(frozen=True, kw_only=True)
class PlannedResource:
    """One resource.

    Attributes:
        kind: its type token.
        name: its name in the program.
        urn: its name in the world of the engine.
        inputs: what the program gives it; UNKNOWN where that depends on what is not made yet.
        outputs: what is known of it beside; of the stack itself, what it exports.
        protect: whether the engine refuses to delete it.
        refers: URNs of the resources that each input comes from.
    """

    kind: str
    name: str
    urn: str
    inputs: Mapping[str, Any] = field(default_factory=dict)
    outputs: Mapping[str, Any] = field(default_factory=dict)
    protect: bool = False
    refers: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def get(self, *path: str) -> Any:
        """Return the input at a path of keys, or None where there is none."""
        value: Any = self.inputs
        for key in path:
            value = value.get(key) if isinstance(value, Mapping) else (UNKNOWN if value is UNKNOWN else None)
        return value

    def refers_to(self, other: PlannedResource) -> bool:
        """Tell whether an input of this one comes from the other."""
        return any(other.urn in urns for urns in self.refers.values())


@dataclass(frozen=True)
class Plan:
    """All resources of a stack, as a preview knows them, on a day (UTC)."""

    resources: tuple[PlannedResource, ...]
    today: date

    def of(self, *kinds: str) -> Iterator[PlannedResource]:
        """Return the resources of these types."""
        return (resource for resource in self.resources if resource.kind in kinds)

    def about(self, target: PlannedResource, *kinds: str) -> list[PlannedResource]:
        """Return the resources of these types that refer to another one."""
        return [resource for resource in self.of(*kinds) if resource.refers_to(target)]

    @property
    def stack(self) -> str:
        """The stack's name, which every URN carries."""
        return self.resources[0].urn.split(":")[2] if self.resources else ""

    @property
    def servers(self) -> list[PlannedResource]:
        """The flexible servers, replicas among them."""
        return list(self.of(SERVER))

    @property
    def primaries(self) -> list[PlannedResource]:
        """The servers that are no replica: one takes backup, standby, sign-in and parameters from its primary."""
        return [server for server in self.servers if server.get("createMode") != "Replica"]

    @property
    def accounts(self) -> list[PlannedResource]:
        """The AI accounts."""
        return list(self.of(ACCOUNT))
