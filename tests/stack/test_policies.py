"""The policy pack under the real engine: what it denies is not begun, and an exemption is said and ends."""

from __future__ import annotations

from collections.abc import Iterator
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
    assert "policies at the levels of dev: denied 0, warned " in printed
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


@pytest.fixture(scope="module")
def standing(place: Workplace, small: dict[str, Any]) -> Iterator[StackAtWork]:
    """A small stack of dev that is there, to be changed."""
    stack = place.stack("standing")
    stack.write(**{**small, "namePrefix": "stand", "protect": True, "server": {**small["server"], "storageGb": 64}})
    stack.up()
    yield stack
    stack.edit(lambda values: values.update(protect=False))
    stack.up()
    stack.run("destroy")


@pytest.fixture
def changed(standing: StackAtWork) -> Iterator[StackAtWork]:
    """The same with a config that may be changed; it is put back."""
    before = standing.file.read_bytes()
    yield standing
    standing.file.write_bytes(before)


def test_dangerous_changes_are_said_before_the_diff_and_denied_in_prod(changed: StackAtWork) -> None:
    def change(values: dict[str, Any]) -> None:
        values["tags"]["environment"] = "prod"
        values["server"] |= {"version": "15", "geoRedundantBackup": True}
        values["server"]["sku"]["name"] = "Standard_B1ms"
        values["deployments"]["embedding"]["model"] = "text-embedding-3-large"

    changed.edit(change)
    printed = changed.run("preview", "--diff", code=None)
    warned, diff = printed.split("Previewing update", 1)
    assert "denied: server version: 16 -> 15 [change-version-lower]" in warned
    assert "denied: server backup.geoRedundantBackup: Disabled -> Enabled [change-geo-backup]" in warned
    assert "Standard_B2s (2 cores, 4 GiB) -> Standard_B1ms (1 cores, 2 GiB) [change-server-smaller]" in warned
    assert "text-embedding-3-small -> text-embedding-3-large [change-model]" in warned
    assert "It restarts" in warned
    assert "[change-" not in diff.partition("policies at")[0]
    before = changed.state()
    refused = changed.run("up", code=1)
    assert "The policies of prod deny this, so nothing was changed:" in refused
    assert "change-version-lower" in refused.rpartition("The policies of prod")[2]
    assert changed.state() == before


def test_dev_is_warned_of_what_azure_would_refuse(changed: StackAtWork) -> None:
    changed.edit(lambda values: values["server"].update(storageGb=32))
    printed = changed.run("preview")
    assert "warning: server storage.storageSizeGB: 64 -> 32 [change-storage-smaller]" in printed
    assert "Azure refuses it, and the update ends there" in printed


def test_another_location_deletes_everything_and_is_said_though_it_is_protected(changed: StackAtWork) -> None:
    changed.edit(lambda values: values.update(location="westus3"))
    printed = changed.run("preview", code=None)
    assert "group is deleted and made anew [change-resource-group-gone]" in printed
    assert "Everything in it is deleted" in printed
    assert "currently marked for protection" in printed


def test_another_name_of_the_database_is_another_database(changed: StackAtWork) -> None:
    changed.edit(lambda values: values["database"].update(name="elsewhere"))
    printed = changed.run("preview", code=None)
    assert "server-database is deleted and made anew, for databaseName [change-database-gone]" in printed


def test_the_engine_runs_the_pack_without_the_tools_at_prods_levels(stack: StackAtWork) -> None:
    stack.run("preview")
    printed = stack.place.run(
        "pulumi", "--stack", "ruled", "--", "preview", "--non-interactive", "--policy-pack", "policy", code=None
    )
    assert "[mandatory]  pg-public-access-off" in printed
