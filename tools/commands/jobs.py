"""`estimate`, `failures`, `spend`, `pause`, `resume`, `retry`, `rollback`: what people ask of jobs, or tell them."""

from __future__ import annotations

import json
import math
import sys
from collections import defaultdict
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tools import session
from tools.commands.summary import number
from tools.failure import Failure
from tools.pulumi import open_stack

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import psycopg

ALL = "all"

# What each procedure has done; {again} is where the stack's name goes.
DONE = {
    "pause": "Job {job} is paused. Changes go on being noted; to go on: make resume JOB={job}{again}",
    "resume": "Job {job} is active. Workers go on where they run; `make up` works on it too, until all is done.",
    "rollback": "Job {job} is back at its previous generation; searches use that from now on.",
}


def estimate(stack: str, target: str, job: str, *, as_json: bool) -> None:
    """Print what the rest of each job will take; nothing is spent."""
    with connection(stack, target) as conn:
        rows = []
        for name in chosen(conn, job):
            found = conn.execute(
                "SELECT e.rows, e.tokens, e.requests, e.cost_usd::float8, e.minutes::float8, d.name, "
                "d.tokens_per_minute, d.requests_per_minute FROM vectorize.estimate(%s) AS e, "
                "vectorize.job_named(%s) AS j LEFT JOIN vectorize.deployment AS d ON d.name = j.deployment",
                [name, name],
            ).fetchone()
            rows.append((name, *(found or ())))
    sums = total(rows)
    jobs = [_estimated(row[:6]) for row in rows]
    if as_json:
        _print_json({"jobs": jobs, "total": {key: value for key, value in sums.items() if key != "job"}})
        return
    print("What is left to do. Tokens, cost and minutes are estimates; none of it is spent yet.")
    headings = ("job", "rows", "tokens", "requests", "USD", "minutes under the quota")
    shown = [*jobs, sums] if len(jobs) > 1 else jobs
    _table(headings, [_estimate_cells(found) for found in shown], with_sum=len(jobs) > 1)


def failures(stack: str, target: str, job: str, *, as_json: bool) -> None:
    """Print the rows in quarantine."""
    with connection(stack, target) as conn:
        names = chosen(conn, job)
        rows = conn.execute(
            "SELECT job, key, attempts, error, since FROM vectorize.failures WHERE job = ANY (%s) ORDER BY job, since",
            [names],
        ).fetchall()
    if as_json:
        names_of = ("job", "key", "attempts", "error", "since")
        _print_json([dict(zip(names_of, (*row[:4], row[4].isoformat()), strict=True)) for row in rows])
    elif rows:
        cells = [(row[0], _key(row[1]), str(row[2]), f"{row[4].astimezone():%Y-%m-%d %H:%M}", row[3]) for row in rows]
        _table(("job", "key", "attempts", "since", "error"), cells, right=(2,))
        print("Mend the rows (a changed text is tried by itself) or the cause, then: make retry JOB=<job>")
    else:
        print("No row is in quarantine.")


def spend(stack: str, target: str, job: str, *, as_json: bool) -> None:
    """Print what each job spent, by day; a job that was removed is among them under its name."""
    with connection(stack, target) as conn:
        rows = conn.execute(
            "SELECT job, day, requests, tokens, cost_usd::float8 FROM vectorize.spend "
            "WHERE %s IN ('', 'all', job) ORDER BY day, job",
            [job],
        ).fetchall()
    if as_json:
        names = ("job", "day", "requests", "tokens", "costUsd")
        _print_json([dict(zip(names, (row[0], row[1].isoformat(), *row[2:]), strict=True)) for row in rows])
        return
    if not rows:
        print(f"Nothing was spent{f' by a job {job}' if job and job != ALL else ''} yet.")
        return
    print("Requests as sent, tokens as estimated, US dollars at the deployment's price of that day; days in UTC.")
    cells = [(str(row[1]), row[0], number(row[2]), number(row[3]), _usd(row[4])) for row in rows]
    if len(rows) > 1:
        requests, tokens = (sum(row[column] for row in rows) for column in (2, 3))
        cells.append(("in sum", "", number(requests), number(tokens), _usd(_sum(row[4] for row in rows))))
    _table(("day", "job", "requests", "tokens", "USD"), cells, right=(2, 3, 4), with_sum=len(rows) > 1)


def tell(stack: str, target: str, procedure: str, job: str) -> None:
    """Call pause, resume, retry or rollback for a job, or for all.

    Raises:
        Failure: there is no such job, or the engine refuses.
    """
    with connection(stack, target) as conn:
        if not job:
            raise Failure(f"Which job is it that you want to {procedure}?", _jobs_hint(_names(conn), procedure))
        again = "" if stack == "local" else f" STACK={stack}"
        if procedure not in DONE:  # what it did depends on the rows, so the engine says it
            conn.add_notice_handler(lambda notice: print(f"{(notice.message_primary or '').replace('job', 'Job', 1)}."))
        for name in chosen(conn, job):
            conn.execute(f"CALL vectorize.{procedure}(%s)".encode(), [name])
            if procedure in DONE:
                print(DONE[procedure].format(job=name, again=again))


def chosen(conn: psycopg.Connection[Any], job: str) -> list[str]:
    """Return the jobs that a name means: itself, or all for "" and "all".

    Raises:
        Failure: there is no such job.
    """
    names = _names(conn)
    if job in ("", ALL):
        return names
    if job not in names:
        raise Failure(f"There is no job {job!r}.", _jobs_hint(names))
    return [job]


@contextmanager
def connection(stack: str, target: str) -> Iterator[psycopg.Connection[Any]]:
    """Connect to the stack's database; what it refuses in the block becomes a sentence.

    Raises:
        Failure: it cannot be reached, or refuses.
    """
    pulumi = open_stack(stack, target)
    with session.connect(pulumi, pulumi.outputs()) as conn, refusals(stack):
        yield conn


@contextmanager
def refusals(stack: str) -> Iterator[None]:
    """Turn what the database refuses in the block into a sentence.

    Raises:
        Failure: the database has no engine or an older one, or refuses.
    """
    import psycopg as driver

    from database.errors import said

    try:
        yield
    except (driver.errors.UndefinedTable, driver.errors.UndefinedFunction, driver.errors.InvalidSchemaName) as error:
        raise Failure(
            f"The vectorization engine in this database cannot do that: {error.diag.message_primary}.",
            f"Bring it to this version: make up STACK={stack}",
        ) from None
    except driver.Error as error:
        raise Failure(f"The database refused: {said(error)}") from None


def _names(conn: psycopg.Connection[Any]) -> list[str]:
    return [row[0] for row in conn.execute("SELECT name FROM vectorize.status ORDER BY name").fetchall()]


def _jobs_hint(names: Sequence[str], procedure: str = "") -> str:
    if not names:
        return "There is none yet: declare it under `postgres-genai:jobs`, then `make up`."
    more = f"; name one: make {procedure} JOB={names[0]}" if procedure else ""
    return f"The jobs are: {', '.join(names)}{more}."


def _estimated(row: Sequence[Any]) -> dict[str, Any]:
    job, rows, tokens, requests, cost, minutes = row
    return {"job": job, "rows": rows, "tokens": tokens, "requests": requests, "costUsd": cost, "minutes": minutes}


def total(rows: Sequence[Sequence[Any]]) -> dict[str, Any]:
    """Add estimates up: jobs of one deployment share its quota, and deployments work side by side.

    Args:
        rows: of each job its name, rows, tokens, requests, cost and minutes, and its deployment's name, tokens a minute
            and requests a minute.
    """
    by_deployment: dict[tuple[str, int | None, int], list[Sequence[Any]]] = defaultdict(list)
    for row in rows:
        by_deployment[row[6], row[7], row[8]].append(row)
    minutes = [
        max(sum(row[2] for row in found) / (tokens or math.inf), sum(row[3] for row in found) / requests)
        for (_, tokens, requests), found in by_deployment.items()
        if requests
    ]
    sums = [sum(row[column] for row in rows) for column in (1, 2, 3)]
    return _estimated(("in sum", *sums, _sum(row[4] for row in rows), round(max(minutes, default=0.0), 2)))


def _sum(costs: Iterable[float | None]) -> float | None:
    """Add up what is known; None where nothing is."""
    known = [cost for cost in costs if cost is not None]
    return round(sum(known), 6) if known else None


def _usd(cost: float | None) -> str:
    return "not known" if cost is None else f"{cost:.4f}"


def _estimate_cells(found: dict[str, Any]) -> tuple[str, ...]:
    minutes = "under 1" if 0 < found["minutes"] < 1 else f"{found['minutes']:,.0f}"
    numbers = (number(found[key]) for key in ("rows", "tokens", "requests"))
    return (found["job"], *numbers, _usd(found["costUsd"]), minutes)


def _key(key: object) -> str:
    return ", ".join(str(value) for value in key.values()) if isinstance(key, dict) else str(key)


def _table(
    headings: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    right: Sequence[int] | None = None,
    with_sum: bool = False,
) -> None:
    """Print a table.

    Args:
        headings: of the columns.
        rows: the cells.
        right: which columns hold numbers; all but the first when left out.
        with_sum: whether the last row is a sum.
    """
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from tools.display import console

    table = Table(box=box.SIMPLE, pad_edge=False)
    for column, heading in enumerate(headings):
        numbers = column in right if right is not None else column > 0
        last = column == len(headings) - 1
        table.add_column(heading, justify="right" if numbers else "left", no_wrap=not last, overflow="fold")
    for index, row in enumerate(rows):
        if with_sum and index == len(rows) - 1:
            table.add_section()
        table.add_row(*(Text(cell) for cell in row))
    console().print(table)


def _print_json(data: Any) -> None:
    json.dump(data, sys.stdout, indent=2, ensure_ascii=False)
    print()
