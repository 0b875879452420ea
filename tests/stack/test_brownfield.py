"""A table that was there before: adopted, with its rows untouched and its vectors kept."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.stack.conftest import StackAtWork, Workplace

TABLE = """
CREATE TABLE public.tickets (
    id bigint PRIMARY KEY, subject text NOT NULL, body text, touched timestamptz DEFAULT now(), mine vector(3));
INSERT INTO public.tickets (id, subject, body, mine)
SELECT n, 'Ticket ' || n,
       CASE WHEN n % 50 = 0 THEN NULL ELSE 'The printer on floor ' || n % 9 || ' is out of paper' END,
       ARRAY[n, n + 1, n + 2]::vector
FROM generate_series(1, 400) AS n;
CREATE FUNCTION public.touch() RETURNS trigger LANGUAGE plpgsql
    AS $$ BEGIN NEW.touched := now(); RETURN NEW; END $$;
CREATE TRIGGER touch BEFORE UPDATE ON public.tickets FOR EACH ROW EXECUTE FUNCTION public.touch();
"""
ROWS = "SELECT id, subject, body, touched, mine::text, xmin::text, ctid::text FROM public.tickets ORDER BY id"


@pytest.fixture(scope="module")
def brown(place: Workplace, small: dict[str, Any]) -> Iterator[StackAtWork]:
    stack = place.stack("brown")
    stack.write(**{**small, "namePrefix": "brown"})
    stack.up()
    with stack.connect() as connection:
        connection.execute(TABLE.encode())
    yield stack
    stack.run("destroy")


def test_a_table_with_rows_and_vectors_is_adopted_untouched(brown: StackAtWork) -> None:
    with brown.connect() as connection:
        before = connection.execute(ROWS).fetchall()

    def change(values: dict[str, Any]) -> None:
        values["vectorColumns"] = {"mine": {"table": "public.tickets", "column": "mine", "dimensions": 3}}
        values["jobs"] = {
            "tickets": {
                "table": "public.tickets", "template": "{subject}: {body}", "deployment": "embedding",
                "target": {"kind": "table"},
            }
        }  # fmt: skip

    brown.edit(change)
    brown.up()
    job = brown.status()["jobs"]["tickets"]
    assert job["embedded"] == 400
    with brown.connect() as connection:
        assert connection.execute(ROWS).fetchall() == before
    brown.run("up", "--expect-no-changes")
    brown.run("refresh", "--expect-no-changes")


def test_a_column_of_another_size_is_refused_and_kept(brown: StackAtWork) -> None:
    def change(values: dict[str, Any]) -> None:
        values["vectorColumns"]["mine"]["dimensions"] = 5

    before = brown.file.read_bytes()
    brown.edit(change)
    printed = brown.run("up", code=None)
    brown.file.write_bytes(before)
    assert "public.tickets" in printed
    assert "Traceback" not in printed
    with brown.connect() as connection:
        assert connection.execute("SELECT count(mine) FROM public.tickets").fetchone() == (400,)


def test_vectors_outlive_their_job(brown: StackAtWork) -> None:
    def change(values: dict[str, Any]) -> None:
        values["jobs"] = {}

    with brown.connect() as connection:
        before = connection.execute(ROWS).fetchall()
    brown.edit(change)
    brown.up()
    with brown.connect() as connection:
        assert connection.execute(ROWS).fetchall() == before
