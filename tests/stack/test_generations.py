"""A change of model in YAML: previewed with its price, filled beside the old vectors, switched, and taken back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.stack.conftest import StackAtWork, Workplace

TABLE = """
CREATE TABLE public.notes (id bigint PRIMARY KEY, body text NOT NULL);
INSERT INTO public.notes
SELECT n, 'Note ' || n || ' about the invoice of vendor ' || n % 17 FROM generate_series(1, 300) AS n;
"""
JOB = {"table": "public.notes", "template": "{body}", "deployment": "embedding", "index": {"kind": "hnsw"}}


@pytest.fixture(scope="module")
def notes(place: Workplace, small: dict[str, Any]) -> Iterator[StackAtWork]:
    stack = place.stack("notes")
    stack.write(**{**small, "namePrefix": "notes"})
    stack.up()
    with stack.connect() as connection:
        connection.execute(TABLE.encode())
    declare(stack)
    stack.run("refresh")
    yield stack
    stack.run("destroy")


def declare(stack: StackAtWork, **more: Any) -> None:
    """Declare the job and bring it up."""
    stack.edit(lambda values: values.update(jobs={"notes": {**JOB, **more}}))
    stack.up()


def generations(stack: StackAtWork) -> list[tuple[Any, ...]]:
    with stack.connect() as connection:
        return connection.execute(
            b"SELECT generation, standing, dimensions, embedded, index_state FROM vectorize.generations ORDER BY 1"
        ).fetchall()


def tokens(stack: StackAtWork) -> int:
    return int(stack.status()["jobs"]["notes"]["tokens"])


def test_another_size_is_previewed_filled_and_taken_back(notes: StackAtWork) -> None:
    assert generations(notes) == [(1, "current", 1536, 300, "ready")]
    notes.edit(lambda values: values["jobs"]["notes"].update(dimensions=256))
    printed = notes.run("preview")
    assert "job.dimensions changed, so every row is embedded into a new generation: 300 rows, about " in printed
    assert "USD, under a minute under the quota" in printed
    notes.up()
    assert generations(notes) == [(1, "previous", 1536, 300, "ready"), (2, "current", 256, 300, "ready")]
    notes.run("up", "--expect-no-changes")
    notes.run("refresh", "--expect-no-changes")
    paid = tokens(notes)
    declare(notes)
    assert [row[:2] for row in generations(notes)] == [(1, "current"), (2, "previous")]
    assert tokens(notes) == paid, "nothing changed meanwhile, so going back costs nothing"


def test_chunks_are_declared_and_found(notes: StackAtWork) -> None:
    declare(notes, chunking={"maxTokens": 16})
    with notes.connect() as connection:
        found = connection.execute(b"SELECT key, chunk FROM vectorize.search('notes', 'vendor 3', 3)").fetchall()
    assert len(found) == 3
    assert all(chunk >= 1 for _, chunk in found)
    notes.run("up", "--expect-no-changes")
