"""`preflight`: what Azure says to a stack before it is brought up; reads, and changes nothing."""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
from typing import TYPE_CHECKING, Any

from tools.failure import Failure
from tools.preflight.finding import OK, PROBLEM, UNKNOWN, WARNING
from tools.pulumi import open_stack
from tools.stack import config_values, explain_config, read_config

if TYPE_CHECKING:
    from rich.console import Console

    from tools.preflight.checking import Report
    from tools.pulumi import Pulumi

CANNOT = 2
COLOURS = {OK: "green", WARNING: "yellow", PROBLEM: "red", UNKNOWN: "magenta"}
SHOWN_IN_PREVIEW = 5


def preflight(stack: str, target: str, *, as_json: bool, retirement_days: int) -> int:
    """Check everything, and print what was found.

    Returns:
        0 when all is right, 1 when there is a problem, 2 when something could not be checked.

    Raises:
        Failure: nothing could be checked (2): no such stack, no emulator that starts; or the config is wrong (1).
    """
    try:
        read_config(stack)
    except Failure as failure:
        raise Failure(failure.what, failure.way_out, CANNOT) from None
    explain_config(stack)  # a mistake in the config is a problem that was found: 1
    try:
        pulumi = open_stack(stack, target)
        take_on(pulumi)
        report = gather(pulumi, retirement_days)
    except Failure as failure:
        raise Failure(failure.what, failure.way_out, CANNOT) from None
    if as_json:
        json.dump(report.to_json(), sys.stdout, indent=2)
        print()
    else:
        show(report)
    return report.exit_status


def take_on(pulumi: Pulumi) -> None:
    """Take on the stack's environment, which says where Azure is and who is signed in; hush the sign-in's own log."""
    os.environ.clear()
    os.environ.update(pulumi.environment)
    logging.getLogger("azure").addHandler(logging.NullHandler())


def gather(pulumi: Pulumi, retirement_days: int | None = None, seconds: float | None = None) -> Report:
    """Make all checks of a stack, in whose environment this process must be.

    Raises:
        Failure: the config or the environment cannot be read.
    """
    from pulumi import RunError

    from components.mistakes import SettingsError
    from components.settings import StackSettings
    from tools.preflight.checking import SECONDS, report
    from tools.preflight.models import RETIREMENT_DAYS
    from tools.preflight.wanted import wanted_of

    try:
        settings = StackSettings.parse(config_values(pulumi.name), stack=pulumi.name)
    except SettingsError as error:
        raise Failure("the config has mistakes", str(error)) from None
    wanted = wanted_of(settings, pulumi.name, recorded(pulumi))
    try:
        return report(
            wanted,
            pulumi.name,
            read_config(pulumi.name).get("config") or {},
            pulumi.environment,
            retirement_days=RETIREMENT_DAYS if retirement_days is None else retirement_days,
            seconds=SECONDS if seconds is None else seconds,
        )
    except RunError as error:
        raise Failure(str(error)) from None


def recorded(pulumi: Pulumi) -> list[dict[str, Any]]:
    """Return the state's resources; none where the stack, or its backend, cannot be read yet."""
    try:
        return pulumi.resources()
    except Failure:
        return []


def show(report: Report) -> None:
    """Print the page: a table in a terminal, lines elsewhere."""
    from tools import display

    console = display.console()
    if sys.stdout.isatty():
        _table(report, console)
    else:
        for finding in report.findings:
            print(f"{finding.status:<8} {finding.check}: {finding.found}")
            for label, text in (("do", finding.do), ("read", finding.read)):
                if text:
                    print(f"         {label}: {text}")
    console.print(f"{sentence(report)} ({report.seconds:.1f} s)", markup=False, soft_wrap=True)


def _table(report: Report, console: Console) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE, pad_edge=False, title=f"{report.stack} in {report.location}", title_justify="left")
    for heading in ("", "check", "found", "do"):
        table.add_column(heading, overflow="fold", ratio=None if heading in ("", "check") else 1)
    for finding in report.findings:
        found = Text(finding.found)
        if finding.status != OK and finding.read:
            found.append(f"\nread: {finding.read}", style="dim")
        table.add_row(Text(finding.status, style=COLOURS[finding.status]), finding.check, found, Text(finding.do))
    console.print(table)


def sentence(report: Report) -> str:
    """Say in one sentence what it all comes to."""
    counts = {
        word: sum(finding.status == status for finding in report.findings)
        for status, word in ((PROBLEM, "problems"), (UNKNOWN, "not checked"), (WARNING, "warnings"), (OK, "all right"))
    }
    parts = ", ".join(f"{count} {word}" for word, count in counts.items() if count)
    return f"preflight of {report.stack} in {report.location}: {parts}"


class Beside:
    """A preflight that runs beside a preview, so that it takes no time of its own."""

    def __init__(self, pulumi: Pulumi, seconds: float) -> None:
        self._pulumi = pulumi
        self._seconds = seconds
        self._report: Report | None = None
        self._reason = ""
        take_on(pulumi)  # here, because the engine starts from this thread meanwhile
        self._thread = threading.Thread(target=self._run, name="preflight", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._report = gather(self._pulumi, seconds=self._seconds)
        except Failure as failure:
            self._reason = failure.what.splitlines()[0]

    def lines(self) -> list[str]:
        """Return a line of summary, and one a problem or warning; waits for what is not there yet."""
        self._thread.join(self._seconds)
        again = self._pulumi.make("preflight")
        report = self._report
        if report is None:
            reason = self._reason.rstrip(".:") or f"Azure did not answer within {self._seconds:.0f} s"
            return [f"preflight: not made, because {reason}. To make it alone: {again}"]
        wrong = [finding for finding in report.findings if finding.status != OK]
        shown = [f"  {finding.status}: {finding.found} {finding.do}".rstrip() for finding in wrong[:SHOWN_IN_PREVIEW]]
        more = [f"  and {len(wrong) - len(shown)} more"] if len(wrong) > len(shown) else []
        return [f"{sentence(report)}{f' ({again})' if wrong else ''}", *shown, *more]
