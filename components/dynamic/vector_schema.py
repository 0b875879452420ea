"""VectorSchema: a vector column on a table that exists, for vectors that the application writes itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi
from pulumi.dynamic import Resource

from components.dynamic.access import DatabaseArgs, connection_of, resource_id
from components.dynamic.props import Props
from components.dynamic.provider import Provider
from database import schema
from database.connection import ConnectionSpec, connect, session
from database.progress import progress


@dataclass(frozen=True, kw_only=True)
class VectorSchemaArgs(DatabaseArgs):
    """Inputs of a VectorSchema.

    Attributes:
        table: the table with its schema, for example public.invoices; it must exist.
        column: name of the column.
        type: vector or halfvec.
        dimensions: numbers in a vector, 1 to 16,000.
        drop_on_delete: whether delete drops the column with what is in it; never if it was adopted.
    """

    table: pulumi.Input[str]
    column: pulumi.Input[str]
    dimensions: pulumi.Input[int]
    type: pulumi.Input[str] = "vector"
    drop_on_delete: pulumi.Input[bool] = False


@dataclass(frozen=True)
class WantedColumn:
    """The inputs, decoded."""

    connection: ConnectionSpec
    column: schema.VectorColumn
    drop_on_delete: bool

    @property
    def resource_id(self) -> str:
        """The id in the stack's state."""
        return resource_id(self.connection, "column", f"{self.column.table}.{self.column.column}")

    @property
    def title(self) -> str:
        """What it is, for errors."""
        return f"column {self.column.table}.{self.column.column} in database {self.connection.database}"


class VectorSchemaProvider(Provider[WantedColumn]):
    """Adds or adopts the column; never changes its type; drops it only on demand and if it was created here."""

    inputs = frozenset({"connection", "password", "table", "column", "type", "dimensions", "dropOnDelete"})
    identity = ("connection.host", "connection.database", "table", "column")

    def decode(self, props: Props) -> WantedColumn:
        """Decode inputs, or outputs, which hold them too."""
        return WantedColumn(
            connection=connection_of(props),
            column=schema.VectorColumn(
                table=props.text("table"),
                column=props.text("column"),
                type=props.text("type", default="vector", choices=("vector", "halfvec")),
                dimensions=props.integer("dimensions", minimum=1, maximum=16_000),
            ),
            drop_on_delete=props.flag("dropOnDelete", default=False),
        )

    def make(self, wanted: WantedColumn) -> dict[str, Any]:
        """Add or adopt."""
        with session(wanted.connection, lock="catalog") as conn:
            return {"adopted": schema.ensure(conn, wanted.column)}

    def change(self, had: Mapping[str, Any], wanted: WantedColumn) -> dict[str, Any]:
        """Check that the column is as wanted; who created it stays as recorded."""
        with session(wanted.connection, lock="catalog") as conn:
            there = schema.ensure(conn, wanted.column)
        return {"adopted": bool(had.get("adopted")) and there}

    def find(self, had: Mapping[str, Any], wanted: WantedColumn) -> dict[str, Any] | None:
        """Look it up in the catalog."""
        with connect(wanted.connection) as conn:
            found = schema.read(conn, wanted.column.table, wanted.column.column)
        if found is None:
            return None
        return {"type": found.type, "dimensions": found.dimensions, "adopted": bool(had.get("adopted"))}

    def remove(self, had: Mapping[str, Any], wanted: WantedColumn) -> None:
        """Drop it, if that is wanted and it was created here."""
        if not wanted.drop_on_delete or had.get("adopted"):
            progress(f"{wanted.title} stays with its vectors")
            return
        with session(wanted.connection, lock="catalog") as conn:
            schema.drop(conn, wanted.column.table, wanted.column.column)


class VectorSchema(Resource, module="postgresql", name="VectorSchema"):
    """A nullable vector column; adopted when it is there with the same type. Values and indexes are not part of it."""

    adopted: pulumi.Output[bool]

    def __init__(self, name: str, args: VectorSchemaArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(VectorSchemaProvider(), name, args.props(adopted=None), opts)
