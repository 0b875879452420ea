"""What is read from the engine's log of events: what is there at the end, what a refresh found, an interrupt."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from tools import pulumi
from tools.commands.up import drift
from tools.engine.find import Engine
from tools.events import Events
from tools.failure import INTERRUPTED
from tools.pulumi import Pulumi

PREFIX = "urn:pulumi:local::postgres-genai::"
STACK = Pulumi(Engine(Path("pulumi"), "none"), "dev", {})


def step(op: str, name: str, kind: str = "azure-native:x:Y", **more: Any) -> dict[str, Any]:
    """What the log says of one resource."""
    state = {"custom": ":" in kind and not kind.startswith("pgai:"), "type": kind, "inputs": {}, "outputs": {}}
    return {"op": op, "urn": f"{PREFIX}{kind}::{name}", "type": kind, "new": state, "old": state, **more}


def events(*steps: dict[str, Any]) -> Events:
    """A log in which so many resources were begun."""
    found = Events()
    for data in steps:
        found.take({"timestamp": 1, "resourcePreEvent": {"metadata": data}})
    return found


def test_what_is_there_at_the_end_is_counted_once_and_components_apart() -> None:
    found = events(
        step("same", "group"),
        step("create-replacement", "server"),
        step("replace", "server"),
        step("delete-replaced", "server"),
        step("delete", "gone"),
        step("same", "database", kind="pgai:database:VectorDatabase"),
        step("same", "default", kind="pulumi:providers:azure-native"),
    )
    assert found.standing == (2, 1)


def test_a_refresh_names_what_is_gone_changed_or_damaged_and_no_figures_of_the_day() -> None:
    was, now = {"inputs": {"end": "1"}, "outputs": {}}, {"inputs": {"end": "9"}, "outputs": {}}
    figures = {"inputs": {"end": "1"}, "outputs": {"asOf": "today"}}
    broken = {"inputs": {"end": "1"}, "outputs": {"damage": ["a trigger is gone"]}}
    found = events(*(step("refresh", name) for name in ("rule", "parameter", "job", "statistics", "kept")))
    for op, name, new in (
        ("delete", "rule", None),
        ("update", "parameter", now),
        ("update", "job", broken),
        ("update", "statistics", figures),
        ("same", "kept", was),
    ):
        found.take({"timestamp": 2, "resOutputsEvent": {"metadata": step(op, name, old=was, new=new)}})
    assert found.drifted == {"rule": "gone", "parameter": "changed", "job": "damaged"}
    told, way_out = drift(STACK, 0, found)
    assert told == "Not as declared any more: job (damaged), parameter (changed), rule (gone)."
    assert way_out.endswith("to put it back: make up STACK=dev TARGET=azure")


def test_a_refresh_without_a_difference_says_so_and_one_that_failed_does_not() -> None:
    assert drift(STACK, 0, Events()) == ["All that was declared is there as it was declared."]
    assert drift(STACK, 255, Events()) == []
    assert "Interrupted" in drift(STACK, INTERRUPTED, Events())[0]


@pytest.mark.parametrize(("status", "code"), [(1, INTERRUPTED), (0, 0)])
def test_an_interrupt_of_the_terminal_is_known_from_a_failure(status: int, code: int) -> None:
    program = f"import os, signal; os.kill(os.getppid(), signal.SIGINT); raise SystemExit({status})"
    assert pulumi._run([sys.executable, "-c", program], dict(os.environ)) == code
    assert pulumi._run([sys.executable, "-c", "raise SystemExit(3)"], dict(os.environ)) == 3
