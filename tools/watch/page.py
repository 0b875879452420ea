"""The page of `status --watch`, and the same in plain lines."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from textwrap import shorten
from typing import TYPE_CHECKING, Any

from rich.cells import cell_len
from rich.console import Group
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from database.up_to_date import up_to_date

if TYPE_CHECKING:
    from rich.console import RenderableType

    from tools.watch.reading import Snapshot

STALE = timedelta(seconds=5)
ERRORS_FOR = timedelta(hours=1)  # an older error is history; `make failures` has what is still in quarantine
ERROR_CHARACTERS = 240
STYLES = {"paused": "yellow", "stopped": "bold red"}


def page(stack: str, snapshot: Snapshot | None, trouble: str = "", now: datetime | None = None) -> RenderableType:
    """Lay out a snapshot.

    Args:
        stack: the stack's name.
        snapshot: the jobs, or None before they were read for the first time.
        trouble: why the snapshot is not a new one.
        now: the present time, which times are told from and in whose time zone; the clock's when left out.
    """
    now = now or datetime.now().astimezone()
    parts: list[RenderableType] = [_heading(stack, snapshot, now)]
    if snapshot is None:
        parts.append(Text("connecting to the database ..."))
    elif not snapshot.installed:
        parts.append(Text(f"This database has no vectorization engine yet. Bring it up: make up STACK={stack}"))
    elif not snapshot.jobs:
        parts.append(Text("There is no job. Jobs are declared under `postgres-genai:jobs` in the stack's config."))
    else:
        parts += [*_jobs(snapshot.jobs), *_quota(snapshot.quota, now), *_errors(snapshot.jobs, now)]
    if trouble:
        parts.append(Text(trouble, style="bold red"))
    return Group(*parts)


def line(job: dict[str, Any]) -> str:
    """Say how far a job is in one line without colours."""
    state = "" if job["state"] == "active" else f"{job['state']}, "
    return f"{job['name']}: {state}{count(job)} ({percent(job)} %), {', '.join(facts(job))}"


def facts(job: dict[str, Any]) -> list[str]:
    """Return what there is to say about a job besides its share that is done; nothing that is 0."""
    found = []
    if job["pending"] or job["leased"]:
        catching_up = "catching up, " if done(job) < job["embedded"] + job["empty"] else ""
        found += [*_speed([job]), _left(job), f"{catching_up}{job['pending']:,} pending"]
        if job["leased"]:
            found.append(f"{job['leased']:,} leased")
    elif not job.get("next_generation"):
        found.append("nothing left to do")
    if job["empty"]:
        found.append(f"{job['empty']:,} without text")
    if job["quarantined"]:
        found.append(f"{job['quarantined']:,} in quarantine")
    if job.get("next_generation"):
        filled = int(job.get("next_embedded") or 0)
        found.append(f"generation {job['next_generation']} is being filled: {filled:,} of {job['rows']:,}")
    if job["index_state"] != "none":
        found.append(f"index {job['index_state']}")
    if job["cost_usd"] is not None:
        found.append(f"{job['tokens']:,} tokens, {float(job['cost_usd']):.4f} USD")
    else:
        found.append(f"{job['requests']:,} requests, at a price that is not known here")
    return found


def percent(job: dict[str, Any]) -> int:
    """Return the share of a job's rows that is done, rounded down, so that 100 means all."""
    return int(100 * done(job) / job["rows"]) if job["rows"] else 0 if job["pending"] or job["leased"] else 100


def _heading(stack: str, snapshot: Snapshot | None, now: datetime) -> Text:
    # Each part ends with its blanks: where a picture of the page begins one with them, viewers leave them out.
    text = Text(f"{stack} ", style="bold")
    if snapshot is not None:
        late = now - snapshot.at
        shown = snapshot.at.astimezone(now.tzinfo).strftime("%H:%M:%S")
        ago = f", {span(late.total_seconds())} ago" if late > STALE else ""
        text.append(f"at {shown}", style="dim").append(ago, style="bold red").append("   ")
    text.append("q ends this page, and nothing else", style="dim")
    return text


def _jobs(jobs: list[dict[str, Any]]) -> list[RenderableType]:
    """Show a bar a job, and under it what there is to say in the page's whole width."""
    wide = max(cell_len(job["name"]) for job in jobs)
    parts: list[RenderableType] = []
    for job in jobs:
        bar = Table.grid(padding=(0, 2), expand=True)
        bar.add_column(width=wide)
        bar.add_column(ratio=1)
        bar.add_column(width=5, justify="right")
        bar.add_column(width=max(len(count(job)) for job in jobs), justify="right")
        progress = ProgressBar(total=max(1, job["rows"]), completed=done(job) if job["rows"] else percent(job) / 100)
        bar.add_row(Text(job["name"], style="bold"), progress, f"{percent(job)} %", count(job))
        parts += [Text(""), bar, Padding(_said(job), (0, 0, 0, wide + 2))]
    working = [job for job in jobs if job["pending"] or job["leased"]]
    if len(working) > 1 and (speed := _speed(working)):
        parts += [Text(""), Padding(Text(f"all together: {' · '.join(speed)}"), (0, 0, 0, wide + 2))]
    return parts


def _said(job: dict[str, Any]) -> Text:
    said = Text(" · ".join(facts(job)))
    if job["state"] == "active":
        return said
    reason = f": {job['reason']}" if job.get("reason") else ""
    return Text.assemble((f"{job['state']}{reason}", STYLES.get(job["state"], "")), " · ", said)


def _quota(quota: list[dict[str, Any]], now: datetime) -> list[RenderableType]:
    if not quota:
        return []
    table = Table.grid(padding=(0, 2))
    for row in quota:
        kinds = [kind for kind in ("tokens", "requests") if row[f"{kind}_per_minute"]]  # Language counts no tokens
        used = ", ".join(
            f"{_share(row[f'{kind}_last_minute'], row[f'{kind}_per_minute'])} of {row[f'{kind}_per_minute']:,} {kind}"
            for kind in kinds
        )
        used += " in the last minute"
        rate = float(row["rate"] if row["rate"] is not None else 1)
        slowed = f", slowed to {100 * rate:.0f} % after refusals" if rate < 0.995 else ""
        wait = row["not_before"]
        waiting = f", waits {span((wait - now).total_seconds())}" if wait and wait > now else ""
        table.add_row(Text(f"quota of {row['deployment']}", style="bold"), Text(used + slowed + waiting))
    return [Text(""), table]


def _errors(jobs: list[dict[str, Any]], now: datetime) -> list[RenderableType]:
    """Show the last error of each job, once where several have the same but for its numbers."""
    recent = [job for job in jobs if job["last_error"] and now - job["last_error_at"] < ERRORS_FOR]
    recent.sort(key=lambda job: job["last_error_at"], reverse=True)
    alike: dict[str, list[dict[str, Any]]] = {}
    for job in recent:
        alike.setdefault(re.sub(r"\d+( seconds?)?", "n", str(job["last_error"])), []).append(job)
    lines: list[RenderableType] = [Text("")] if recent else []
    for found in alike.values():
        ago = span((now - found[0]["last_error_at"]).total_seconds())
        names = ", ".join(job["name"] for job in found)
        said = shorten(" ".join(str(found[0]["last_error"]).split()), ERROR_CHARACTERS, placeholder=" ...")
        lines.append(Text.assemble((f"last error of {names}, {ago} ago: ", "yellow"), said))
    return lines


def _speed(jobs: list[dict[str, Any]]) -> list[str]:
    rows, tokens = (sum(float(job[key]) for job in jobs) for key in ("rows_per_second", "tokens_per_second"))
    return [f"{rows:,.0f} rows/s", f"{tokens:,.0f} tokens/s"] if rows or tokens else []


def done(job: dict[str, Any]) -> int:
    """Return how many of a job's rows are done: their present text is embedded, or they have none."""
    filling = bool(job.get("next_generation"))
    return up_to_date(job["embedded"] + job["empty"], job["rows"], job["pending"] + job["leased"], filling=filling)


def count(job: dict[str, Any]) -> str:
    """Say how many of a job's rows are done."""
    return f"{done(job):,} of {job['rows']:,} rows"


def _left(job: dict[str, Any]) -> str:
    if job["state"] != "active":
        return "waits for `make resume`"
    eta = job["eta_seconds"]
    return "nothing written in the last minute" if eta is None else f"about {span(eta)} left"


def _share(part: float, whole: float) -> str:
    return f"{100 * float(part) / whole:.0f} %"


def span(seconds: float) -> str:
    """Write a span of time with one unit, or two where the first is small."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
