"""The page as HTML: what is read, put into templates that escape everything."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from tools.console import declared
from tools.console.database import ACTIONS
from tools.console.quota import HEIGHT, WIDTH, use
from tools.console.searching import searchable
from tools.watch.page import count, done, facts, percent, span

if TYPE_CHECKING:
    from tools.console.reading import Overview
    from tools.console.searching import Column, Hit

FOLDER = Path(__file__).parent
TEXT_CHARACTERS = 300  # of a row's text; of an error
REFRESH_SECONDS = 2  # with a script, which replaces what changed
RELOAD_SECONDS = 10  # without one, when the whole page is loaded again

# Letters that end a line, turn the direction of writing, or show nothing: a row's text has no business with the page's.
_INVISIBLE = dict.fromkeys(
    [*range(0x20), *range(0x7F, 0xA0), *range(0x200B, 0x2010), *range(0x2028, 0x202F), *range(0x2060, 0x2070), 0xFEFF],
    " ",
)


@dataclass(frozen=True)
class Asked:
    """What the person asked of the page.

    Attributes:
        query: what to search for; empty for no search.
        job: in which job's rows.
        updates: whether the page is to follow the jobs.
        columns: what was found.
        refused: why nothing could be looked for.
    """

    query: str = ""
    job: str = ""
    updates: bool = True
    columns: list[Column] = field(default_factory=list)
    refused: str = ""


@dataclass(frozen=True)
class Shown:
    """What the page is about.

    Attributes:
        stack: the stack's name.
        overview: the jobs, or None where they could not be read yet.
        trouble: why there is nothing newer; empty while all is well.
        form: the token of the forms; empty where the page may only look.
        said: what the last action did; may be empty.
        now: the present time, in the time zone to be shown.
    """

    stack: str
    overview: Overview | None
    trouble: str
    form: str
    said: str
    now: datetime


class Pages:
    """Makes the page, and the part of it that is replaced while it is looked at."""

    def __init__(self) -> None:
        self._environment = Environment(
            loader=FileSystemLoader(FOLDER / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters |= {"plain": plain, "key": key, "words": words, "number": lambda value: f"{value:,}"}
        # All of them now, so that the first page does not wait for them.
        found = {name: self._environment.get_template(name) for name in self._environment.list_templates()}
        self._page, self._live = found["page.html"], found["live.html"]
        self.style = (FOLDER / "style.css").read_text(encoding="utf-8")
        self.script = (FOLDER / "refresh.js").read_text(encoding="utf-8")

    def page(self, shown: Shown, asked: Asked) -> str:
        """Return the whole page."""
        return self._page.render(
            **_facts(shown),
            asked=asked,
            refresh=REFRESH_SECONDS,
            reload=RELOAD_SECONDS,
            drawing=_drawing(shown.overview),
        )

    def live(self, shown: Shown) -> str:
        """Return the sections that change by themselves."""
        return self._live.render(**_facts(shown))


def plain(text: object, most: int = TEXT_CHARACTERS) -> str:
    """Return a text from the database on one line, without letters that nobody sees, and not too long."""
    return declared.shortened(str(text or "").translate(_INVISIBLE), most)


def key(value: object) -> str:
    """Return a row's key as people write it."""
    if isinstance(value, dict):
        return plain(", ".join(f"{name} {part}" for name, part in value.items()))
    return plain(value)


def words(hit: Hit) -> Markup:
    """Return the text of a row that was found, with the query's words marked."""
    safe = str(escape(plain(hit.text)))
    return Markup(re.sub("«([^«»]*)»", r"<mark>\1</mark>", safe) if hit.marked else safe)  # noqa: S704 - escaped above


def _facts(shown: Shown) -> dict[str, Any]:
    overview, now = shown.overview, shown.now
    at = overview.snapshot.at.astimezone(now.tzinfo) if overview else None
    return {
        "stack": shown.stack,
        "installed": overview is None or overview.snapshot.installed,
        "known": overview is not None,
        "trouble": shown.trouble,
        "form": shown.form,
        "said": shown.said,
        "actions": ACTIONS,
        "at": at,
        "jobs": [_job(job, now) for job in overview.snapshot.jobs] if overview else [],
        "quota": [use(row, overview.minutes, now) for row in overview.snapshot.quota] if overview else [],
        "bars": {"width": WIDTH, "height": HEIGHT},
        "failures": [_failure(row, now) for row in overview.failures] if overview else [],
        "quarantined": sum(job["quarantined"] for job in overview.snapshot.jobs) if overview else 0,
        "spend": overview.spend if overview else [],
        "searchable": searchable(overview.snapshot.jobs) if overview else [],
    }


def _job(job: dict[str, Any], now: datetime) -> dict[str, Any]:
    """Say how far a job is, how fast, and what is wrong with it."""
    error, at = job["last_error"], job["last_error_at"]
    filled = job.get("next_generation")
    return {
        "name": job["name"],
        "source": job["source"],
        "state": job["state"],
        "reason": job.get("reason") or "",
        "done": done(job) if job["rows"] else percent(job) // 100,
        "rows": max(1, job["rows"]),
        "percent": percent(job),
        "count": count(job),
        "facts": facts(job),
        "next": {"number": filled, "done": int(job.get("next_embedded") or 0)} if filled else None,
        "error": plain(error) if error else "",
        "error_ago": span((now - at).total_seconds()) if error and at else "",
        "can": _can(job),
    }


def _can(job: dict[str, Any]) -> list[str]:
    """Return the actions that mean something in a job's state."""
    return ["pause" if job["state"] == "active" else "resume", *(["retry"] if job["quarantined"] else [])]


def _failure(row: dict[str, Any], now: datetime) -> dict[str, Any]:
    return {**row, "since": row["since"].astimezone(now.tzinfo)}


def _drawing(overview: Overview | None) -> dict[str, Any] | None:
    if overview is None or not overview.declared:
        return None
    sources = {job["name"]: job["source"] for job in overview.snapshot.jobs}
    rows = [
        {
            "source": sources.get(row["job"], ""),
            "job": row["job"],
            "generation": declared.generation(row),
            "deployment": f"{row['deployment']} ({row['model']})" if row["deployment"] else "",
            "target": row["target"],
            "index": declared.index(row),
        }
        for row in overview.declared
    ]
    picture = declared.draw(overview.declared, sources)
    return {
        "width": declared.WIDTH,
        "headings": list(zip(declared.HEADINGS, declared.LEFT, strict=True)),
        "box": {"width": declared.BOX_WIDTH, "height": declared.BOX_HEIGHT},
        "height": picture.height,
        "boxes": picture.boxes,
        "paths": picture.paths,
        "rows": rows,
    }
