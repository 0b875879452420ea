"""DatabasePrincipal: somebody who may sign in to the database beside its administrators, with the rights it needs."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import psycopg
import pulumi
from pulumi.dynamic import Resource

from components.dynamic.access import DatabaseArgs, connection_of, resource_id
from components.dynamic.props import Props
from components.dynamic.provider import Provider
from database import principals
from database.connection import ConnectionSpec, connect, session
from database.principals import Principal
from database.progress import progress


@dataclass(frozen=True, kw_only=True)
class DatabasePrincipalArgs(DatabaseArgs):
    """Inputs of a DatabasePrincipal; it has either an object id or a password.

    Attributes:
        principal: name of its role.
        object_id: object id of an application or a managed identity in Entra, or None.
        login_password: password of a login without Entra (a secret), or None; no output has it.
        roles: roles that it is a member of, and no other.
        functions: functions that it may call, each as `schema.name(types)`.
    """

    principal: pulumi.Input[str]
    object_id: pulumi.Input[str] | None = None
    login_password: pulumi.Input[str] | None = None
    roles: pulumi.Input[Sequence[str]] = ()
    functions: pulumi.Input[Sequence[str]] = ()


@dataclass(frozen=True)
class WantedPrincipal:
    """The inputs, decoded."""

    connection: ConnectionSpec
    principal: Principal

    @property
    def resource_id(self) -> str:
        """The id in the stack's state."""
        return resource_id(self.connection, "principal", self.principal.name)

    @property
    def title(self) -> str:
        """What it is, for errors."""
        return f"principal {self.principal.name} of server {self.connection.host}"


class DatabasePrincipalProvider(Provider[WantedPrincipal]):
    """Registers the principal, gives it its rights, finds rights that came or went, and drops what it made."""

    inputs = frozenset({"connection", "password", "principal", "objectId", "loginPassword", "roles", "functions"})
    identity = ("connection.host", "connection.database", "principal", "objectId")
    digested = frozenset({"loginPassword"})

    def decode(self, props: Props) -> WantedPrincipal:
        """Decode inputs, or outputs, which hold them too, except for the password."""
        if props.has("objectId") and props.has("loginPassword"):
            props.refuse("loginPassword", "is for a login without Entra; leave it or objectId out")
        return WantedPrincipal(
            connection=connection_of(props),
            principal=Principal(
                name=props.text("principal"),
                object_id=props.optional_text("objectId"),
                password=props.optional_text("loginPassword"),
                roles=frozenset(props.texts("roles")),
                functions=frozenset(props.texts("functions")),
            ),
        )

    def due(self, had: Mapping[str, Any], news: Mapping[str, Any]) -> bool:
        """Tell whether the password of the login is another one."""
        password = news.get("loginPassword")
        return isinstance(password, str) and had.get("loginPasswordSha256") != _digest(password)

    def make(self, wanted: WantedPrincipal) -> dict[str, Any]:
        """Register it, or adopt the one that is there."""
        with self._changing(wanted) as (server, database):
            created = principals.ensure(server, database, wanted.principal)
        if created:
            progress(f"{wanted.title}: made, with {', '.join(sorted(wanted.principal.roles)) or 'no role'}")
        return self._outputs(wanted, created=created)

    def change(self, had: Mapping[str, Any], wanted: WantedPrincipal) -> dict[str, Any]:
        """Give and take rights; set the password."""
        with self._changing(wanted) as (server, database):
            created = principals.ensure(server, database, wanted.principal)
        return self._outputs(wanted, created=created or bool(had.get("created")))

    def find(self, had: Mapping[str, Any], wanted: WantedPrincipal) -> dict[str, Any] | None:
        """Read its rights; a role that belongs to another principal counts as missing."""
        with connect(_server_of(wanted.connection)) as server, connect(wanted.connection) as database:
            state = principals.read(server, database, wanted.principal)
        if state is None or state.object_id != (wanted.principal.object_id and wanted.principal.object_id.lower()):
            return None
        return {
            "roles": sorted(state.roles),
            "functions": sorted(state.functions),
            "created": bool(had.get("created")),
            "loginPasswordSha256": had.get("loginPasswordSha256"),
        }

    def remove(self, had: Mapping[str, Any], wanted: WantedPrincipal) -> None:
        """Drop the role if this program made it."""
        if not had.get("created"):
            return
        with self._changing(wanted) as (server, database):
            principals.drop(server, database, wanted.principal)

    @contextmanager
    def _changing(self, wanted: WantedPrincipal) -> Iterator[tuple[psycopg.Connection, psycopg.Connection]]:
        with (
            session(_server_of(wanted.connection), lock="catalog") as server,
            connect(wanted.connection) as database,
        ):
            yield server, database

    @staticmethod
    def _outputs(wanted: WantedPrincipal, *, created: bool) -> dict[str, Any]:
        password = wanted.principal.password
        return {"created": created, "loginPasswordSha256": None if password is None else _digest(password)}


class DatabasePrincipal(Resource, module="postgresql", name="DatabasePrincipal"):
    """A role that can sign in, and its rights."""

    created: pulumi.Output[bool]

    def __init__(self, name: str, args: DatabasePrincipalArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        props = args.props(created=None, loginPasswordSha256=None)
        for listed in ("roles", "functions"):
            props[listed] = pulumi.Output.from_input(props[listed]).apply(sorted)
        if props["loginPassword"] is not None:
            props["loginPassword"] = pulumi.Output.secret(props["loginPassword"])
        super().__init__(DatabasePrincipalProvider(), name, props, opts)


def _server_of(connection: ConnectionSpec) -> ConnectionSpec:
    return replace(connection, database=principals.MAINTENANCE_DATABASE)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
