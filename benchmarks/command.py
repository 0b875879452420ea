"""What `make bench` and `make bench-quick` do: run, show, and keep what was found."""

from __future__ import annotations

import json
import signal
import sys
from types import FrameType
from typing import NoReturn

from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks import results
from benchmarks.outcome import number
from benchmarks.suite import Benchmark, all_benchmarks, run_all


def select(only: str) -> list[Benchmark]:
    """Return the benchmarks of a list such as "B1,B6"; all where it is empty.

    Raises:
        ValueError: there is no such benchmark; the message names those that there are.
    """
    known = {benchmark.ID: benchmark for benchmark in all_benchmarks()}
    wanted = [name.strip().upper() for name in only.split(",") if name.strip()]
    unknown = [name for name in wanted if name not in known]
    if unknown:
        raise ValueError(f"there is no benchmark {', '.join(unknown)}: there are {', '.join(known)}")
    return [benchmark for name, benchmark in known.items() if name in wanted or not wanted]


def main(only: str, runs: int | None, console: Console, *, quick: bool, as_json: bool) -> int:
    """Run the chosen benchmarks and print them; keep results of a run that is not quick.

    Returns:
        0; 1 where a benchmark failed to run. A bar that does not hold is a result, not a failure.

    Raises:
        ValueError: there is no such benchmark.
        KeyboardInterrupt: the run was interrupted; servers and folders are gone, results so far are kept.
    """
    chosen = select(only)
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, _interrupt)
    command = _command(only, runs)
    found: dict[str, results.Data] = {}
    for report in run_all(chosen, runs, quick=quick):
        found[report.id] = results.to_json(report, command)
        if not quick:
            results.save(results.load() | found)
    if not quick:
        entries = results.load()
        results.write_page(entries)
        results.write_page(results.of_searches(entries), results.SEARCH_PAGE)
        results.write_page(results.of_graph_searches(entries), results.GRAPH_PAGE)
        results.write_pictures(entries)
    if as_json:
        print(json.dumps({"benchmarks": found}, indent=1, ensure_ascii=False))
    else:
        show(found, console)
    return 1 if any(entry["error"] or _without_value(entry) for entry in found.values()) else 0


def _without_value(entry: results.Data) -> bool:
    """Return whether a benchmark gave nothing at all."""
    return not entry["results"]


def _interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


def _command(only: str, runs: int | None) -> str:
    arguments = [f"--only {only}"] if only else []
    arguments += [f"--runs {runs}"] if runs else []
    return f'make bench ARGS="{" ".join(arguments)}"' if arguments else "make bench"


def show(entries: dict[str, results.Data], console: Console) -> None:
    """Print results as a table: framed in a terminal, plain elsewhere."""
    table = Table(box=box.ROUNDED if sys.stdout.isatty() else None, pad_edge=False)
    for heading in ("id", "what", "value", "unit", "bar", "holds"):
        table.add_column(heading, justify="right" if heading in ("value", "bar") else "left", overflow="fold")
    for identity, entry in entries.items():
        for row in entry["results"]:
            holds = results.said(row["holds"])
            colour = {"yes": "green", "no": "red"}.get(holds, "")
            table.add_row(
                identity, row["what"], number(row["value"]), row["unit"], row["bar"] or "",
                f"[{colour}]{holds}[/{colour}]" if colour else row["note"] if row["value"] is None else "",
            )  # fmt: skip
        if entry["error"]:
            table.add_row(identity, entry["title"], "-", "", "", "[red]failed[/red]")
    console.print(table)
    for identity, entry in entries.items():
        if entry["error"]:
            console.print(f"{identity} failed: {entry['error']}", markup=False)
