"""The resources that exist, in memory and on disk."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from emulator.arm.body import Json
from emulator.arm.resource_id import is_within
from emulator.state import read_json, write_json


@dataclass(frozen=True)
class Resource:
    """One resource. Never changed in place, so a reader in another thread sees it whole.

    Attributes:
        id: As it was written at its creation.
        type: Full type, for example `Microsoft.CognitiveServices/accounts`.
        body: What a read answers.
        private: What no read answers: keys, secrets, values that wait for a restart.
    """

    id: str
    type: str
    name: str
    body: Mapping[str, Any]
    private: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def key(self) -> str:
        """The id in lower case."""
        return self.id.lower()

    def to_json(self) -> Json:
        """Return a copy of the body, free to change."""
        return copy.deepcopy(dict(self.body))


class Store:
    """Resources by id; every change is on disk before it is seen."""

    def __init__(self, path: Path) -> None:
        """Read what the file holds.

        Raises:
            StateError: The file is damaged.
        """
        self._path = path
        stored = read_json(path) or {}
        self._live = {key: Resource(**value) for key, value in stored.get("resources", {}).items()}
        self._deleted = {key: Resource(**value) for key, value in stored.get("deleted", {}).items()}
        self.revision = 0
        """Grows with every change."""

    def get(self, resource_id: str) -> Resource | None:
        """Return a resource by its id, whatever its case."""
        return self._live.get(resource_id.lower())

    def of_type(self, resource_type: str, scope: str = "") -> list[Resource]:
        """Return the resources of a type at or below a scope, oldest first."""
        wanted = resource_type.lower()
        below = scope.lower()
        return [
            item for item in self.all() if item.type.lower() == wanted and (not below or is_within(item.key, below))
        ]

    def all(self) -> Iterator[Resource]:
        """Return every resource, oldest first."""
        return iter(list(self._live.values()))

    def within(self, scope: str) -> list[Resource]:
        """Return the resources at or below an id."""
        return [item for item in self.all() if is_within(item.key, scope.lower())]

    def put(self, resource: Resource) -> Resource:
        """Keep a resource, new or changed."""
        self._commit({**self._live, resource.key: resource}, self._deleted)
        return resource

    def update(self, resource_id: str, properties: Mapping[str, Any], private: Mapping[str, Any] | None = None) -> None:
        """Change some top-level properties of a resource; nothing happens when it is gone."""
        current = self.get(resource_id)
        if current is None:
            return
        body = {**current.body, "properties": {**current.body.get("properties", {}), **properties}}
        self.put(replace(current, body=body, private={**current.private, **(private or {})}))

    def remove(self, scope: str) -> None:
        """Forget a resource and everything below it."""
        self._commit({k: v for k, v in self._live.items() if not is_within(k, scope.lower())}, self._deleted)

    def soft_delete(self, resource: Resource) -> None:
        """Move a resource to the deleted ones; what is below it goes with it for good."""
        live = {k: v for k, v in self._live.items() if not is_within(k, resource.key)}
        self._commit(live, {**self._deleted, resource.key: resource})

    def deleted(self) -> list[Resource]:
        """Return the soft-deleted resources."""
        return list(self._deleted.values())

    def deleted_at(self, resource_id: str) -> Resource | None:
        """Return the soft-deleted resource with an id, or None."""
        return self._deleted.get(resource_id.lower())

    def purge(self, resource_id: str) -> None:
        """Forget a soft-deleted resource."""
        self._commit(self._live, {k: v for k, v in self._deleted.items() if k != resource_id.lower()})

    def _commit(self, live: dict[str, Resource], deleted: dict[str, Resource]) -> None:
        document = {
            "version": 1,
            "resources": {key: _plain(item) for key, item in live.items()},
            "deleted": {key: _plain(item) for key, item in deleted.items()},
        }
        write_json(self._path, document)
        self._live, self._deleted = live, deleted
        self.revision += 1


def _plain(resource: Resource) -> Json:
    return {
        "id": resource.id,
        "type": resource.type,
        "name": resource.name,
        "body": resource.body,
        "private": resource.private,
    }
