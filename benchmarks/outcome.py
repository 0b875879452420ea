"""What a benchmark returns: figures with their bars, and curves for the pictures; and how several runs become one."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self


@dataclass(frozen=True)
class Bar:
    """What a figure has to reach.

    Attributes:
        relation: ">=" or "<=".
        limit: in the figure's unit.
        every_run: whether the worst run counts, as for losses, rather than the median.
    """

    relation: str
    limit: float
    every_run: bool = False

    def holds(self, values: Sequence[float]) -> bool:
        """Return whether the runs' values reach the bar."""
        if self.relation == ">=":
            return (min(values) if self.every_run else statistics.median(values)) >= self.limit
        return (max(values) if self.every_run else statistics.median(values)) <= self.limit

    def __str__(self) -> str:
        return f"{'≥' if self.relation == '>=' else '≤'} {number(self.limit)}"


def at_least(limit: float) -> Bar:
    """Return a bar that the median has to reach from above."""
    return Bar(">=", limit)


def at_most(limit: float) -> Bar:
    """Return a bar that the median has to reach from below."""
    return Bar("<=", limit)


def never(limit: float = 0) -> Bar:
    """Return a bar that no run may be over."""
    return Bar("<=", limit, every_run=True)


@dataclass(frozen=True)
class Figure:
    """One number of one run.

    Attributes:
        what: what was measured, unique within its benchmark.
        value: None where this checkout cannot do it yet; `note` says why.
        unit: such as "x" (a ratio), "rows/s", "s", "bytes a row", or "" for a count.
        bar: what it has to reach; None where it is only reported.
        note: what a reader has to know to understand it.
    """

    what: str
    value: float | None
    unit: str = ""
    bar: Bar | None = None
    note: str = ""


@dataclass(frozen=True)
class Curve:
    """One line, or one colour of bars: pairs of x (a number, or a name for bars) and y."""

    label: str
    points: list[tuple[float | str, float]]

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Return the curve of its JSON form."""
        return cls(data["label"], [(x, y) for x, y in data["points"]])


@dataclass(frozen=True)
class Chart:
    """A picture: docs/images/bench-<name>.svg.

    Attributes:
        kind: "lines" or "bars".
        log_x: whether the horizontal axis is logarithmic.
        log_y: the same for the vertical axis.
    """

    name: str
    title: str
    x_label: str
    y_label: str
    curves: list[Curve]
    kind: str = "lines"
    log_x: bool = False
    log_y: bool = False

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Return the chart of its JSON form."""
        return cls(**{**data, "curves": [Curve.from_json(curve) for curve in data["curves"]]})


@dataclass(frozen=True)
class Outcome:
    """What one run of a benchmark gave."""

    figures: list[Figure]
    charts: list[Chart] = field(default_factory=list)


@dataclass(frozen=True)
class Result:
    """One figure over all runs; `values` are those of the runs in order, none where it is not available."""

    figure: Figure
    values: list[float]

    @property
    def value(self) -> float | None:
        """Return the median, or the worst run's where every run counts."""
        if not self.values:
            return None
        bar = self.figure.bar
        if bar is not None and bar.every_run:
            return min(self.values) if bar.relation == ">=" else max(self.values)
        return statistics.median(self.values)

    @property
    def holds(self) -> bool | None:
        """Return whether the bar holds; None where there is no bar or no value."""
        return self.figure.bar.holds(self.values) if self.figure.bar and self.values else None


def merge(outcomes: Sequence[Outcome]) -> tuple[list[Result], list[Chart]]:
    """Return the figures of several runs side by side, and charts with the median of each point.

    Curves over time, whose points differ from run to run, are those of the last run.
    """
    last = outcomes[-1]
    by_what = [{figure.what: figure.value for figure in outcome.figures} for outcome in outcomes]
    results = [
        Result(figure, [value for run in by_what if (value := run.get(figure.what)) is not None])
        for figure in last.figures
    ]
    charts = [
        replace(
            chart,
            curves=[_median(curve, [_curve(outcome, chart, curve) for outcome in outcomes]) for curve in chart.curves],
        )
        for chart in last.charts
    ]
    return results, charts


def _curve(outcome: Outcome, chart: Chart, curve: Curve) -> Curve | None:
    for other in outcome.charts:
        if other.name == chart.name:
            return next((c for c in other.curves if c.label == curve.label), None)
    return None


def _median(curve: Curve, runs: Sequence[Curve | None]) -> Curve:
    xs = [x for x, _ in curve.points]
    same = [run for run in runs if run is not None and [x for x, _ in run.points] == xs]
    return replace(curve, points=[(x, statistics.median(run.points[i][1] for run in same)) for i, x in enumerate(xs)])


def number(value: float | None) -> str:
    """Return a number as people read it: three significant digits, whole from 100 on."""
    if value is None:
        return "-"
    if value == int(value) or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def count(number_of: int, noun: str) -> str:
    """Return a number with its noun, such as "1 worker" or "16 workers"."""
    return f"{number_of:,} {noun}" if number_of == 1 else f"{number_of:,} {noun}s"


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value that `share` (0 to 1) of the values do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
