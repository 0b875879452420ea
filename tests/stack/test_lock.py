"""A locked and protected server: who may delete it, and what, and when."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.stack.conftest import StackAtWork, Workplace


@pytest.fixture(scope="module")
def locked(place: Workplace, small: dict[str, Any]) -> Iterator[StackAtWork]:
    stack = place.stack("locked")
    ai = {**small["ai"], "language": {"enabled": False}}
    monitoring = {"enabled": True, "alerts": False, "workbook": False}
    more = {"firewall": {"rules": {**small["firewall"]["rules"], "office": {"start": "203.0.113.1"}}}}
    stack.write(**{**small, **more, "namePrefix": "lock", "ai": ai, "monitoring": monitoring, "lock": True})
    stack.up()
    yield stack
    stack.run("destroy")  # the lock goes before what it covers, or this fails
    assert not stack.status()["resources"]


def test_it_stays_as_it_is(locked: StackAtWork) -> None:
    locked.run("up", "--expect-no-changes")
    locked.run("refresh", "--expect-no-changes")


@pytest.mark.parametrize("inside", ["", "/firewallRules/office", "/databases/contracts"])
def test_nobody_deletes_the_server_or_what_is_inside_it(locked: StackAtWork, inside: str) -> None:
    with pytest.raises(requests.HTTPError) as refused:
        locked.arm("DELETE", inside)
    assert refused.value.response.status_code == 409
    assert refused.value.response.json()["error"]["code"] == "ScopeLocked"
    locked.run("refresh", "--expect-no-changes")


def test_the_lock_lets_changes_through_and_refuses_to_take_away(locked: StackAtWork) -> None:
    locked.edit(lambda values: values["server"].update(backupRetentionDays=14))
    assert locked.up()["changed"] == {"update": 1}
    office = locked.values()["firewall"]["rules"]["office"]
    locked.edit(lambda values: values["firewall"]["rules"].pop("office"))
    assert "ScopeLocked" in locked.run("up", code=None)
    locked.edit(lambda values: values["firewall"]["rules"].update(office=office))
    locked.edit(lambda values: values.update(lock=False))
    assert locked.up()["changed"] == {"delete": 1}
    locked.edit(lambda values: values["firewall"]["rules"].pop("office"))
    assert locked.up()["changed"] == {"delete": 1}
    locked.edit(lambda values: values.update(lock=True))
    assert locked.up()["changed"] == {"create": 1}


def test_what_is_protected_is_destroyed_only_once_it_is_not(locked: StackAtWork) -> None:
    locked.edit(lambda values: values.update(protect=True))
    locked.up()
    before = locked.status()["resources"]
    assert "server, server-database" in locked.run("destroy", code=1)
    assert locked.status()["resources"] == before
    locked.edit(lambda values: values.update(protect=False))
    locked.up()
