"""`status`: what the state says is there, and what the database says of its jobs right now."""

from __future__ import annotations

import json
import sys
from collections import Counter
from dataclasses import asdict, is_dataclass
from typing import TYPE_CHECKING, Any

from tools import session
from tools import target as targets
from tools.commands.summary import jobs_table, what_differs
from tools.failure import Failure
from tools.pulumi import open_stack

if TYPE_CHECKING:
    from tools.pulumi import Pulumi

REACH_SECONDS = 30  # a connection is tried for 15 s before its reason is given
NAMES = {"cost_usd": "costUsd", "rows_per_second": "rowsPerSecond", "eta_seconds": "etaSeconds"}
OTHER_NAMES = {"index_state": "indexState", "last_error": "lastError"}


def status(stack: str, target: str, *, as_json: bool) -> None:
    """Show the stack."""
    found = gather(open_stack(stack, target))
    if as_json:
        json.dump(found, sys.stdout, indent=2)
        print()
    else:
        show(found)


def gather(pulumi: Pulumi) -> dict[str, Any]:
    """Gather what is known of the stack; jobs as recorded by the last `up` where the database cannot be asked."""
    resources, outputs = pulumi.resources(), pulumi.outputs()
    found: dict[str, Any] = {
        "stack": pulumi.name,
        "resources": len(resources),
        "kinds": dict(Counter(str(resource["type"]).rpartition(":")[2] for resource in resources).most_common()),
        "server": outputs.get("serverFqdn"),
        "backend": targets.what_runs(outputs.get("serverFqdn")) if pulumi.local else {},
        "database": outputs.get("database"),
        "extensions": outputs.get("extensions") or {},
        "unavailable": outputs.get("unavailable") or {},
        "jobs": outputs.get("jobs") or {},
        "live": False,
        "note": "",
    }
    if not outputs.get("connection"):
        found["note"] = f"not up; bring it up: make up STACK={pulumi.name}"
        return found
    try:
        found["jobs"] = session.within(REACH_SECONDS, lambda: live_jobs(pulumi, outputs))
        found["live"] = True
    except Failure as failure:
        found["note"] = f"jobs as of the last `up`, because {failure.what}"
    return found


def live_jobs(pulumi: Pulumi, outputs: dict[str, Any]) -> dict[str, Any]:
    """Ask the database for its jobs.

    Raises:
        Failure: it cannot be asked.
    """
    from database import vectorization
    from database.errors import DatabaseError

    try:
        with session.connect(pulumi, outputs) as connection:
            return {job.name: _plain(job) for job in vectorization.status(connection)}
    except DatabaseError as error:
        raise Failure(str(error)) from None


def _plain(job: Any) -> dict[str, Any]:
    values = asdict(job) if is_dataclass(job) and not isinstance(job, type) else dict(job)
    names = {**NAMES, **OTHER_NAMES}
    return {names.get(key, key): value for key, value in values.items() if key != "name"}


def show(found: dict[str, Any]) -> None:
    """Print the page."""
    from tools import display

    console = display.console()
    kinds = ", ".join(f"{count} {kind}" for kind, count in found["kinds"].items())
    console.print(f"[bold]{found['stack']}[/bold]: {found['resources']} resources ({kinds or 'none'})", soft_wrap=True)
    if found["server"]:
        console.print(f"database    {found['database']} on {found['server']}", soft_wrap=True)
        if line := what_differs(found["backend"]):
            console.print(f"backend     {line}", soft_wrap=True)
        versions = ", ".join(f"{name} {version}" for name, version in found["extensions"].items())
        console.print(f"extensions  {versions or 'none'}", soft_wrap=True)
    if found["jobs"]:
        console.print(jobs_table(found["jobs"], console.width))
    for name, job in found["jobs"].items():
        for key in ("reason", "lastError"):
            if job.get(key):
                console.print(f"{name}: {job[key]}", soft_wrap=True, markup=False)
                break
    for line in waiting(found["jobs"]):
        console.print(line, soft_wrap=True, markup=False)
    if found["note"]:
        console.print(found["note"], soft_wrap=True, markup=False)


def waiting(jobs: dict[str, Any]) -> list[str]:
    """Return a line for each job whose rows wait and on which nobody works."""
    return [
        f"{name}: {int(job['pending']):,} waiting, and nobody works on it. Between two `up` a worker embeds what "
        f"changes: `workers` in the config, or `python -m database.worker` (docs/workers.md)."
        for name, job in jobs.items()
        if job.get("state") == "active"
        and job.get("pending")
        and not job.get("leased")
        and not float(job.get("rowsPerSecond") or 0)
    ]
