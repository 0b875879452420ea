"""The policy pack under the real engine: what it denies is not begun, and an exemption is said and ends."""

from __future__ import annotations

from typing import Any

import pytest

from tests.stack.conftest import StackAtWork, Workplace


@pytest.fixture
def stack(place: Workplace, small: dict[str, Any]) -> StackAtWork:
    """A small stack that passes the rules of dev."""
    stack = place.stack("ruled")
    stack.write(**{**small, "namePrefix": "ruled"})
    place.exempt("ruled")
    return stack


def resources(stack: StackAtWork) -> list[str]:
    """Return the names of everything that the stack has made."""
    return [line for line in stack.engine("stack", "--show-urns").splitlines() if "azure-native" in line]


def test_what_prods_rules_deny_is_said_with_what_to_do_and_not_begun(stack: StackAtWork) -> None:
    stack.edit(lambda values: values["tags"].update(environment="prod"))
    printed = stack.run("up", code=1)
    assert "[mandatory]  pg-public-access-off" in printed
    assert "Give the stack a private network" in printed
    assert "The policies of prod deny this, so nothing was changed:" in printed
    assert "Traceback" not in printed
    assert resources(stack) == []


def test_dev_is_warned_and_goes_on(stack: StackAtWork) -> None:
    printed = stack.run("preview")
    assert "[advisory]  pg-public-access-off" in printed
    assert "policies of dev: none denied" in printed
    assert "pg-geo-backup" not in printed


def test_an_exemption_is_printed_while_it_lasts_and_denies_after_that(stack: StackAtWork, place: Workplace) -> None:
    stack.edit(lambda values: values["tags"].pop("owner"))
    assert "no owner on" in stack.run("preview", code=None)
    place.exempt("ruled", ("tags", "ruled"))
    printed = stack.run("preview")
    assert "tags until 2099-12-31: no owner on" in printed
    assert "What this test is about." in printed
    place.exempt("ruled", ("tags", "ruled"), until="2026-01-31")
    assert "its exemption ended on 2026-01-31" in stack.run("preview", code=None)


def test_a_mistake_in_the_exemptions_is_a_sentence(stack: StackAtWork, place: Workplace) -> None:
    place.exempt("ruled", ("pg-nothing", "server"))
    printed = stack.run("up", code=1)
    assert "ruled names the rule 'pg-nothing', which is not in the pack" in printed
    assert "Traceback" not in printed


def test_the_engine_runs_the_pack_without_the_tools_at_prods_levels(stack: StackAtWork) -> None:
    stack.run("preview")
    printed = stack.place.run(
        "pulumi", "--stack", "ruled", "--", "preview", "--non-interactive", "--policy-pack", "policy", code=None
    )
    assert "[mandatory]  pg-public-access-off" in printed
