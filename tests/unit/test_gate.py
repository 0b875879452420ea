"""The gate before `up`: what it asks, what it passes on, what it says when it is shut."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.commands import up
from tools.engine.find import Engine
from tools.events import Events, PolicyFinding
from tools.failure import INTERRUPTED, Failure
from tools.gate import Preview
from tools.pulumi import Pulumi


@pytest.mark.parametrize("said", ["--yes", "-y", "--skip-preview", "-f"])
def test_whoever_said_yes_is_not_asked(said: str) -> None:
    up.ask(["--diff", said])
    assert up.without_consent(["--diff", said]) == ["--diff"]


def test_where_nobody_can_answer_nothing_is_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
    with pytest.raises(Failure, match="Nobody is here to say yes"):
        up.ask(["--diff"])


@pytest.mark.parametrize("answer", [True, False])
def test_a_person_is_asked_and_a_no_changes_nothing(answer: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("typer.confirm", lambda *_: answer)
    if answer:
        up.ask([])
    else:
        with pytest.raises(Failure, match="Nothing was changed"):
            up.ask([])


def test_a_denial_names_its_rules_once_and_a_failure_is_none() -> None:
    denials = [PolicyFinding("pg-tls12", True, name, "...") for name in ("server", "replica")]
    warning = PolicyFinding("tags", False, "group", "...")
    shut = Preview("prod", 1, Events(policies=[*denials, warning]), "", [])
    assert str(up.stopped(shut)).startswith("The policies of prod deny this, so nothing was changed: pg-tls12.")
    assert shut.sentence() == "policies at the levels of prod: denied 2 (2 pg-tls12), warned 1 (tags), dangers 0"
    failed = Preview("prod", 1, Events(), "", [])
    assert "The preview failed, so nothing was changed." in str(up.stopped(failed))
    assert failed.sentence() == "policies at the levels of prod: not reached"


def test_whoever_is_not_logged_in_to_a_backend_is_told_how_to() -> None:
    said = "error: PULUMI_ACCESS_TOKEN must be set for login during non-interactive CLI sessions"
    assert "`pulumi login`" in str(up.stopped(Preview("prod", 255, Events(), said, [])))


def test_an_interrupt_is_no_mistake_of_anybody() -> None:
    told = up.stopped(Preview("dev", INTERRUPTED, Events(), "", []))
    assert (told.code, str(told)) == (130, "Interrupted while it looked at what would change; nothing was changed.")
    stack = Pulumi(Engine(Path("pulumi"), "none"), "dev", {})
    told = up.ended(stack, INTERRUPTED)
    assert str(told).endswith("To go on from there: make up STACK=dev TARGET=azure")
    assert "Mend" not in str(told)
    assert "Mend what it names above" in str(up.ended(stack, 255))


def test_the_engines_policy_events_are_read() -> None:
    events = Events()
    event = {
        "policyName": "tags",
        "enforcementLevel": "mandatory",
        "resourceUrn": "urn:pulumi:s::p::t::group",
        "message": "no",
    }
    events.take({"timestamp": 1, "policyEvent": event})
    assert events.policies == [PolicyFinding("tags", True, "group", "no")]
