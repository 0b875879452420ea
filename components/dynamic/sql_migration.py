"""SqlMigration: the files of one folder of `sql/`, applied to one database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import pulumi
from pulumi.dynamic import Resource

from components.dynamic.access import DatabaseArgs, connection_of, resource_id
from components.dynamic.props import Props
from components.dynamic.provider import Provider
from database import migrations
from database.connection import ConnectionSpec, connect, session
from database.progress import progress


@dataclass(frozen=True, kw_only=True)
class SqlMigrationArgs(DatabaseArgs):
    """Inputs of a SqlMigration; see `for_folder`.

    Attributes:
        folder: name of a folder of `sql/`.
        files: its files in order, each with name and sha256, so that an edit is an input that changes.
    """

    folder: pulumi.Input[str]
    files: pulumi.Input[Sequence[Mapping[str, str]]]

    @classmethod
    def for_folder(
        cls,
        folder: str,
        connection: pulumi.Input[Mapping[str, pulumi.Input[str]]],
        password: pulumi.Input[str] | None = None,
    ) -> SqlMigrationArgs:
        """Return args with the digests of the folder as it is in this checkout.

        Raises:
            DatabaseError: there is no such folder.
        """
        files = [asdict(file) for file in migrations.folder(folder)]
        return cls(connection=connection, password=password, folder=folder, files=files)


@dataclass(frozen=True)
class WantedMigration:
    """The inputs, decoded."""

    connection: ConnectionSpec
    folder: str

    @property
    def resource_id(self) -> str:
        """The id in the stack's state."""
        return resource_id(self.connection, "sql", self.folder)

    @property
    def title(self) -> str:
        """What it is, for errors."""
        return f"sql/{self.folder} in database {self.connection.database}"


class SqlMigrationProvider(Provider[WantedMigration]):
    """Applies what is due of a folder in one transaction; deleting it leaves the database as it is."""

    inputs = frozenset({"connection", "password", "folder", "files"})
    identity = ("connection.host", "connection.database", "folder")

    def decode(self, props: Props) -> WantedMigration:
        """Decode inputs, or outputs, which hold them too."""
        return WantedMigration(connection=connection_of(props), folder=props.text("folder"))

    def make(self, wanted: WantedMigration) -> dict[str, Any]:
        """Apply what is due."""
        with session(wanted.connection, lock="catalog") as conn:
            migrations.apply(conn, wanted.folder)
            now = migrations.applied(conn, wanted.folder) or []
        return {"applied": [file.name for file in now]}

    def change(self, had: Mapping[str, Any], wanted: WantedMigration) -> dict[str, Any]:  # noqa: ARG002
        """Apply what is due."""
        return self.make(wanted)

    def find(self, had: Mapping[str, Any], wanted: WantedMigration) -> dict[str, Any] | None:  # noqa: ARG002
        """Read the history; a file of which something was dropped by hand is not in it."""
        with connect(wanted.connection) as conn:
            now = migrations.applied(conn, wanted.folder)
        if now is None:
            return None
        return {"files": [asdict(file) for file in now], "applied": [file.name for file in now]}

    def remove(self, had: Mapping[str, Any], wanted: WantedMigration) -> None:  # noqa: ARG002
        """Leave everything: tables hold data, and functions may be in use."""
        progress(f"{wanted.title} stays: drop its schema or tables by hand if they are not wanted any more")


class SqlMigration(Resource, module="postgresql", name="SqlMigration"):
    """SQL of this project in a database: run once or when it changed, never undone."""

    applied: pulumi.Output[list[str]]

    def __init__(self, name: str, args: SqlMigrationArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(SqlMigrationProvider(), name, args.props(applied=None), opts)
