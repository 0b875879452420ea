"""Runs benchmarks one after the other; the failure of one leaves the others' results."""

from __future__ import annotations

import importlib
import pkgutil
import re
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol, TypeVar, cast

import benchmarks
from benchmarks.outcome import Chart, Outcome, Result, merge
from benchmarks.progress import Progress
from benchmarks.server import SETTINGS, SMALL_SETTINGS, BenchDatabase, BenchServer
from emulator.postgres.backend import Services
from emulator.postgres.installation import Installations
from emulator.postgres.wheel import WheelInstallations

T = TypeVar("T")


class Bench:
    """What a benchmark is given: servers, how large to be, where to say how far it is."""

    def __init__(self, progress: Progress, *, quick: bool) -> None:
        self.progress = progress
        self.quick = quick

    def size(self, full: T, quick: T) -> T:
        """Return what fits this run."""
        return quick if self.quick else full

    @contextmanager
    def server(
        self, services: Services | None = None, source: type[Installations] = WheelInstallations
    ) -> Iterator[BenchServer]:
        """Run a server of its own; it is removed whatever happens."""
        server = BenchServer(SMALL_SETTINGS if self.quick else SETTINGS, services, source)
        try:
            with self.progress.step("a server with the engine", 3):
                server.start()
            yield server
        finally:
            server.stop()

    @contextmanager
    def database(self) -> Iterator[BenchDatabase]:
        """Run a server with one database."""
        with self.server() as server, server.database() as database:
            yield database


class Benchmark(Protocol):
    """A module such as b01_*.py (of the engine), g01_*.py (of graphs) or q01_*.py (of searches).

    Attributes:
        ID: "B1", "Q1" and so on, as its module is named.
        TITLE: what it measures, one line.
        SECONDS: what one full run takes on 2 cores, for the idea of the time left.
        RUNS: how many runs unless told otherwise.
    """

    ID: str
    TITLE: str
    SECONDS: float
    RUNS: int

    def run(self, bench: Bench) -> Outcome:
        """Measure once."""
        ...


@dataclass(frozen=True)
class Report:
    """What became of one benchmark: results, or an error."""

    id: str
    title: str
    runs: int
    seconds: float
    results: list[Result] = field(default_factory=list)
    charts: list[Chart] = field(default_factory=list)
    error: str = ""


def all_benchmarks() -> list[Benchmark]:
    """Return the modules of this package that are benchmarks, in their order."""
    names = sorted(module.name for module in pkgutil.iter_modules(benchmarks.__path__))
    found = [importlib.import_module(f"benchmarks.{name}") for name in names if re.match(r"[a-z]\d\d_", name)]
    return [cast("Benchmark", module) for module in found]


def run_all(chosen: Sequence[Benchmark], runs: int | None, *, quick: bool) -> Iterator[Report]:
    """Run benchmarks and yield a report each, as soon as it is there."""
    progress = Progress()
    expected = [0.1 * b.SECONDS if quick else b.SECONDS * (runs or b.RUNS) for b in chosen]
    for position, benchmark in enumerate(chosen):
        progress.begin(benchmark.ID, expected[position], sum(expected[position + 1 :]))
        yield run_one(benchmark, 1 if quick else runs or benchmark.RUNS, Bench(progress, quick=quick))


def run_one(benchmark: Benchmark, runs: int, bench: Bench) -> Report:
    """Run one benchmark as often as asked; an error is a report too, with what was seen before it."""
    began = time.monotonic()
    outcomes: list[Outcome] = []
    error = ""
    try:
        for number in range(runs):
            if runs > 1:
                bench.progress.say(f"run {number + 1} of {runs}")
            outcomes.append(benchmark.run(bench))
    except Exception as failure:  # noqa: BLE001 - whatever it is, the other benchmarks go on
        error = "".join(traceback.format_exception_only(failure)).strip()
        bench.progress.say(f"failed: {error}\n{''.join(traceback.format_tb(failure.__traceback__)[-3:])}")
    results, charts = merge(outcomes) if outcomes else ([], [])
    return Report(benchmark.ID, benchmark.TITLE, len(outcomes), time.monotonic() - began, results, charts, error)
