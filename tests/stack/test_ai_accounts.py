"""AI accounts by the real engine: filters, upgrades, and an account that somebody deleted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.stack.conftest import StackAtWork, Workplace

VERSION = "2025-06-01"


def account(stack: StackAtWork, method: str, suffix: str = "") -> dict[str, Any]:
    return stack.arm(method, f"{stack.outputs()['openaiId']}{suffix}", version=VERSION)


@pytest.fixture(scope="module")
def filtered(place: Workplace, small: dict[str, Any]) -> Iterator[StackAtWork]:
    stack = place.stack("filtered")
    deployments = {
        "embedding": small["deployments"]["embedding"],
        "answers": {"model": "gpt-5.4", "contentFilter": "strict", "upgrade": "NoAutoUpgrade"},
    }
    ai = {**small["ai"], "contentFilters": {"strict": {"hate": "Low", "selfHarm": "Low"}}}
    stack.write(**{**small, "namePrefix": "filter", "deployments": deployments, "ai": ai})
    stack.up()
    yield stack
    stack.run("destroy")


def test_a_deployment_has_the_filter_of_the_stack(filtered: StackAtWork) -> None:
    answers = account(filtered, "GET", "/deployments/answers")["properties"]
    assert (answers["raiPolicyName"], answers["versionUpgradeOption"]) == ("strict", "NoAutoUpgrade")
    policy = account(filtered, "GET", "/raiPolicies/strict")["properties"]
    thresholds = {(one["name"], one.get("severityThreshold")) for one in policy["contentFilters"]}
    assert {("Hate", "Low"), ("Selfharm", "Low"), ("Sexual", "Medium"), ("Jailbreak", None)} <= thresholds
    filtered.run("up", "--expect-no-changes")
    filtered.run("refresh", "--expect-no-changes")


def test_another_filter_and_none_are_changes_in_place(filtered: StackAtWork) -> None:
    filtered.edit(lambda values: values["ai"]["contentFilters"]["strict"].update(violence="Low"))
    assert filtered.up()["changed"] == {"update": 1}

    def drop(values: dict[str, Any]) -> None:
        values["deployments"]["answers"].pop("contentFilter")
        values["ai"].pop("contentFilters")

    filtered.edit(drop)
    assert filtered.up()["changed"] == {"update": 1, "delete": 1}, "the deployment first, then what nobody uses"


def test_an_account_that_somebody_deleted_comes_back_when_the_config_says_so(filtered: StackAtWork) -> None:
    account(filtered, "DELETE")
    filtered.run("refresh")
    assert "FlagMustBeSetForRestore" in filtered.run("up", code=None)
    filtered.edit(lambda values: values["ai"].update(restore=["openai"]))
    filtered.up()
    with filtered.connect() as connection:
        row = connection.execute("SELECT azure_openai.create_embeddings('embedding', 'a text')").fetchone()
    assert row is not None
    assert len(row[0]) == 1536
    filtered.edit(lambda values: values["ai"].pop("restore"))
    filtered.up()
    filtered.run("up", "--expect-no-changes")
