"""The local stack on PostgreSQL of Debian: real extensions, a graph, and vectorization by pg_cron."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from emulator.postgres.installation import Installations
from tests.emulator.gateway_site import wait_until
from tests.stack.conftest import StackAtWork, workplace


@pytest.fixture(scope="module")
def stack(debian: type[Installations]) -> Iterator[StackAtWork]:
    """The stack of `BACKEND=debian make up`; the tests run in the order of the file."""
    with workplace("debian") as place:
        yield place.stack("debian")


def test_up_brings_the_three_extensions_with_their_versions(stack: StackAtWork) -> None:
    facts = stack.place.data("up")  # without --stack: the backend has one of its own
    assert facts["stack"] == "debian"
    versions = facts["extensions"]
    assert versions["age"] == "1.5.0"
    assert versions["vector"].startswith("0.8.")
    assert versions["azure_ai"] == "1.3.1"
    assert facts["unavailable"] == {}
    assert facts["backend"]["asked"] == "16"
    assert facts["backend"]["version"].startswith("17.")
    for job in stack.status()["jobs"].values():
        assert job["embedded"] + job["empty"] + job["quarantined"] == job["rows"]
    with stack.connect() as connection:
        preloaded = connection.execute("SHOW shared_preload_libraries").fetchone()
    assert preloaded == ("age, pg_cron, pg_stat_statements",)
    asked = stack.arm("GET", "/configurations/shared_preload_libraries")["properties"]
    assert asked["value"] == "age,pg_cron,pg_stat_statements"
    assert asked["isConfigPendingRestart"] is False


def test_a_second_up_changes_nothing_and_says_what_runs(stack: StackAtWork) -> None:
    printed = stack.run("up", "--expect-no-changes")
    assert "backend     debian: PostgreSQL 16 was asked for, 17." in printed
    assert "backend     debian:" in stack.run("status")
    stack.run("refresh", "--expect-no-changes")


def test_a_graph_answers_a_fresh_session(stack: StackAtWork) -> None:
    with stack.connect() as connection:
        connection.execute("SELECT ag_catalog.create_graph('trade')")
    with stack.connect() as connection:
        created = connection.execute(
            "SELECT * FROM ag_catalog.cypher('trade', $$ CREATE (v:Vendor {name: 'Acme'}) RETURN v.name $$) "
            "AS (name ag_catalog.agtype)"
        ).fetchall()
        assert created == [('"Acme"',)]
        connection.execute("SELECT ag_catalog.drop_graph('trade', true)")


def test_pg_cron_embeds_what_changes(stack: StackAtWork) -> None:
    with stack.connect() as connection:
        connection.execute("UPDATE public.line_items SET description = 'An anvil, forged twice' WHERE id = 1")
        pending = "SELECT sum(pending + leased) FROM vectorize.status"

        def value(statement: str) -> int:
            row = connection.execute(statement.encode()).fetchone()
            assert row is not None
            return int(row[0])

        assert value("SELECT count(*) FROM cron.job WHERE command LIKE 'CALL vectorize.work(%'") == 2
        wait_until(lambda: value(pending) == 0)
        maintained = (
            "SELECT count(*) FROM cron.job_run_details WHERE status = 'succeeded' AND command LIKE '%next_maintenance%'"
        )
        wait_until(lambda: value(maintained) > 0, 60)
    best = stack.place.data("search", "anvil forged twice", "--stack", "debian", "--job", "line-items", "-k", "1")
    assert best[0]["content"] == "An anvil, forged twice"


def test_another_backend_is_refused_while_this_one_is_there(stack: StackAtWork) -> None:
    refused = stack.place.run("start", "--backend", "embedded", module="emulator", code=1)
    assert "has the backend debian" in refused


def test_destroy_leaves_nothing(stack: StackAtWork) -> None:
    assert "Retained: nothing." in stack.run("destroy")
    assert not stack.status()["resources"]
