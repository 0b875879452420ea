"""`search`: the best rows by meaning, by words or by both, over all jobs or one."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tools import session
from tools.failure import Failure
from tools.pulumi import open_stack

if TYPE_CHECKING:
    import psycopg

TEXT_WIDTH = 300
SHORT_WIDTH = 90
"""Of a text that stands beside others."""

WAYS = ("vector", "text", "hybrid")
_WEIGHTS = {"vector": (1, 0), "text": (0, 1), "hybrid": (1, 1)}


@dataclass(frozen=True)
class Wanted:
    """What is looked for, in which job's rows (all jobs where it is empty), how many, and among which."""

    query: str
    job: str
    limit: int
    filters: dict[str, dict[str, str]]
    exact: bool


def search(stack: str, target: str, wanted: Wanted, ways: Sequence[str], *, as_json: bool) -> None:
    """Search and print, best first; several ways side by side.

    Raises:
        Failure: nothing to search, or the database refuses.
    """
    if not wanted.query.strip():
        raise Failure("There is nothing to look for.", 'Say it like this: make search Q="late delivery penalty"')
    pulumi = open_stack(stack, target)
    outputs = pulumi.outputs()
    jobs: dict[str, dict[str, Any]] = outputs.get("jobs") or {}
    if wanted.job and wanted.job not in jobs:
        raise Failure(f"The stack {stack} has no job {wanted.job!r}.", f"It has: {', '.join(sorted(jobs)) or 'none'}.")
    if not jobs:
        raise Failure(f"The stack {stack} has no job, so nothing to search.", f"Bring it up: make up STACK={stack}")
    names = [wanted.job] if wanted.job else sorted(jobs)
    with session.connect(pulumi, outputs) as connection:
        found = {way: _best([row for name in names for row in _ask(connection, name, wanted, way)], wanted.limit, way)
                 for way in ways}  # fmt: skip
    tables = {name: str(facts.get("table", "")) for name, facts in jobs.items()}
    if as_json:
        json.dump(found if len(ways) > 1 else found[ways[0]], sys.stdout, indent=2, ensure_ascii=False)
        print()
    elif len(ways) > 1:
        _show_beside(found, tables)
    else:
        _show(found[ways[0]], tables, ways[0])


def as_filter(conditions: list[str]) -> dict[str, dict[str, str]]:
    """Return conditions such as `year>=2020` as the filter of `vectorize.search`.

    Raises:
        Failure: a condition that is none.
    """
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


def _ask(connection: psycopg.Connection[Any], job: str, wanted: Wanted, way: str) -> list[dict[str, Any]]:
    import psycopg as driver
    from psycopg.types.json import Jsonb

    try:
        found = connection.execute(
            "SELECT key, score, distance, text_score, text_rank, content, snippet FROM vectorize.hybrid_search("
            "%s, %s, %s, %s, vector_weight => %s, text_weight => %s, exact => %s, snippets => %s)",
            [job, wanted.query, wanted.limit, Jsonb(wanted.filters), *_WEIGHTS[way], wanted.exact, way != "vector"],
        ).fetchall()
    except driver.Error as error:
        said = error.diag.message_primary or type(error).__name__
        raise Failure(f"The search in {job} failed: {said}", _way_out(said) or error.diag.message_hint or "") from None
    names = ("key", "score", "distance", "textScore", "textRank", "content", "snippet")
    rows = [{"job": job, **dict(zip(names, row, strict=True))} for row in found]
    unused = {"score"} if way != "hybrid" else set()  # of one half it says no more than the rank
    return [{name: value for name, value in row.items() if value is not None and name not in unused} for row in rows]


def _best(rows: list[dict[str, Any]], limit: int, way: str) -> list[dict[str, Any]]:
    """Return the best rows over all jobs."""
    order: dict[str, Callable[[dict[str, Any]], Any]] = {
        "vector": lambda row: row["distance"],
        "text": lambda row: (row["textRank"], -row["textScore"]),
        "hybrid": lambda row: -row["score"],
    }
    return sorted(rows, key=order[way])[:limit]


def _way_out(said: str) -> str:
    """Say what to do about a refusal of the service that embeds the query."""
    if any(f"create_embeddings: {status}" in said for status in (401, 403, 404)):
        return "The account, its deployment or the key is not what `make up` made: make refresh, then make up."
    return ""


def _key(row: dict[str, Any]) -> str:
    key = row["key"]
    return ", ".join(str(value) for value in key.values()) if isinstance(key, dict) else str(key)


def _text(row: dict[str, Any], name: str, width: int) -> str:
    text = " ".join(str(row.get(name) or row.get("content") or "").split())
    return text if len(text) <= width else text[: width - 1] + "…"


def _figure(row: dict[str, Any], way: str) -> str:
    return f"{row[{'vector': 'distance', 'text': 'textScore', 'hybrid': 'score'}[way]]:.4f}"


def _show(rows: list[dict[str, Any]], tables: dict[str, str], way: str) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from tools.display import console

    if not rows:
        print("Nothing found: no row has a vector yet. See: make status")
        return
    table = Table(box=box.SIMPLE, pad_edge=False)
    table.add_column("distance" if way == "vector" else "score", justify="right", no_wrap=True)
    table.add_column("table", no_wrap=True)
    table.add_column("key", no_wrap=True)
    table.add_column("text", overflow="fold")
    for row in rows:
        text = _text(row, "content" if way == "vector" else "snippet", TEXT_WIDTH)
        table.add_row(_figure(row, way), tables.get(row["job"], ""), _key(row), Text(text))
    console().print(table)


def _show_beside(found: dict[str, list[dict[str, Any]]], tables: dict[str, str]) -> None:
    """Print one column for each way; what a figure means stands at its head."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from tools.display import console

    heads = {"vector": "vector (distance)", "text": "text (score)", "hybrid": "hybrid (score)"}
    table = Table(box=box.SIMPLE, pad_edge=False)
    table.add_column("", justify="right", no_wrap=True)
    for way in found:
        table.add_column(heads[way], overflow="fold", ratio=1)
    for place in range(max(map(len, found.values()), default=0)):
        cells = []
        for way, rows in found.items():
            cell = Text()
            if place < len(rows):
                row = rows[place]
                cell.append(f"{tables.get(row['job'], '')} {_key(row)}  {_figure(row, way)}\n", style="bold")
                cell.append(_text(row, "content" if way == "vector" else "snippet", SHORT_WIDTH))
            cells.append(cell)
        table.add_row(str(place + 1), *cells)
    console().print(table)
