"""Graph: vertices and edges that follow tables, loaded to the end; what is missing is found by refresh and mended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi
from pulumi.dynamic import Resource

from components.dynamic.access import DatabaseArgs, connection_of, resource_id
from components.dynamic.props import Props, normal, unknown
from components.dynamic.provider import Provider
from database import graph, health, vectorization
from database.connection import ConnectionSpec, connect, opener, session
from database.progress import progress


@dataclass(frozen=True, kw_only=True)
class GraphArgs(DatabaseArgs):
    """Inputs of a Graph.

    Attributes:
        graph: name, vertices, edges and readers, as `database.graph` takes them.
        workers: connections that load at the same time.
        timeout_seconds: longest load of one label inside one run of the engine; any worker goes on.
        engine: digest of the engine's SQL; a graph is defined again when it changed.
        revision: raise it to compare all rows without another change.
        remove_on_delete: whether delete drops the graph.
    """

    graph: pulumi.Input[Mapping[str, Any]]
    engine: pulumi.Input[str | None] | None = None
    workers: pulumi.Input[int] = 2
    timeout_seconds: pulumi.Input[int] = 3600
    revision: pulumi.Input[int] = 1
    remove_on_delete: pulumi.Input[bool] = False


@dataclass(frozen=True)
class WantedGraph:
    """The inputs, decoded."""

    connection: ConnectionSpec
    graph: Mapping[str, Any]
    workers: int
    timeout_seconds: int
    revision: int
    remove_on_delete: bool

    @property
    def name(self) -> str:
        """The graph's name, which is its schema's."""
        return str(self.graph["name"])

    @property
    def resource_id(self) -> str:
        """The id in the stack's state."""
        return resource_id(self.connection, "graph", self.name)

    @property
    def title(self) -> str:
        """What it is, for errors."""
        return f"graph {self.name} in database {self.connection.database}"


class GraphProvider(Provider[WantedGraph]):
    """Declares the graph and loads it; finds labels whose rows are fewer, or more, than were written and left there."""

    inputs = frozenset(
        {
            "connection",
            "password",
            "graph",
            "engine",
            "workers",
            "timeoutSeconds",
            "revision",
            "removeOnDelete",
        }
    )
    remarks = frozenset({"workers", "timeoutSeconds"})
    identity = ("connection.host", "connection.database", "graph.name")

    def decode(self, props: Props) -> WantedGraph:
        """Decode inputs, or outputs, which hold them too."""
        name = props.inside("graph").text("name")
        values = props.mapping("graph")
        return WantedGraph(
            connection=connection_of(props),
            graph={
                "vertices": {},
                "edges": {},
                "readers": [],
                **({} if unknown(values) else normal(values)),
                "name": name,
            },
            workers=props.integer("workers", minimum=1, maximum=64, default=2),
            timeout_seconds=props.integer("timeoutSeconds", minimum=1, maximum=7 * 86_400, default=3600),
            revision=props.integer("revision", minimum=0, maximum=1_000_000, default=1),
            remove_on_delete=props.flag("removeOnDelete", default=False),
        )

    def due(self, had: Mapping[str, Any], news: Mapping[str, Any]) -> bool:  # noqa: ARG002
        """Tell whether the last run was cut off, or the last refresh found something missing, or a job at rest."""
        return bool(had.get("unfinished") or had.get("drift") or had.get("damage"))

    def make(self, wanted: WantedGraph) -> dict[str, Any]:
        """Declare the graph and load it."""
        return self._run(wanted, {}, compare=False)

    def change(self, had: Mapping[str, Any], wanted: WantedGraph) -> dict[str, Any]:
        """Declare it anew, compare where something was found missing, and write what that makes due."""
        found = bool(had.get("drift") or had.get("damage"))
        return self._run(wanted, _added(had), compare=found or normal(had.get("revision", 1)) != wanted.revision)

    def _run(self, wanted: WantedGraph, added: Mapping[str, int], *, compare: bool) -> dict[str, Any]:
        names = [job["name"] for job in graph.jobs(wanted.graph)]
        with session(wanted.connection, lock="catalog") as conn:
            for line in graph.define(conn, wanted.graph):
                progress(line)
            for label in graph.labels(conn, wanted.name):
                if compare or label.present - label.written != added.get(label.label, 0):
                    health.sweep(conn, label.job)
        unfinished = False
        for name in names:
            status = vectorization.backfill(
                opener(wanted.connection, application_name=f"postgres-genai {name}"),
                name,
                workers=wanted.workers,
                timeout_seconds=wanted.timeout_seconds,
                progress=progress,
            )
            unfinished = unfinished or not status.caught_up
        with connect(wanted.connection) as conn:
            labels = graph.labels(conn, wanted.name)
        # What was missing is there again, so what is too many is somebody else's.
        stays = {label.label: label.present - label.written for label in labels if label.present > label.written}
        for where, number in stays.items():
            progress(f"graph {wanted.name}: {where} has {number} that somebody else added (vectorize.added_to_graph)")
        return {"labels": _counts(labels), "added": stays, "unfinished": unfinished, "drift": {}, "damage": []}

    def find(self, had: Mapping[str, Any], wanted: WantedGraph) -> dict[str, Any] | None:
        """Read the stored definition, count each label, and look at the triggers and the state of its job."""
        with connect(wanted.connection) as conn:
            found = graph.read(conn, wanted.name)
            if found is None:
                return None
            labels = graph.labels(conn, wanted.name)
            damage = [line for label in labels for line in health.damage(conn, label.job)]
            resting = [
                f"{status.name} is {status.state}"
                for label in labels
                for status in vectorization.status(conn, label.job)
                if status.state != "active"
            ]
        added = _added(had)
        more = {label.label: label.present - label.written - added.get(label.label, 0) for label in labels}
        outs: dict[str, Any] = {
            "labels": _counts(labels),
            "drift": {name: number for name, number in more.items() if number},
            "damage": damage + resting,
            "unfinished": bool(had.get("unfinished")),
        }
        if normal(_as_declared(found, wanted.graph)) != normal(wanted.graph):
            outs["graph"] = found
        return outs

    def remove(self, had: Mapping[str, Any], wanted: WantedGraph) -> None:  # noqa: ARG002
        """Remove its jobs and triggers; the graph itself stays unless the stack says otherwise."""
        with session(wanted.connection, lock="catalog") as conn:
            graph.remove(conn, wanted.name, keep=not wanted.remove_on_delete, say=progress)


class Graph(Resource, module="postgresql", name="Graph"):
    """A graph of the extension age: a schema with tables for each label, triggers on the sources, rights of readers."""

    labels: pulumi.Output[dict[str, Any]]

    def __init__(self, name: str, args: GraphArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        props = args.props(labels=None, added=None, unfinished=None, drift=None, damage=None)
        super().__init__(GraphProvider(), name, props, opts)


def _counts(labels: list[graph.LabelStatus]) -> dict[str, int]:
    return {label.label: label.present for label in labels}


def _added(had: Mapping[str, Any]) -> dict[str, int]:
    """Return how many rows that somebody else added the last run left in each label."""
    return {label: int(number) for label, number in (had.get("added") or {}).items()}


def _as_declared(stored: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Return the stored graph, in which what the stack left open, or spells otherwise, is as the stack has it."""
    found = dict(stored)
    for kind in ("vertices", "edges"):
        found[kind] = {}
        for label, values in stored[kind].items():
            asked = wanted[kind].get(label, {})
            same = dict(values)
            if not asked.get("key"):
                same["key"] = asked.get("key", [])
            if same["table"].replace('"', "").lower() == str(asked.get("table", "")).replace('"', "").lower():
                same["table"] = asked["table"]
            found[kind][label] = same
    return found
