"""A graph over the sample: loaded by up, asked by a reader, mended by up when a refresh found damage, taken away."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from emulator.postgres.installation import Installations
from tests.stack.conftest import StackAtWork, workplace

READER = ("graph-reader", "00000000-0000-4000-8000-00000000a9e1")
TWO_HOPS = (
    "SELECT count(*) FROM ag_catalog.cypher('contracts', "
    "$$ MATCH (v:Vendor)-[:SIGNED]->(:Statement)-[:BILLED]->(i:Invoice) RETURN v.name, i.number $$) "
    "AS (vendor ag_catalog.agtype, invoice ag_catalog.agtype)"
)
SIGNED = 'SELECT count(*) FROM contracts."SIGNED"'


@pytest.fixture(scope="module")
def stack(debian: type[Installations]) -> Iterator[StackAtWork]:
    """The stack `debian` without its jobs, and with nothing retained; the tests run in the order of the file."""
    with workplace("debian") as place:
        stack = place.stack("debian")

        def change(values: dict[str, Any]) -> None:
            values.update(jobs={}, workers={}, retainData=False)
            values["extensions"] = ["age", "vector", "azure_ai"]

        stack.edit(change)
        stack.up()
        yield stack
        stack.run("destroy")


def count(stack: StackAtWork, statement: str, **who: str) -> int:
    with stack.connect(**who) as connection:
        row = connection.execute(statement.encode()).fetchone()
    assert row is not None
    return int(row[0])


def test_up_loads_the_graph_and_a_second_up_changes_nothing(stack: StackAtWork) -> None:
    assert count(stack, SIGNED) == count(stack, "SELECT count(*) FROM public.statements_of_work")
    assert stack.outputs()["graphs"]["contracts"]["SIGNED"] == count(stack, SIGNED)
    stack.run("up", "--expect-no-changes")
    stack.run("refresh", "--expect-no-changes")


def test_a_reader_asks_from_a_fresh_session(stack: StackAtWork) -> None:
    with stack.connect(dbname="postgres") as connection:
        connection.execute(
            "SELECT pg_catalog.pgaadauth_create_principal_with_oid(%s, %s, 'service', false, false)", READER
        )

    def change(values: dict[str, Any]) -> None:
        values["graphs"]["contracts"]["readers"] = [READER[0]]

    stack.edit(change)
    stack.up()
    who = {"user": READER[0], "password": stack.token(*READER)}
    assert count(stack, TWO_HOPS, **who) == count(stack, "SELECT count(*) FROM public.invoices")
    stack.run("up", "--expect-no-changes")


def test_an_edge_deleted_by_hand_is_found_by_refresh_and_mended_by_up(stack: StackAtWork) -> None:
    had = count(stack, SIGNED)
    with stack.connect() as connection:
        connection.execute('DELETE FROM contracts."SIGNED" WHERE ctid IN (SELECT ctid FROM contracts."SIGNED" LIMIT 2)')
    stack.run("refresh")
    assert "SIGNED" in stack.state().partition('"drift"')[2][:200]
    stack.run("up")
    assert count(stack, SIGNED) == had
    stack.run("up", "--expect-no-changes")


def test_an_edge_added_by_hand_is_named_and_stays_and_what_was_changed_beside_it_is_mended(stack: StackAtWork) -> None:
    had = count(stack, SIGNED)
    changed = """SELECT count(*) FROM contracts."Vendor" AS v WHERE concat(v.properties) LIKE '%by hand%'"""
    with stack.connect() as connection:
        connection.execute(
            'INSERT INTO contracts."SIGNED" (start_id, end_id) SELECT start_id, end_id FROM contracts."SIGNED" LIMIT 1'
        )
        connection.execute(
            """UPDATE contracts."Vendor" SET properties = '{"name": "by hand"}' """
            'WHERE ctid IN (SELECT ctid FROM contracts."Vendor" LIMIT 1)'
        )
    assert count(stack, changed) == 1
    stack.run("refresh")
    assert "vectorize.added_to_graph" in stack.run("up")
    assert count(stack, SIGNED) == had + 1
    assert count(stack, changed) == 0
    stack.run("refresh", "--expect-no-changes")
    stack.run("up", "--expect-no-changes")


def test_taking_it_out_of_the_stack_drops_the_graph_and_no_row(stack: StackAtWork) -> None:
    vendors = count(stack, "SELECT count(*) FROM public.vendors")
    with stack.connect() as connection:
        connection.execute("SELECT ag_catalog.create_graph('of_somebody_else')")

    def change(values: dict[str, Any]) -> None:
        values["graphs"] = {}

    stack.edit(change)
    stack.up()
    assert count(stack, "SELECT count(*) FROM pg_namespace WHERE nspname = 'contracts'") == 0
    assert count(stack, "SELECT count(*) FROM ag_catalog.ag_graph") == 1
    assert count(stack, "SELECT count(*) FROM vectorize.job") == 0
    assert count(stack, "SELECT count(*) FROM public.vendors") == vendors
