"""The preflight of a stack that is not there yet, and of the same once it is."""

from __future__ import annotations

from typing import Any

import pytest

from tests.stack.conftest import StackAtWork, Workplace


@pytest.fixture(scope="module")
def stack(place: Workplace, small: dict[str, Any]) -> StackAtWork:
    """A small stack that nobody has brought up."""
    stack = place.stack("beforehand")
    stack.write(**small)
    return stack


def found(stack: StackAtWork, check: str) -> list[str]:
    data = stack.place.data("preflight", "--stack", stack.name)
    assert data["status"] == "ok", data
    return [entry["found"] for entry in data["checks"] if entry["check"] == check]


def test_before_and_after_the_first_up(stack: StackAtWork) -> None:
    group, names = found(stack, "names")
    assert "rg-local-beforehand is free" in group
    assert "a suffix that the first `up` draws" in names
    assert "preflight of beforehand in eastus2" in stack.run("preview")
    stack.up()
    assert all("is the stack's" in text for text in found(stack, "names"))
    assert "preflight of beforehand in eastus2" in stack.run("preview")
    page = stack.run("preflight")
    assert "deployer in emulator" in page
    assert "read: GET /subscriptions/" in page


def test_the_exit_status_tells_a_problem_from_what_could_not_be_asked(stack: StackAtWork) -> None:
    def too_much(values: dict[str, Any]) -> None:
        values["deployments"]["embedding"] |= {"sku": "Standard", "capacity": 400}

    stack.edit(too_much)
    refused = stack.run("preflight", code=1)
    assert "400 asked; 350 of 350 free" in refused
    assert "Lower the capacity to 350" in refused
    assert "problem: OpenAI.Standard.text-embedding-3-small" in stack.run("preview")
    assert "There is no Pulumi.nowhere.yaml" in stack.place.run("preflight", "--stack", "nowhere", code=2)
    stack.run("destroy")
