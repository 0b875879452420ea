"""`status`: what the state says is there, and what the database says of its jobs right now."""

from __future__ import annotations

import json
import sys
from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from tools import session
from tools import target as targets
from tools.camel import camel
from tools.commands.summary import counted, jobs_table, what_differs
from tools.events import is_component, is_real
from tools.failure import Failure
from tools.pulumi import open_stack

if TYPE_CHECKING:
    from database.vectorization import JobStatus
    from tools.pulumi import Pulumi

REACH_SECONDS = 30  # a connection is tried for 15 s before its reason is given


def status(stack: str, target: str, *, as_json: bool) -> int:
    """Show the stack.

    Returns:
        0; 1 where the stack is up and its database could not be asked, so that the jobs are those of the last `up`.
    """
    found = gather(open_stack(stack, target))
    if as_json:
        json.dump(found, sys.stdout, indent=2)
        print()
    else:
        show(found)
    return int(found["server"] is not None and not found["live"])


def gather(pulumi: Pulumi) -> dict[str, Any]:
    """Gather what is known of the stack; jobs as recorded by the last `up` where the database cannot be asked."""
    recorded, outputs = pulumi.recorded(), pulumi.outputs()
    resources = [item for item in recorded if is_real(item)]
    found: dict[str, Any] = {
        "stack": pulumi.name,
        "resources": len(resources),
        "components": sum(is_component(item) for item in recorded),
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
        found["note"] = f"not up; bring it up: {pulumi.make('up')}"
        return found
    try:
        found["jobs"] = session.within(REACH_SECONDS, lambda: live_jobs(pulumi, outputs))
        found["live"] = True
    except Failure as failure:
        found["note"] = f"jobs as of the last `up` or `refresh`: {failure.what}"
    return found


def live_jobs(pulumi: Pulumi, outputs: dict[str, Any]) -> dict[str, Any]:
    """Ask the database for its jobs.

    Raises:
        Failure: it cannot be asked.
    """
    from database import vectorization
    from database.errors import DatabaseError

    try:
        with session.connect(pulumi, outputs, patient=False) as connection:
            return {job.name: facts(job) for job in vectorization.status(connection)}
    except DatabaseError as error:
        raise Failure(str(error)) from None


def facts(job: JobStatus) -> dict[str, Any]:
    """Return what is known of a job by the names of JSON, without its own name."""
    found: dict[str, Any] = camel({key: value for key, value in asdict(job).items() if key != "name"})
    return found


def show(found: dict[str, Any]) -> None:
    """Print the page."""
    from tools import display

    console = display.console()
    kinds = ", ".join(f"{count} {kind}" for kind, count in found["kinds"].items())
    console.print(f"[bold]{found['stack']}[/bold]: {counted(found)} ({kinds or 'none'})", soft_wrap=True)
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
