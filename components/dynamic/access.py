"""The connection that every dynamic resource inside a database has among its inputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import pulumi

from components.dynamic.props import Props
from database.connection import ConnectionSpec


@dataclass(frozen=True, kw_only=True)
class DatabaseArgs:
    """What all args begin with.

    Attributes:
        connection: host, database, user, authentication ("entra" or "password") and, with Entra, tokenScope.
        password: password of the user, a secret; None with Entra, whose tokens are made when they are needed.
    """

    connection: pulumi.Input[Mapping[str, pulumi.Input[str]]]
    password: pulumi.Input[str] | None = None

    def props(self, **outs: None) -> dict[str, Any]:
        """Return a fresh dict of the inputs by the names that the engine stores, and `outs` to be filled in."""
        inputs = {camel(field.name): getattr(self, field.name) for field in fields(self)}
        if inputs["password"] is not None:
            inputs["password"] = pulumi.Output.secret(inputs["password"])
        return {**outs, **inputs}


def camel(name: str) -> str:
    """Return drop_on_delete as dropOnDelete."""
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def connection_of(props: Props) -> ConnectionSpec:
    """Decode the connection and the password."""
    inside = props.inside("connection")
    authentication = inside.text("authentication", choices=("entra", "password"))
    if authentication == "password" and not props.has("password"):
        props.refuse("password", "is missing; allowed: a text that is not empty, since authentication is password")
    return ConnectionSpec(
        host=inside.text("host"),
        database=inside.text("database"),
        user=inside.text("user"),
        authentication=authentication,
        token_scope=inside.text("tokenScope") if authentication == "entra" else "",
        password=props.optional_text("password"),
    )


def resource_id(connection: ConnectionSpec, kind: str, name: str) -> str:
    """Return `server/database/kind/name`: the same object has the same id in every stack and run."""
    return f"{connection.host.split('.')[0]}/{connection.database}/{kind}/{name}"
