"""Resource ids: what a path of Resource Manager names."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ResourceId:
    """A resource as its path names it; names keep the case in which they were written.

    Attributes:
        scope: The path before `/providers/`, without a slash at the end.
        namespace: For example `Microsoft.DBforPostgreSQL`.
        types: Type segments, for example `("flexibleServers", "databases")`.
        names: One name a type segment.
    """

    scope: str
    namespace: str
    types: tuple[str, ...]
    names: tuple[str, ...]

    @property
    def text(self) -> str:
        """The id as ARM writes it."""
        if self.namespace == "Microsoft.Resources":
            return f"{self.scope}/resourceGroups/{self.name}"
        pairs = "/".join(f"{kind}/{name}" for kind, name in zip(self.types, self.names, strict=True))
        return f"{self.scope}/providers/{self.namespace}/{pairs}"

    @property
    def key(self) -> str:
        """The id in lower case: ARM compares ids without case."""
        return self.text.lower()

    @property
    def type(self) -> str:
        """The full type, for example `Microsoft.DBforPostgreSQL/flexibleServers/databases`."""
        return f"{self.namespace}/{'/'.join(self.types)}"

    @property
    def name(self) -> str:
        """The last name."""
        return self.names[-1]

    @property
    def parent(self) -> ResourceId | None:
        """The resource that this one is nested in, or None."""
        if len(self.types) < 2:
            return None
        return ResourceId(self.scope, self.namespace, self.types[:-1], self.names[:-1])

    @property
    def group(self) -> str | None:
        """The name of the resource group, or None outside one."""
        if self.namespace == "Microsoft.Resources":
            return self.name
        parts = self.scope.split("/")
        if len(parts) >= 5 and parts[3].lower() == "resourcegroups":
            return parts[4]
        return None

    def child(self, kind: str, name: str) -> ResourceId:
        """Return the id of a resource nested in this one."""
        return ResourceId(self.scope, self.namespace, (*self.types, kind), (*self.names, name))


def is_within(resource_key: str, scope_key: str) -> bool:
    """Return whether a lower-case id is a scope or lies below it."""
    return resource_key == scope_key or resource_key.startswith(scope_key.rstrip("/") + "/")
