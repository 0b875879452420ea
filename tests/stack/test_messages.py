"""What a person reads when something outside the config is wrong: what happened, where, what to do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.stack.conftest import StackAtWork, Workplace


@pytest.fixture(scope="module")
def odd(place: Workplace, small: dict[str, Any]) -> Iterator[StackAtWork]:
    stack = place.stack("odd")
    stack.write(**{**small, "namePrefix": "odd"})
    yield stack
    stack.run("destroy")


def test_a_firewall_without_the_caller_says_so_and_up_goes_on_once_it_is_mended(odd: StackAtWork) -> None:
    before = odd.file.read_bytes()

    def change(values: dict[str, Any]) -> None:
        values["firewall"] = {"rules": {"office": {"start": "203.0.113.7"}}}

    odd.edit(change)
    printed = odd.run("up", code=None)
    assert "postgres-genai:firewall" in printed
    assert "Traceback" not in printed
    odd.file.write_bytes(before)
    assert odd.up()["changed"]
    odd.run("up", "--expect-no-changes")


def test_a_firewall_rule_that_somebody_deleted_is_told_and_put_back(odd: StackAtWork) -> None:
    odd.up()
    odd.arm("DELETE", "/firewallRules/this-machine")
    printed = odd.run("status", code=1)
    assert "the server's firewall does not let this address in" in printed
    assert "trying again" not in printed
    refreshed = odd.run("refresh", code=None)
    assert "Not as declared any more: " in refreshed
    assert "this-machine (gone)" in refreshed
    assert "to put it back: make up STACK=odd" in refreshed
    odd.up()
    assert odd.status()["live"]


def test_a_job_on_a_table_that_is_not_there_says_so_before_anything_is_made(odd: StackAtWork) -> None:
    def change(values: dict[str, Any]) -> None:
        values["jobs"] = {
            "all": {"table": "public.all", "template": "{body}", "deployment": "embedding"},
        }

    odd.up()
    before = odd.file.read_bytes()
    odd.edit(change)
    state = odd.state()
    try:
        previewed, refused = odd.run("preview"), odd.run("up", code=1)
        assert odd.state() == state
        with odd.connect() as connection:
            connection.execute("CREATE TABLE public.all (id bigint PRIMARY KEY, body text)")
        assert odd.up()["changed"] == {"create": 1}
    finally:
        odd.file.write_bytes(before)
    assert "warning: jobs.all.table: the database had no table public.all" in previewed
    assert "postgres-genai:jobs.all.table: there is no table public.all" in previewed
    assert "postgres-genai:jobs.all.table: there is no table public.all" in refused
    assert "nothing was changed" in refused
    assert "Traceback" not in previewed + refused


def test_a_stopped_server_says_so_and_starts_again(odd: StackAtWork) -> None:
    odd.arm("POST", "/stop")
    try:
        status = odd.status(code=1)
        assert not status["live"]
        assert "stopped" in status["note"], status["note"]
    finally:
        odd.arm("POST", "/start")
    assert "(1 row)" in odd.run("psql", "--", "-c", "SELECT 1")
