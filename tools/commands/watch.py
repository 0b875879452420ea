"""`status --watch`: follow the jobs until somebody leaves, or until nothing is left."""

from __future__ import annotations

import contextlib
import io
import json
import os
import select
import sys
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from tools import session
from tools.camel import camel
from tools.failure import INTERRUPTED
from tools.pulumi import open_stack

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tools.watch.reading import Reader, Snapshot

PLAIN_SECONDS = 5.0


@dataclass
class Goal:
    """When to leave by itself.

    Attributes:
        until_done: whether to; otherwise only a person ends it.
    """

    until_done: bool

    def reached(self, snapshot: Snapshot) -> int | None:
        """Return the exit status when there is nothing to wait for: 0 when all is done, 1 when a job cannot go on."""
        if not self.until_done or not snapshot.installed:
            return None
        stuck = [job for job in snapshot.jobs if job["state"] == "stopped" or self._waits(job)]
        for job in stuck:
            reason = f": {job['reason']}" if job.get("reason") else f"; go on with `make resume JOB={job['name']}`"
            print(f"Job {job['name']} is {job['state']}{reason}", file=sys.stderr)
        return 1 if stuck else None if snapshot.unfinished() else 0

    @staticmethod
    def _waits(job: dict[str, Any]) -> bool:
        return bool(job["state"] == "paused" and job["pending"])


def watch(stack: str, target: str, *, as_json: bool, until_done: bool) -> int:
    """Follow the jobs: a page in a terminal, a line a job every few seconds elsewhere, or a JSON line a second.

    Returns:
        0 when a person left or everything is done; with `until_done` 1 when a job is stopped or paused with rows left,
        130 when it was interrupted before.
    """
    from tools.watch.reading import Reader, follow

    pulumi = open_stack(stack, target)
    goal = Goal(until_done)
    reader = Reader(session.specification(pulumi, pulumi.outputs(), timeout_seconds=5))
    try:
        if as_json:
            return follow(reader, 0, lambda found: _json_line(found, goal))
        if not sys.stdout.isatty() or not sys.stdin.isatty():
            return follow(reader, PLAIN_SECONDS, lambda found: _plain_lines(found, goal))
        return _page(pulumi.name, reader, goal)
    except KeyboardInterrupt:
        return INTERRUPTED if until_done else 0
    finally:
        reader.leave()


def _json_line(snapshot: Snapshot, goal: Goal) -> int | None:
    data = {"at": snapshot.at, "jobs": snapshot.jobs, "quota": snapshot.quota}
    print(json.dumps(camel(data), default=_plain), flush=True)
    return goal.reached(snapshot)


def _plain_lines(snapshot: Snapshot, goal: Goal) -> int | None:
    from tools.watch.page import line

    shown = snapshot.at.astimezone().strftime("%H:%M:%S")
    lines = [line(job) for job in snapshot.jobs] or ["there is no job yet"]
    print("\n".join(f"{shown} {text}" for text in lines), flush=True)
    return goal.reached(snapshot)


def _page(name: str, reader: Reader, goal: Goal) -> int:
    """Show the page on a screen of its own; the last one stays in the terminal."""
    from rich.console import Console
    from rich.live import Live

    from tools.watch.page import page

    console = Console(highlight=False)
    # What the connection says while it is tried again would tear the page.
    with contextlib.redirect_stderr(io.StringIO()) as quiet, _keys() as pressed:
        with Live(page(name, None), console=console, screen=True, auto_refresh=False, redirect_stderr=False) as live:
            status: int | None = None
            while status is None:
                live.update(page(name, reader.latest, reader.trouble), refresh=True)
                if pressed("q"):
                    status = INTERRUPTED if goal.until_done else 0
                elif reader.wait(0.2) and reader.latest is not None:
                    status = goal.reached(reader.latest)
        said = quiet.getvalue() if status == 1 else ""
    console.print(page(name, reader.latest, reader.trouble))
    print(said, end="", file=sys.stderr)
    return status


@contextlib.contextmanager
def _keys() -> Iterator[Any]:
    """Read single keys from the terminal; its settings are put back at the end."""
    import termios
    import tty

    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)

    def pressed(key: str) -> bool:
        if not select.select([descriptor], [], [], 0)[0]:
            return False
        return key in os.read(descriptor, 64).decode(errors="replace").lower()

    try:
        tty.setcbreak(descriptor)
        yield pressed
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


def _plain(value: object) -> object:
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(type(value).__name__)
