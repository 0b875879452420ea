"""Rules over graphs: what needs an extension, and whether edges end at vertices that are declared."""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.graph_settings import EdgeEnd, GraphSettings
from components.job_rules import RESERVED_SCHEMAS
from components.mistakes import Findings, Path, nearest

if TYPE_CHECKING:
    from components.settings import StackSettings


def check(settings: StackSettings, findings: Findings) -> None:
    """Add every mistake of the graphs."""
    for name, graph in settings.graphs.items():
        here: Path = ("graphs", name)
        for extension, why in (("age", "holds graphs"), ("azure_ai", "comes with the engine that loads them")):
            if extension not in settings.enabled_extensions:
                listed = "listed as unavailable" if extension in settings.unavailable else "not among the extensions"
                findings.add(
                    here, f"needs the extension {extension!r}, which {why} and is {listed}", reads=[("extensions",)]
                )
        if name in RESERVED_SCHEMAS | {"public", "ag_catalog"} or name.startswith("pg_"):
            findings.add(here, f"a graph is a schema, and {name!r} is taken; choose another name")
        for label, vertex in graph.vertices.items():
            _table(vertex.table, (*here, "vertices", label, "table"), findings)
        for label, edge in graph.edges.items():
            there = (*here, "edges", label)
            _table(edge.table, (*there, "table"), findings)
            if label in graph.vertices:
                findings.add(there, "is the label of vertices too; choose another one")
            _end(graph, edge.from_, (*there, "from"), findings)
            _end(graph, edge.to, (*there, "to"), findings)


def _table(table: str, path: Path, findings: Findings) -> None:
    schema = table.partition(".")[0].lower()
    if schema in RESERVED_SCHEMAS or schema.startswith("pg_"):
        findings.add(path, f"schema {schema!r} belongs to the system; name a table of your own")


def _end(graph: GraphSettings, end: EdgeEnd, path: Path, findings: Findings) -> None:
    vertex = graph.vertices.get(end.vertex)
    if vertex is None:
        findings.add(
            (*path, "vertex"),
            f"{end.vertex!r} is not declared under vertices; {nearest(end.vertex, graph.vertices)}",
            reads=[(*path[:2], "vertices")],
        )
    elif vertex.key and len(vertex.key) != len(end.key):
        findings.add(
            (*path, "key"),
            f"names {len(end.key)} columns, and the key of {end.vertex} has {len(vertex.key)}: {', '.join(vertex.key)}",
            reads=[(*path[:2], "vertices", end.vertex, "key")],
        )
