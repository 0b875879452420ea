"""A pytest plugin that fails a run in which a level of tests ran nothing.

The levels are the folders of `tests/`. `--levels unit,stack` names those that must run; each needs a test that was not
skipped. A skip without a reason fails the run too, whether levels are named or not.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator

LEVELS = ("unit", "components", "protocol", "postgres", "emulator", "stack")
SILENT = ("", "unconditional skip")


class LevelCheck:
    """Counts what ran and what was skipped, a level at a time."""

    def __init__(self, expected: list[str], tests: Path) -> None:
        self.expected = expected
        self.tests = tests
        self.ran: Counter[str] = Counter()
        self.skipped: Counter[str] = Counter()
        self.silent: list[str] = []

    def level(self, nodeid: str) -> str:
        """Name the level of a test by its folder, or "" outside the levels."""
        parts = Path(nodeid).parts
        return parts[1] if len(parts) > 2 and parts[0] == self.tests.name else ""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count one phase of one test."""
        level = self.level(report.nodeid)
        if report.skipped:
            self.skipped[level] += 1
            reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr or "")
            if reason.removeprefix("Skipped:").strip() in SILENT:
                self.silent.append(report.nodeid)
        elif report.when == "call":
            self.ran[level] += 1

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Count modules that are skipped whole."""
        if report.skipped:
            self.skipped[self.level(f"{report.nodeid}/x")] += 1

    def complaints(self) -> list[str]:
        """Return what is wrong with this run, in sentences."""
        found = [
            f"level {name}: no test ran ({self.skipped[name]} skipped); a level that must run may not be empty"
            for name in self.expected
            if not self.ran[name]
        ]
        return found + [f"skipped without a reason: {nodeid}" for nodeid in self.silent]

    @pytest.hookimpl(wrapper=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Generator[None, None, None]:
        """Turn a run with complaints into a failed one."""
        if self.complaints() and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
        yield

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say how many tests each level ran, and the complaints."""
        for name in self.expected:
            terminalreporter.write_line(f"level {name}: {self.ran[name]} ran, {self.skipped[name]} skipped")
        for line in self.complaints():
            terminalreporter.write_line(line, red=True)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--levels`."""
    parser.addoption("--levels", default="", help="levels of tests/ that must run a test each, separated by commas")


def pytest_configure(config: pytest.Config) -> None:
    """Start counting."""
    expected = [name for name in config.getoption("--levels").split(",") if name]
    if unknown := sorted(set(expected) - set(LEVELS)):
        message = f"--levels: unknown {', '.join(unknown)}; the levels are {', '.join(LEVELS)}"
        raise pytest.UsageError(message)
    config.pluginmanager.register(LevelCheck(expected, Path("tests")), "levels")
