"""Settings of a graph: which tables its vertices and edges are, and who reads it."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, field_validator

from components.section import Identifier, Listed, Section, TableName, decode_json, matching

# A graph is a schema, and a label is a table in it, with that of its keys (`<label>_key`) beside it.
Label = Annotated[
    str,
    AfterValidator(
        matching(
            r"(?!_ag_label)(?!.*_key$)[A-Za-z_][A-Za-z0-9_]{0,57}",
            "a label of 1 to 58 letters, digits or underscores, not ending in _key",
        )
    ),
]
GraphName = Annotated[
    str,
    AfterValidator(
        matching(r"[a-z_][a-z0-9_]{2,62}", "3 to 63 lower-case letters, digits or underscores, such as contracts")
    ),
]


class VertexSettings(Section):
    """The vertices of one label: a row of the table each."""

    table: TableName = Field(examples=["public.vendors"], description="Source table with its schema.")
    key: Listed[Identifier] = Field(default=(), description="Key columns; the primary key when left out.")
    properties: Listed[Identifier] = Field(
        default=(), description="Columns that become properties; a vertex has its key columns among them anyway."
    )
    filter: str | None = Field(
        default=None,
        examples=["status <> 'draft'"],
        description="Condition in SQL over the row's own columns; rows for which it is not true are left out.",
    )

    @field_validator("filter")
    @classmethod
    def _filter(cls, value: str | None) -> str | None:
        if value is not None and not value.strip():
            raise ValueError("is empty; allowed: a condition in SQL, or leave it out")
        return value

    @property
    def plain(self) -> dict[str, Any]:
        """Return it as `database.graph` takes it."""
        plain: dict[str, Any] = {"table": self.table, "key": list(self.key), "properties": list(self.properties)}
        return plain | ({"filter": self.filter} if self.filter else {})


class EdgeEnd(Section):
    """One end of an edge."""

    vertex: Label = Field(examples=["Vendor"], description="Label of the vertices at this end.")
    key: Listed[Identifier] = Field(
        min_length=1,
        examples=[["vendor_id"]],
        description="Columns of the edge's table that name the vertex by its key, in its order; no edge where one is"
        " NULL.",
    )


class EdgeSettings(VertexSettings):
    """The edges of one label: a row of the table each."""

    from_: EdgeEnd = Field(alias="from", description="Where it starts: {vertex, key}.")
    to: EdgeEnd = Field(description="Where it ends: {vertex, key}.")

    @property
    def plain(self) -> dict[str, Any]:
        """Return it as `database.graph` takes it."""
        ends = {"from": self.from_, "to": self.to}
        return super().plain | {side: {"vertex": end.vertex, "key": list(end.key)} for side, end in ends.items()}


class GraphSettings(Section):
    """A graph of the extension age, kept in step with tables."""

    vertices: Annotated[dict[Label, VertexSettings], BeforeValidator(decode_json)] = Field(
        min_length=1, description="Vertices by label: table, key, properties, filter."
    )
    edges: Annotated[dict[Label, EdgeSettings], BeforeValidator(decode_json)] = Field(
        default={}, description="Edges by label: table, from, to, key, properties, filter."
    )
    readers: Listed[str] = Field(
        default=(), description="Roles of the database that read the graph; they need no right on its tables."
    )
    workers: int = Field(
        default=2, ge=1, le=16, description="Connections that load at the same time during `pulumi up`."
    )
    timeout_seconds: int = Field(
        default=3600, ge=10, le=86400, description="Longest load inside one `pulumi up`, in seconds, for each label."
    )
    revision: int = Field(default=1, ge=1, description="Raise it by one to compare all rows without another change.")

    def plain(self, name: str) -> dict[str, Any]:
        """Return the graph as `database.graph` takes it."""
        return {
            "name": name,
            "vertices": {label: vertex.plain for label, vertex in self.vertices.items()},
            "edges": {label: edge.plain for label, edge in self.edges.items()},
            "readers": sorted(self.readers),
        }
