"""Where results are kept: benchmarks/results.json, from which the table and the pictures of docs are made."""

from __future__ import annotations

import datetime as dt
import importlib.metadata
import json
import os
import platform
import re
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil

from benchmarks import drawing
from benchmarks.outcome import Chart, Result, number
from benchmarks.server import SETTINGS, VERSION
from benchmarks.suite import Report
from emulator.postgres.account import Account
from emulator.postgres.wheel import WheelInstallations

ROOT = Path(__file__).resolve().parent.parent
FILE = ROOT / "benchmarks" / "results.json"
PAGE = ROOT / "docs" / "benchmarks.md"
SEARCH_PAGE = ROOT / "docs" / "search.md"
GRAPH_PAGE = ROOT / "docs" / "graph.md"
IMAGES = ROOT / "docs" / "images"
_TABLE = re.compile(r"(<!-- results -->\n).*?(<!-- end of results -->)", re.DOTALL)

Data = dict[str, Any]


def machine() -> str:
    """Return the machine in words, without its name."""
    memory = psutil.virtual_memory().total / 2**30
    system = f"{platform.system()} {platform.release().split('-')[0]}"
    return f"{os.cpu_count()} cores ({_processor()}), {memory:.0f} GiB of memory, {system}"


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.machine()
    found = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return found.group(1) if found else platform.machine()


def versions() -> dict[str, str]:
    """Return what the figures depend on."""
    installation = WheelInstallations(ROOT, Account.choose()).nearest(VERSION)
    return {
        "PostgreSQL": installation.version,
        "pgvector": installation.extension_version("vector") or "",
        "Python": platform.python_version(),
        "psycopg": importlib.metadata.version("psycopg"),
    }


def to_json(report: Report, command: str) -> Data:
    """Return a benchmark's entry of the file."""
    return {
        "title": report.title,
        "command": command,
        "date": dt.datetime.now(dt.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "machine": machine(),
        "versions": versions(),
        "settings": SETTINGS,
        "runs": report.runs,
        "seconds": round(report.seconds),
        "error": report.error,
        "results": [_result(report.id, result) for result in report.results],
        "charts": [_chart(chart) for chart in report.charts],
    }


def _result(identity: str, result: Result) -> Data:
    values = result.values
    spread = {"min": min(values), "median": statistics.median(values), "max": max(values)} if values else None
    return {
        "id": identity,
        "what": result.figure.what,
        "value": result.value,
        "unit": result.figure.unit,
        "bar": str(result.figure.bar) if result.figure.bar else None,
        "holds": result.holds,
        "spread": spread,
        "note": result.figure.note,
    }


def _chart(chart: Chart) -> Data:
    curves = [{"label": curve.label, "points": [list(point) for point in curve.points]} for curve in chart.curves]
    return {**vars(chart), "curves": curves}


def load(file: Path = FILE) -> dict[str, Data]:
    """Return the entries by benchmark; none where there is no file yet."""
    if not file.exists():
        return {}
    entries: dict[str, Data] = json.loads(file.read_text(encoding="utf-8"))["benchmarks"]
    return entries


def save(entries: Mapping[str, Data], file: Path = FILE) -> None:
    """Write the entries whole, in the order of the benchmarks; the rest of an earlier run stays."""
    ordered = dict(sorted(entries.items(), key=lambda entry: (entry[0][0], int(entry[0][1:]))))
    scratch = file.with_suffix(".partial")
    scratch.write_text(json.dumps({"benchmarks": ordered}, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    scratch.replace(file)


def section(entries: Mapping[str, Data]) -> str:
    """Return the results as the page shows them: table, conditions, pictures."""
    pictures = [f"![{chart.title}](images/bench-{chart.name}.svg)\n" for chart in charts(entries)]
    return "\n".join([*_table(entries), "", *_conditions(entries), *pictures]).rstrip("\n")


def _table(entries: Mapping[str, Data]) -> list[str]:
    lines = ["| id | what | value | bar | holds | min to max |", "|---|---|---|---|---|---|"]
    for identity, entry in entries.items():
        if entry["error"]:
            lines.append(f"| {identity} | {entry['title']} | | | failed | |")
        for row in entry["results"]:
            note = f" <br> <small>{row['note']}</small>" if row["note"] else ""
            lines.append(
                f"| {identity} | {row['what']}{note} | {with_unit(row['value'], row['unit'])} | {row['bar'] or ''} "
                f"| {said(row['holds'])} | {_spread(row)} |"
            )
    return lines


def _conditions(entries: Mapping[str, Data]) -> list[str]:
    """Return when and where the figures were taken, once for each way of running."""
    found: dict[str, list[str]] = {}
    for identity, entry in entries.items():
        named = ", ".join(f"{name} {version}" for name, version in entry["versions"].items())
        words = f"`{entry['command']}`, {entry['date'].split(' ')[0]}, {entry['machine']}; {named}"
        found.setdefault(words, []).append(identity)
    return [f"{', '.join(names)}: {words}.\n" for words, names in found.items()]


def _spread(row: Data) -> str:
    spread = row["spread"]
    return "" if not spread or spread["min"] == spread["max"] else f"{number(spread['min'])} to {number(spread['max'])}"


def with_unit(value: float | None, unit: str) -> str:
    """Return a value with its unit."""
    return f"{number(value)} {unit}".strip()


def said(holds: bool | None) -> str:
    """Return whether a bar holds, in a word; nothing where there is none."""
    return "" if holds is None else "yes" if holds else "no"


def of_searches(entries: Mapping[str, Data]) -> dict[str, Data]:
    """Return the entries that the page about searches shows."""
    return {identity: entry for identity, entry in entries.items() if identity.startswith("Q")}


def of_graph_searches(entries: Mapping[str, Data]) -> dict[str, Data]:
    """Return the entry that the page about graphs shows."""
    return {identity: entry for identity, entry in entries.items() if identity == "G2"}


def write_page(entries: Mapping[str, Data], page: Path = PAGE) -> None:
    """Put the table between its marks in the page."""
    text = page.read_text(encoding="utf-8")
    page.write_text(
        _TABLE.sub(lambda found: f"{found.group(1)}{section(entries)}\n{found.group(2)}", text), encoding="utf-8"
    )


def charts(entries: Mapping[str, Data]) -> list[Chart]:
    """Return the charts of all entries."""
    return [Chart.from_json(chart) for entry in entries.values() for chart in entry["charts"]]


def write_pictures(entries: Mapping[str, Data], folder: Path = IMAGES) -> Sequence[Path]:
    """Draw every chart as bench-<name>.svg and return the files."""
    written = []
    for chart in charts(entries):
        path = folder / f"bench-{chart.name}.svg"
        path.write_text(drawing.svg(chart), encoding="utf-8")
        written.append(path)
    return written
