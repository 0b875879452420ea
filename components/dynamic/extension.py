"""Extension: one extension of one database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import pulumi
from pulumi.dynamic import Resource

from components.dynamic.access import DatabaseArgs, connection_of, resource_id
from components.dynamic.props import Props
from components.dynamic.provider import Provider
from database import extensions
from database.connection import ConnectionSpec, connect, session


@dataclass(frozen=True, kw_only=True)
class ExtensionArgs(DatabaseArgs):
    """Inputs of an Extension.

    Attributes:
        extension: its name, for example vector.
        version: the version to have; the server's default for a new one, and whatever is there otherwise, when None.
        drop_on_delete: whether delete drops it; only ever if this resource created it, and RESTRICT.
    """

    extension: pulumi.Input[str]
    version: pulumi.Input[str] | None = None
    drop_on_delete: pulumi.Input[bool] = True


@dataclass(frozen=True)
class WantedExtension:
    """The inputs, decoded."""

    connection: ConnectionSpec
    extension: str
    version: str | None
    drop_on_delete: bool

    @property
    def resource_id(self) -> str:
        """The id in the stack's state."""
        return resource_id(self.connection, "extension", self.extension)

    @property
    def title(self) -> str:
        """What it is, for errors."""
        return f"extension {self.extension} in database {self.connection.database}"


class ExtensionProvider(Provider[WantedExtension]):
    """Creates or adopts an extension, updates its version, drops only what it created."""

    inputs = frozenset({"connection", "password", "extension", "version", "dropOnDelete"})
    identity = ("connection.host", "connection.database", "extension")

    def decode(self, props: Props) -> WantedExtension:
        """Decode inputs, or outputs, which hold them too."""
        return WantedExtension(
            connection=connection_of(props),
            extension=props.text("extension"),
            version=props.optional_text("version"),
            drop_on_delete=props.flag("dropOnDelete", default=True),
        )

    def make(self, wanted: WantedExtension) -> dict[str, Any]:
        """Wait for the allowlist, then create or adopt."""
        extensions.await_allowed(partial(connect, wanted.connection), wanted.extension)
        with session(wanted.connection, lock="catalog") as conn:
            state = extensions.ensure(conn, wanted.extension, wanted.version)
        return {"installedVersion": state.version, "created": state.created}

    def change(self, had: Mapping[str, Any], wanted: WantedExtension) -> dict[str, Any]:
        """Update the version; who created it stays as recorded."""
        outs = self.make(wanted)
        return {**outs, "created": bool(had.get("created")) or outs["created"]}

    def find(self, had: Mapping[str, Any], wanted: WantedExtension) -> dict[str, Any] | None:
        """Look it up in the catalog."""
        with connect(wanted.connection) as conn:
            state = extensions.read(conn, wanted.extension)
        if state is None:
            return None
        drifted = {"version": state.version} if wanted.version is not None else {}
        return {**drifted, "installedVersion": state.version, "created": bool(had.get("created"))}

    def remove(self, had: Mapping[str, Any], wanted: WantedExtension) -> None:
        """Drop it, RESTRICT, if it was created here and may be dropped."""
        if wanted.drop_on_delete and had.get("created"):
            with session(wanted.connection, lock="catalog") as conn:
                extensions.drop(conn, wanted.extension)


class Extension(Resource, module="postgresql", name="Extension"):
    """An extension that is enabled in a database; adopted when it is there. The allowlist is not part of it."""

    installedVersion: pulumi.Output[str]  # noqa: N815 - the engine fills the attribute of the property's own name
    created: pulumi.Output[bool]

    def __init__(self, name: str, args: ExtensionArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(ExtensionProvider(), name, args.props(installedVersion=None, created=None), opts)

    @property
    def installed_version(self) -> pulumi.Output[str]:
        """The version that the catalog has."""
        return self.installedVersion
