"""The tables of new jobs: which have to be there before `up` begins, and what it says of those that are not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from database.migrations import tables_of
from tools import session, sources
from tools.engine.find import Engine
from tools.events import Events
from tools.failure import Failure
from tools.pulumi import Pulumi

STACK = Pulumi(Engine(Path("pulumi"), "none"), "dev", {})


def preview(*steps: tuple[str, str, str, dict[str, Any]]) -> Events:
    """What a preview reports: operation, kind, name and inputs of each resource."""
    found = Events()
    for op, kind, name, inputs in steps:
        token = f"pulumi-python:dynamic/postgresql:{kind}"
        new = {"custom": True, "type": token, "inputs": inputs}
        data = {"op": op, "urn": f"urn:pulumi:dev::p::{token}::{name}", "type": token, "new": new}
        found.take({"timestamp": 1, "resourcePreEvent": {"metadata": data}})
    return found


def job(op: str, name: str, table: str) -> tuple[str, str, str, dict[str, Any]]:
    return op, "VectorizationJob", f"database-job-{name}", {"job": {"name": name, "table": table}}


COLUMN = ("create", "VectorSchema", "database-column-own", {"table": "public.vendors"})


def test_what_is_new_needs_its_table_unless_the_same_up_makes_it() -> None:
    found = preview(job("create", "a", "public.letters"), job("same", "b", "public.other"), COLUMN)
    assert sources.tables(found) == {"jobs.a.table": "public.letters", "vectorColumns.own.table": "public.vendors"}
    sample = ("create", "SqlMigration", "database-sql-sample", {"folder": "sample"})
    assert sources.tables(preview(job("create", "a", "public.Line_Items"), COLUMN, sample)) == {}
    assert sources.tables(preview(job("create", "a", "public.letters"), sample)) == {"jobs.a.table": "public.letters"}


def test_the_sample_s_tables_are_read_from_its_files() -> None:
    assert {"public.line_items", "public.statement_chunks", "public.validation_results"} <= tables_of("sample")
    assert "public.line_item" not in tables_of("sample")


def test_a_table_that_is_not_there_is_refused_with_its_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "_absent", lambda _, names: names - {"public.there"})
    found = preview(job("create", "a", "public.there"), job("create", "b", "public.al"))
    with pytest.raises(Failure) as caught:
        sources.refuse_missing(STACK, found)
    told = str(caught.value)
    assert "nothing was changed" in told
    assert "postgres-genai:jobs.b.table: there is no table public.al" in told
    assert "jobs.a.table" not in told
    assert "Pulumi.dev.yaml; then: make up STACK=dev TARGET=azure" in told


def test_where_the_database_does_not_answer_it_is_left_to_the_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*_: object, **__: object) -> None:
        raise Failure("no")

    monkeypatch.setattr(session, "connect", unreachable)
    monkeypatch.setattr(Pulumi, "outputs", lambda _: {})
    sources.refuse_missing(STACK, preview(job("create", "a", "public.al")))
