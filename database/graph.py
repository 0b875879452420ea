"""Graphs of the extension age that follow tables: each label is a job of the vectorization engine.

The engine itself is SQL (sql/vectorize/graph*.sql). A graph travels as plain values: its name, `vertices` and `edges`
by label (table, key, properties, filter; an edge's from and to, each with vertex and key), and its `readers`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from database.connection import explained
from database.definition import defining

_OF_A_LABEL = ("properties", "filter", "from", "to")


@dataclass(frozen=True)
class LabelStatus:
    """How many rows of a label were written, and how many are there."""

    job: str
    label: str
    operation: str  # "vertex" | "edge"
    written: int
    present: int


def jobs(graph: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the jobs of a graph as `vectorize.define` takes them, vertices before the edges that need them."""
    found = []
    for operation, labels in (("vertex", graph["vertices"]), ("edge", graph["edges"])):
        for label, wanted in labels.items():
            arguments = {name: wanted[name] for name in _OF_A_LABEL if wanted.get(name) is not None}
            found.append(
                {
                    "name": f"{graph['name']}.{label}",
                    "table": wanted["table"],
                    "key": list(wanted.get("key") or ()),
                    "operation": operation,
                    "arguments": {"graph": graph["name"], "label": label, **arguments},
                }
            )
    return found


def define(conn: psycopg.Connection, graph: Mapping[str, Any]) -> list[str]:
    """Create or change a graph, its labels and who reads it, and return what changed, a sentence each.

    A label that is no longer declared is emptied: what it held is in its table.

    Args:
        conn: in autocommit, since the engine's procedures commit.
        graph: the graph.

    Raises:
        DatabaseError: what is wrong with the graph; labels before the one at fault are defined.
    """
    wanted = jobs(graph)
    names = [job["name"] for job in wanted]
    with defining(conn, f"graph {graph['name']}") as said:
        conn.execute("CALL vectorize.define_graph(%s, %s)", [graph["name"], list(graph["readers"])])
        gone = [one.job for one in labels(conn, graph["name"]) if one.job not in names]
        for job in reversed(gone):  # edges before the vertices that they end at
            conn.execute("CALL vectorize.remove(%s, false)", [job])
        for spec in wanted:
            conn.execute("CALL vectorize.define(%s)", [Jsonb(spec)])
    return said


def read(conn: psycopg.Connection, name: str) -> dict[str, Any] | None:
    """Return a graph as it is defined; None where there is none, or no engine that knows graphs."""
    with explained(f"reading graph {name}"):
        if conn.execute("SELECT to_regclass('vectorize.graph') IS NOT NULL").fetchone() != (True,):
            return None
        row = conn.execute(
            "SELECT readers FROM vectorize.graph WHERE name = %s AND to_regnamespace(quote_ident(name)) IS NOT NULL",
            [name],
        ).fetchone()
        if row is None:
            return None
        found: dict[str, Any] = {"name": name, "vertices": {}, "edges": {}, "readers": sorted(row[0])}
        for label in labels(conn, name):
            declared = conn.execute("SELECT vectorize.declared(%s)", [label.job]).fetchone()
            spec = declared[0] if declared else None
            if spec is None:
                continue
            of_label = {key: spec["arguments"][key] for key in _OF_A_LABEL if key in spec["arguments"]}
            kind = "vertices" if label.operation == "vertex" else "edges"
            found[kind][label.label] = {"table": spec["table"], "key": spec["key"], "properties": []} | of_label
    return found


def labels(conn: psycopg.Connection, name: str) -> list[LabelStatus]:
    """Return the labels of a graph, vertices first; each is counted."""
    with explained(f"counting what is in graph {name}"):
        rows = conn.execute(
            "SELECT job, label, operation, written, present FROM vectorize.graph_labels(%s)", [name]
        ).fetchall()
    return [LabelStatus(*row) for row in rows]


def remove(conn: psycopg.Connection, name: str, *, keep: bool, say: Callable[[str], None]) -> None:
    """Take a graph away; `keep` leaves what is in it, and with it the receipts, so that a new define is cheap."""
    if read(conn, name) is None:
        return
    conn.add_notice_handler(lambda diagnostic: say(diagnostic.message_primary or ""))
    with explained(f"removing graph {name}"):
        conn.execute("CALL vectorize.remove_graph(%s, %s)", [name, keep])
