"""How a resource type behaves: what all types share, and the hooks in which they differ."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Mapping
from dataclasses import dataclass

from emulator.arm import body as bodies
from emulator.arm import identities
from emulator.arm.body import Json
from emulator.arm.catalogue import Catalogue, TypeRules, normal_location
from emulator.arm.conflicts import Conflicts
from emulator.arm.errors import (
    ArmError,
    group_deleting,
    group_not_found,
    nested_resources,
    not_found,
    parent_not_found,
    reference_not_found,
)
from emulator.arm.operations import Operation, Operations, Work, now
from emulator.arm.resource_id import ResourceId
from emulator.arm.store import Resource, Store
from emulator.identity import Principal
from emulator.postgres.backend import Backend


@dataclass(frozen=True)
class Call:
    """One request, as far as a type has to know it.

    Attributes:
        id: The resource that the path names; for a list, the one that would be its parent plus an empty name.
        action: The last segment of a POST, such as `restart`.
    """

    id: ResourceId
    rules: TypeRules
    body: Json
    query: Mapping[str, str]
    principal: Principal
    action: str | None = None


@dataclass(frozen=True)
class Answer:
    """What a request is answered with; an operation adds the headers of a long-running one."""

    status: int
    body: Json | None = None
    operation: Operation | None = None


@dataclass(frozen=True)
class Plane:
    """What every type works with."""

    store: Store
    operations: Operations
    backend: Backend
    catalogue: Catalogue
    tenant_id: str
    subscription_id: str
    deployer: Principal
    conflicts: Conflicts


class Kind:
    """A type that is created at once, with what the catalogue says and no more."""

    def __init__(self, plane: Plane) -> None:
        self.plane = plane
        self.store = plane.store
        self.operations = plane.operations
        self.backend = plane.backend

    def get(self, call: Call) -> Answer:
        """Answer a GET."""
        return Answer(200, self.present(self.existing(call)))

    def list(self, call: Call) -> Answer:
        """Answer a GET of every resource of the type below a scope."""
        parent = call.id.parent
        if parent is not None and self.store.get(parent.key) is None:
            raise parent_not_found(parent.text)
        scope = parent.key if parent else call.id.scope
        found = self.store.of_type(call.rules.type, scope)
        return Answer(200, {"value": [self.present(item) for item in found]})

    async def put(self, call: Call) -> Answer:
        """Answer a PUT."""
        existing = self.store.get(call.id.key)
        self.check_place(call)
        call.rules.check(call.body, existing.body if existing else None)
        return self._keep(call, call.body, existing)

    async def patch(self, call: Call) -> Answer:
        """Answer a PATCH."""
        existing = self.existing(call)
        call.rules.check(call.body, existing.body, partial=True)
        return self._keep(call, bodies.merge(existing.body, call.body), existing)

    async def delete(self, call: Call) -> Answer:
        """Answer a DELETE."""
        resource = self.store.get(call.id.key)
        if resource is None:
            return Answer(204)
        self.check_removable(resource)
        self.store.remove(resource.key)
        return Answer(200)

    def _keep(self, call: Call, body: Json, existing: Resource | None) -> Answer:
        self.check_references(call, body)
        resource = self.made(call, body, existing)
        self.check_rules(resource, existing)
        self.store.put(resource)
        return Answer(201 if existing is None else 200, self.present(resource))

    def check_rules(self, resource: Resource, existing: Resource | None) -> None:
        """Refuse a resource that breaks a rule of its own type."""

    def check_removable(self, resource: Resource) -> None:
        """Refuse to delete what must stay."""
        rules = self.plane.catalogue.rules(resource.type)
        for kind in rules.last if rules else ():
            for child in self.store.of_type(f"{resource.type}/{kind}", resource.key):
                raise nested_resources(child.id)

    async def act(self, call: Call) -> Answer:
        """Answer a POST."""
        raise ArmError(
            405,
            "HttpMethodNotAllowed",
            f"The action '{call.action}' of '{call.rules.type}' is not one that the emulator has.",
        )

    def present(self, resource: Resource) -> Json:
        """Return the body that a read answers."""
        return resource.to_json()

    def existing(self, call: Call) -> Resource:
        """Return the resource of a call.

        Raises:
            ArmError: There is none.
        """
        resource = self.store.get(call.id.key)
        if resource is None:
            if call.id.group and self.group_of(call) is None:
                raise group_not_found(call.id.group)
            raise not_found(call.id.type, "/".join(call.id.names), call.id.group or "")
        return resource

    def group_of(self, call: Call) -> Resource | None:
        """Return the resource group of a call, or None."""
        parts = call.id.scope.split("/")
        return self.store.get("/".join(parts[:5])) if len(parts) >= 5 else None

    def check_references(self, call: Call, body: Json) -> None:
        """Refuse a body that names a resource which is not there."""
        for path in call.rules.references:
            for value in bodies.find(body, path):
                if not str(value).startswith("/subscriptions/") or self.missing(str(value)):
                    raise reference_not_found(call.id.text, call.id.namespace, str(value))

    def missing(self, resource_id: str) -> bool:
        """Return whether an id names nothing: neither the subscription nor a resource."""
        return resource_id.strip("/").count("/") > 1 and self.store.get(resource_id.rstrip("/")) is None

    def check_scope(self, scope: str) -> None:
        """Refuse an extension of a resource that is not there."""
        if self.missing(scope):
            parts = scope.strip("/").split("/")
            raise not_found("/".join(parts[5:-1]), parts[-1], parts[3] if len(parts) > 3 else "")

    def check_place(self, call: Call) -> None:
        """Refuse what has no resource group, no scope, no parent, or a location that does not exist."""
        parent = call.id.parent
        group = self.group_of(call)
        if call.id.group and group is None:
            raise group_not_found(call.id.group)
        if group and group.body["properties"]["provisioningState"] == "Deleting":
            raise group_deleting(group.name)
        if parent is not None and self.store.get(parent.key) is None:
            raise parent_not_found(parent.text)
        if call.rules.extension:
            self.check_scope(call.id.scope)
        location, known = call.body.get("location"), sorted(self.plane.catalogue.locations)
        known = list(call.rules.locations) or known
        if location and normal_location(location) not in known:
            raise ArmError(
                400,
                "LocationNotAvailableForResourceType",
                f"The provided location '{location}' is not available for resource type '{call.rules.type}'. "
                f"List of available regions for the resource type is '{','.join(known)}'.",
            )

    def made(self, call: Call, body: Json, existing: Resource | None) -> Resource:
        """Return the resource that a body makes, with defaults and without what is never read back."""
        call.rules.check_name(call.id.name)
        result = bodies.drop(call.rules.with_defaults(body), call.rules.write_only)
        resource_id = existing.id if existing else call.id.text
        if "location" in result:
            result["location"] = normal_location(result["location"])
        result |= {"id": resource_id, "name": existing.name if existing else call.id.name, "type": call.rules.type}
        for path, form in call.rules.generated.items():
            bodies.put(result, path, (bodies.get(existing.body, path) if existing else None) or self._new(form, call))
        identities.fill(self.store, self.plane.tenant_id, result, existing)
        return Resource(resource_id, call.rules.type, result["name"], result, existing.private if existing else {})

    def _new(self, form: str, call: Call) -> str:
        if form in ("guid", "now"):
            return str(uuid.uuid4()) if form == "guid" else now()
        return form.format(
            name=call.id.name.lower(),
            parent=call.id.parent.name.lower() if call.id.parent else "",
            location=normal_location(call.body.get("location", "")),
            tenant=self.plane.tenant_id,
            id=call.id.text,
            random=secrets.token_hex(8),
        )

    def begin(
        self, call: Call, work: Work, lock: str, *, deletes: bool = False, also: tuple[str, ...] = ()
    ) -> Operation:
        """Begin a long-running operation on a resource, and on others that are busy with it."""
        holder = self.store.get(lock)
        location = str(holder.body.get("location", "eastus")) if holder else "eastus"
        operation = Operation(call.id.text, call.id.namespace, location, deletes)
        return self.operations.start(operation, work, lock, *also)
