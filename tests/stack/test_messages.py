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


def test_a_job_on_a_table_that_is_not_there_says_so(odd: StackAtWork) -> None:
    def change(values: dict[str, Any]) -> None:
        values["jobs"] = {
            "all": {"table": "public.all", "template": "{body}", "deployment": "embedding"},
        }

    odd.up()
    before = odd.file.read_bytes()
    odd.edit(change)
    printed = odd.run("up", code=None)
    odd.file.write_bytes(before)
    assert "public.all" in printed
    assert "Traceback" not in printed


def test_a_stopped_server_says_so_and_starts_again(odd: StackAtWork) -> None:
    odd.arm("POST", "/stop")
    try:
        status = odd.status()
        assert not status["live"]
        assert "stopped" in status["note"], status["note"]
    finally:
        odd.arm("POST", "/start")
    assert "(1 row)" in odd.run("psql", "--", "-c", "SELECT 1")
