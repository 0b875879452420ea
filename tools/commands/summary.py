"""The page at the end of `up`: what is there now, what it cost, what to try next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from database.up_to_date import up_to_date
from tools import target as targets
from tools.events import CHANGING

if TYPE_CHECKING:
    from rich.table import Table

    from tools.events import Events
    from tools.pulumi import Pulumi
    from tools.steps import Steps

SLOWEST = 3
# What the engine did, in words; of the three steps of a replacement one counts.
DONE = {"create": "created", "update": "updated", "delete": "deleted", "replace": "replaced"}
WIDE = 110


def facts(pulumi: Pulumi, events: Events) -> dict[str, Any]:
    """Gather what the summary says, as data."""
    outputs = pulumi.outputs()
    backend = targets.what_runs(outputs.get("serverFqdn")) if pulumi.local else {}
    changed = {operation: count for operation, count in events.counts.items() if operation in CHANGING}
    resources, components = events.standing
    return {
        "stack": pulumi.name,
        "resources": resources,
        "components": components,
        "changed": changed,
        "server": outputs.get("serverFqdn"),
        "backend": backend,
        "database": outputs.get("database"),
        "extensions": outputs.get("extensions") or {},
        "unavailable": outputs.get("unavailable") or {},
        "jobs": outputs.get("jobs") or {},
    }


def show(pulumi: Pulumi, facts: dict[str, Any], events: Events, steps: Steps) -> None:
    """Print the page."""
    from tools import display

    console = display.console()
    changed = ", ".join(f"{count} {DONE[name]}" for name, count in facts["changed"].items() if name in DONE)
    changed = changed or "nothing changed"
    console.print(f"\n[bold]{facts['stack']}[/bold]: {counted(facts)} ({changed})", soft_wrap=True)
    if facts["server"]:
        console.print(f"database    {facts['database']} on {facts['server']}", soft_wrap=True)
    if line := what_differs(facts["backend"]):
        console.print(f"backend     {line}", soft_wrap=True)
    versions = ", ".join(f"{name} {version}" for name, version in facts["extensions"].items())
    console.print(f"extensions  {versions or 'none'}", soft_wrap=True)
    for name, reason in facts["unavailable"].items():
        console.print(f"            without {name}: {reason}", soft_wrap=True, markup=False)
    if facts["jobs"]:
        console.print(jobs_table(facts["jobs"], console.width))
    slow = slowest(events)
    console.print(f"took        {steps.line()}{f' (slowest: {slow})' if slow else ''}", soft_wrap=True)
    search = pulumi.make('search Q="late delivery penalty"')
    console.print(f"try         {search} · {pulumi.make('status')} · {pulumi.make('psql')}", soft_wrap=True)


def counted(facts: dict[str, Any]) -> str:
    """Say how many resources there are; the engine counts the components too, which group them."""
    components = f" in {facts['components']} components" if facts["components"] else ""
    return f"{facts['resources']} resources{components}"


def what_differs(backend: dict[str, str]) -> str:
    """Say which PostgreSQL runs in place of the one that was asked for; nothing where it is that one."""
    if not backend or backend["version"].split(".")[0] == backend["asked"]:
        return ""
    return (
        f"{backend['name']}: PostgreSQL {backend['asked']} was asked for, {backend['version']} runs; what differs from "
        "the service: docs/emulator.md"
    )


def slowest(events: Events) -> str:
    """Name the resources that took longest, where any took a second."""
    done = [
        change for change in events.changes.values() if change.real and change.operation in CHANGING and change.seconds
    ]
    done.sort(key=lambda change: change.seconds, reverse=True)
    return ", ".join(f"{change.name} {change.seconds} s" for change in done[:SLOWEST])


def jobs_table(jobs: dict[str, dict[str, Any]], width: int) -> Table:
    """Lay out the jobs, each with what is done and what it cost.

    Done are rows whose present text is embedded and those without one, as in the lines of progress and in `--watch`.

    Args:
        jobs: what is known of each: from the database, or as the last `up` or `refresh` recorded it.
        width: columns that there are; a narrow terminal gets no column of source tables.
    """
    from rich import box
    from rich.table import Table

    counts = {"empty": "empty", "pending": "pending", "failed": "quarantined", "tokens": "tokens"}
    jobs = {name: {"pending": job.get("remaining"), **job} for name, job in jobs.items()}
    counts = {heading: key for heading, key in counts.items() if any(job.get(key) is not None for job in jobs.values())}
    wide = width >= WIDE
    table = Table(box=box.SIMPLE, pad_edge=False, collapse_padding=not wide)
    for heading in ("job", *(["table"] if wide else []), "state"):
        table.add_column(heading, overflow="fold")
    for heading in ("done", *counts, "USD"):
        table.add_column(heading, justify="right", no_wrap=True)
    for name, job in sorted(jobs.items()):
        cost = job.get("costUsd")
        table.add_row(
            name,
            *([str(job.get("table") or "")] if wide else []),
            str(job.get("state") or "not known"),
            f"{number(done(job))} of {number(job.get('rows'))}",
            *(number(job.get(key)) for key in counts.values()),
            "" if cost is None else f"{float(cost):.4f}",
        )
    return table


def done(job: dict[str, Any]) -> object:
    """Return how many rows of a job need no more work: their present text is embedded, or they have none to embed."""
    embedded, rows = job.get("embedded"), job.get("rows")
    if not isinstance(embedded, int | float) or not isinstance(rows, int | float):
        return embedded
    waiting = int(job.get("pending") or 0) + int(job.get("leased") or 0)
    has = int(embedded) + int(job.get("empty") or 0)
    return up_to_date(has, int(rows), waiting, filling=bool(job.get("nextGeneration")))


def number(value: object) -> str:
    """Write a whole number with separators; engine outputs are floats."""
    return f"{int(value):,}" if isinstance(value, int | float) else ""
