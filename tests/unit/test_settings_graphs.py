"""Settings of graphs: what they become, and the mistakes that are found before anything is made."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from components.mistakes import SettingsError
from components.settings import StackSettings
from database import graph

BASE: dict[str, Any] = {
    "location": "eastus2",
    "authentication": {"administrators": [{"name": "a", "objectId": "0" * 8 + "-0000-0000-0000-" + "0" * 12}]},
    "network": {"mode": "public"},
    "firewall": {"rules": {"office": {"start": "203.0.113.4"}}},
    "deployments": {"embedding": {"model": "text-embedding-3-small"}},
}
GRAPH: dict[str, Any] = {
    "vertices": {
        "Vendor": {"table": "public.vendors", "key": ["id"], "properties": ["name"], "filter": "name <> ''"},
        "Statement": {"table": "public.statements"},
    },
    "edges": {
        "SIGNED": {
            "table": "public.statements",
            "from": {"vertex": "Vendor", "key": ["vendor_id"]},
            "to": {"vertex": "Statement", "key": ["id"]},
        }
    },
    "readers": ["b", "a"],
}


def mistakes(graphs: dict[str, Any], **more: Any) -> dict[str, str]:
    with pytest.raises(SettingsError) as caught:
        StackSettings.parse(BASE | more | {"graphs": graphs}, stack="test")
    return {mistake.path: mistake.message for mistake in caught.value.mistakes}


def test_a_graph_becomes_a_job_for_each_label() -> None:
    wanted = StackSettings.parse(BASE | {"graphs": {"trade": GRAPH}}, stack="test").graphs["trade"].plain("trade")
    assert wanted["readers"] == ["a", "b"]
    vendor, statement, signed = graph.jobs(wanted)
    assert vendor == {
        "name": "trade.Vendor",
        "table": "public.vendors",
        "key": ["id"],
        "operation": "vertex",
        "arguments": {"graph": "trade", "label": "Vendor", "properties": ["name"], "filter": "name <> ''"},
    }
    assert statement["arguments"] == {"graph": "trade", "label": "Statement", "properties": []}
    assert signed["operation"] == "edge"
    assert signed["arguments"]["to"] == {"vertex": "Statement", "key": ["id"]}


@pytest.mark.parametrize(
    ("where", "value", "path", "says"),
    [
        (("vertices", "Vendor_key"), {"table": "public.a"}, "graphs.trade.vertices", "not ending in _key"),
        (("vertices", "Vendor", "filter"), " ", "graphs.trade.vertices.Vendor.filter", "is empty"),
        (("vertices", "Vendor", "table"), "pg_catalog.pg_class", "graphs.trade.vertices.Vendor.table", "the system"),
        (("edges", "SIGNED", "from"), None, "graphs.trade.edges.SIGNED.from", "missing"),
        (("edges", "SIGNED", "to", "vertex"), "Statment", "graphs.trade.edges.SIGNED.to.vertex", "not declared"),
        (("edges", "SIGNED", "from", "key"), ["a", "b"], "graphs.trade.edges.SIGNED.from.key", "names 2 columns"),
        (("vertices", "SIGNED"), {"table": "public.a"}, "graphs.trade.edges.SIGNED", "is the label of vertices too"),
    ],
)
def test_mistakes_are_named_by_their_path(where: tuple[str, ...], value: Any, path: str, says: str) -> None:
    wrong = deepcopy(GRAPH)
    place = wrong
    for name in where[:-1]:
        place = place[name]
    place[where[-1]] = value
    found = mistakes({"trade": wrong})
    assert any(one.startswith(path) and says in message for one, message in found.items()), found


def test_a_graph_needs_age_and_a_name_that_is_free() -> None:
    assert "needs the extension 'age'" in mistakes({"trade": GRAPH}, extensions=["vector", "azure_ai"])["graphs.trade"]
    assert "is taken" in mistakes({"vectorize": GRAPH})["graphs.vectorize"]
