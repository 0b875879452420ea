"""SourceStatistics: rows and text sizes of a database's tables, recorded so that a preview can estimate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
from pulumi.dynamic import Resource

from components.dynamic.access import DatabaseArgs, connection_of, resource_id
from components.dynamic.props import Props
from components.dynamic.provider import Provider
from database import statistics
from database.connection import ConnectionSpec, connect


@dataclass(frozen=True, kw_only=True)
class SourceStatisticsArgs(DatabaseArgs):
    """Inputs of SourceStatistics.

    Attributes:
        schemas: schemas to look at; all but those of extensions and of this program when None.
    """

    schemas: pulumi.Input[Sequence[pulumi.Input[str]]] | None = None


@dataclass(frozen=True)
class WantedStatistics:
    """The inputs, decoded."""

    connection: ConnectionSpec
    schemas: tuple[str, ...]

    @property
    def resource_id(self) -> str:
        """The id in the stack's state."""
        return resource_id(self.connection, "statistics", "tables")

    @property
    def title(self) -> str:
        """What it is, for errors."""
        return f"statistics of database {self.connection.database}"


class SourceStatisticsProvider(Provider[WantedStatistics]):
    """Records statistics on create and refresh; they never cause an update, and deleting forgets them."""

    inputs = frozenset({"connection", "password", "schemas"})
    identity = ("connection.host", "connection.database")

    def decode(self, props: Props) -> WantedStatistics:
        """Decode inputs, or outputs, which hold them too."""
        return WantedStatistics(connection=connection_of(props), schemas=props.texts("schemas"))

    def make(self, wanted: WantedStatistics) -> dict[str, Any]:
        """Collect them."""
        with connect(wanted.connection) as conn:
            return statistics.collect(conn, wanted.schemas)

    def change(self, had: Mapping[str, Any], wanted: WantedStatistics) -> dict[str, Any]:  # noqa: ARG002
        """Collect them anew."""
        return self.make(wanted)

    def find(self, had: Mapping[str, Any], wanted: WantedStatistics) -> dict[str, Any]:  # noqa: ARG002
        """Collect them anew: they are as fresh as the last refresh."""
        return self.make(wanted)

    def remove(self, had: Mapping[str, Any], wanted: WantedStatistics) -> None:
        """Do nothing: there is nothing in the database."""


class SourceStatistics(Resource, module="postgresql", name="SourceStatistics"):
    """Rows and average text sizes of tables, as of the last create or refresh. Nothing is written to the database."""

    tables: pulumi.Output[dict[str, Any]]
    asOf: pulumi.Output[str]  # noqa: N815 - the engine fills the attribute of the property's own name

    def __init__(self, name: str, args: SourceStatisticsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(SourceStatisticsProvider(), name, args.props(tables=None, asOf=None), opts)

    @property
    def as_of(self) -> pulumi.Output[str]:
        """When they were recorded, in ISO format."""
        return self.asOf
