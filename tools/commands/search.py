"""`search`: the nearest rows in meaning, over all jobs or one."""

from __future__ import annotations

import json
import re
import sys
from typing import TYPE_CHECKING, Any

from tools import session
from tools.failure import Failure
from tools.pulumi import open_stack

if TYPE_CHECKING:
    import psycopg

TEXT_WIDTH = 300


def search(
    stack: str, target: str, query: str, job: str, limit: int, conditions: list[str], *, exact: bool, as_json: bool
) -> None:
    """Search and print, nearest first.

    Raises:
        Failure: nothing to search, a condition that is none, or the database refuses.
    """
    if not query.strip():
        raise Failure("There is nothing to look for.", 'Say it like this: make search Q="late delivery penalty"')
    filters = _filter(conditions)
    pulumi = open_stack(stack, target)
    outputs = pulumi.outputs()
    jobs: dict[str, dict[str, Any]] = outputs.get("jobs") or {}
    if job and job not in jobs:
        raise Failure(f"The stack {stack} has no job {job!r}.", f"It has: {', '.join(sorted(jobs)) or 'none'}.")
    if not jobs:
        raise Failure(f"The stack {stack} has no job, so nothing to search.", f"Bring it up: make up STACK={stack}")
    with session.connect(pulumi, outputs) as connection:
        rows = [
            row
            for name in ([job] if job else sorted(jobs))
            for row in _ask(connection, name, query, limit, filters, exact=exact)
        ]
    rows.sort(key=lambda row: row["distance"])
    if as_json:
        json.dump(rows[:limit], sys.stdout, indent=2, ensure_ascii=False)
        print()
    else:
        _show(rows[:limit], {name: str(facts.get("table", "")) for name, facts in jobs.items()})


def _filter(conditions: list[str]) -> dict[str, dict[str, str]]:
    """Return conditions such as `year>=2020` as the filter of `vectorize.search`."""
    filters: dict[str, dict[str, str]] = {}
    for condition in conditions:
        parts = re.fullmatch(r"([^<>=]+)(<=|>=|<>|<|>|=)(.*)", condition, re.DOTALL)
        if parts is None:
            raise Failure(
                f"The filter {condition!r} compares nothing.",
                "Say it like this: --filter status=late --filter 'year>=2020'",
            )
        column, comparison, value = parts.groups()
        if comparison in filters.setdefault(column.strip(), {}):
            raise Failure(f"The filter compares {column.strip()} by {comparison} twice.")
        filters[column.strip()][comparison] = value.strip()
    return filters


def _ask(
    connection: psycopg.Connection[Any], job: str, query: str, limit: int, filters: dict[str, Any], *, exact: bool
) -> list[dict[str, Any]]:
    import psycopg as driver
    from psycopg.types.json import Jsonb

    try:
        found = connection.execute(
            "SELECT key, distance, content FROM vectorize.search(%s, %s, %s, %s, %s)",
            [job, query, limit, Jsonb(filters), exact],
        ).fetchall()
    except driver.Error as error:
        said = error.diag.message_primary or type(error).__name__
        raise Failure(f"The search in {job} failed: {said}", _way_out(said) or error.diag.message_hint or "") from None
    return [{"job": job, "key": key, "distance": float(distance), "content": text} for key, distance, text in found]


def _way_out(said: str) -> str:
    """Say what to do about a refusal of the service that embeds the query."""
    if any(f"create_embeddings: {status}" in said for status in (401, 403, 404)):
        return "The account, its deployment or the key is not what `make up` made: make refresh, then make up."
    return ""


def _show(rows: list[dict[str, Any]], tables: dict[str, str]) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from tools.display import console

    if not rows:
        print("Nothing found: no row has a vector yet. See: make status")
        return
    table = Table(box=box.SIMPLE, pad_edge=False)
    table.add_column("distance", justify="right", no_wrap=True)
    table.add_column("table", no_wrap=True)
    table.add_column("key", no_wrap=True)
    table.add_column("text", overflow="fold")
    for row in rows:
        key = row["key"]
        shown = ", ".join(str(value) for value in key.values()) if isinstance(key, dict) else str(key)
        text = " ".join(str(row["content"] or "").split())
        short = text if len(text) <= TEXT_WIDTH else text[: TEXT_WIDTH - 1] + "…"
        table.add_row(f"{row['distance']:.4f}", tables.get(row["job"], ""), shown, Text(short))
    console().print(table)
