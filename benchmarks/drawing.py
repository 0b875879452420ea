# ruff: noqa: E501 - elements read better on one line
"""Draws charts as SVG: axes with units, a legend, and colours that read on light and on dark pages."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

from benchmarks.outcome import Chart, Curve

WIDTH, HEIGHT = 760, 400
LEFT, RIGHT, TOP, BOTTOM = 76, 24, 66, 56
# Okabe and Ito's palette, which people with any kind of colour vision can tell apart, in tones for both grounds.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#8a6d00")
DARK_COLOURS = ("#56b4e9", "#ff9a4d", "#3ad6a6", "#e6a5cb", "#f0e442")
_TICKS = 5


@dataclass(frozen=True)
class Axis:
    """A scale from numbers to pixels, with round ticks."""

    low: float
    high: float
    start: float
    end: float
    log: bool

    def place(self, value: float) -> float:
        """Return where a value is, in pixels."""
        low, high, at = (math.log10(v) if self.log else v for v in (self.low, self.high, max(value, self.low)))
        return self.start + (at - low) / ((high - low) or 1) * (self.end - self.start)

    def ticks(self) -> list[float]:
        """Return the values that get a line."""
        if self.log:
            return [10.0**power for power in range(round(math.log10(self.low)), round(math.log10(self.high)) + 1)]
        step = _round_step((self.high - self.low) / _TICKS)
        count = math.floor((self.high - self.low) / step + 1e-9)
        return [self.low + step * i for i in range(count + 1)]


def _round_step(step: float) -> float:
    power = 10.0 ** math.floor(math.log10(step)) if step > 0 else 1.0
    return next(power * factor for factor in (1, 2, 2.5, 5, 10) if step <= power * factor * (1 + 1e-9))


def _axis(values: Sequence[float], start: float, end: float, *, log: bool, from_zero: bool) -> Axis:
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    if log:
        return Axis(
            10.0 ** math.floor(math.log10(low)), 10.0 ** math.ceil(math.log10(high) - 1e-9), start, end, log=True
        )
    low = min(low, 0.0) if from_zero else low
    step = _round_step(((high - low) or 1.0) / _TICKS)
    return Axis(
        low, low + step * math.ceil((high - low) / step - 1e-9) if high > low else low + 1, start, end, log=False
    )


def _label(value: float) -> str:
    if abs(value) >= 1_000_000:
        return f"{value / 1_000_000:g}M"
    return f"{value / 1_000:g}k" if abs(value) >= 10_000 else f"{value:g}"


def svg(chart: Chart) -> str:
    """Return a chart as an SVG document."""
    ys = [y for curve in chart.curves for _, y in curve.points]
    y_axis = _axis(ys, HEIGHT - BOTTOM, TOP, log=chart.log_y, from_zero=True)
    body = _horizontal_lines(y_axis)
    body += _bars(chart, y_axis) if chart.kind == "bars" else _lines(chart, y_axis)
    middle = (TOP + HEIGHT - BOTTOM) / 2
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" role="img">',
        f"<title>{escape(chart.title)}</title>",
        f"<style>{_style()}</style>",
        f'<rect class="ground" x="0.5" y="0.5" width="{WIDTH - 1}" height="{HEIGHT - 1}" rx="8"/>',
        f'<text class="title" x="{LEFT}" y="28">{escape(chart.title)}</text>',
        *_legend(chart.curves),
        *body,
        f'<text class="axis" x="{(LEFT + WIDTH - RIGHT) / 2:g}" y="{HEIGHT - 14}" text-anchor="middle">{escape(chart.x_label)}</text>',
        f'<text class="axis" transform="translate(20 {middle:g}) rotate(-90)" text-anchor="middle">{escape(chart.y_label)}</text>',
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _style() -> str:
    colours = "".join(f" .s{i} {{ stroke: {colour}; }} .f{i} {{ fill: {colour}; }}" for i, colour in enumerate(COLOURS))
    dark = "".join(
        f" .s{i} {{ stroke: {colour}; }} .f{i} {{ fill: {colour}; }}" for i, colour in enumerate(DARK_COLOURS)
    )
    return (
        "text { font-family: system-ui, 'Segoe UI', Helvetica, Arial, sans-serif; font-size: 12px; fill: #3e4c59; }"
        " .title { font-size: 15px; font-weight: 600; fill: #1f2933; } .ground { fill: #ffffff; stroke: #d9e2ec; }"
        " .grid { stroke: #d9e2ec; } .line { fill: none; stroke-width: 2.2; }"
        + colours
        + " @media (prefers-color-scheme: dark)"
        " { text { fill: #b8c4d0; } .title { fill: #f0f4f8; } .ground { fill: #0d1117; stroke: #30363d; } .grid { stroke: #30363d; }"
        + dark
        + " }"
    )


def _legend(curves: Sequence[Curve]) -> list[str]:
    parts, x = [], float(LEFT)
    for i, curve in enumerate(curves):
        parts.append(f'<rect class="f{i % len(COLOURS)}" x="{x:g}" y="40" width="12" height="12" rx="2"/>')
        parts.append(f'<text x="{x + 18:g}" y="50">{escape(curve.label)}</text>')
        x += 40 + 6.8 * len(curve.label)
    return parts


def _horizontal_lines(axis: Axis) -> list[str]:
    parts = []
    for tick in axis.ticks():
        y = axis.place(tick)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{_label(tick)}</text>')
    return parts


def _lines(chart: Chart, y_axis: Axis) -> list[str]:
    numbers = [float(x) for curve in chart.curves for x, _ in curve.points]
    x_axis = _axis(numbers, LEFT, WIDTH - RIGHT, log=chart.log_x, from_zero=not chart.log_x)
    parts = [
        f'<text x="{x_axis.place(tick):.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{_label(tick)}</text>'
        for tick in x_axis.ticks()
    ]
    for i, curve in enumerate(chart.curves):
        colour = i % len(COLOURS)
        places = [(x_axis.place(float(x)), y_axis.place(y)) for x, y in curve.points]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        parts.append(f'<polyline class="line s{colour}" points="{path}"/>')
        if len(places) <= 12:
            parts += [f'<circle class="f{colour}" cx="{x:.1f}" cy="{y:.1f}" r="3.5"/>' for x, y in places]
    return parts


def _bars(chart: Chart, y_axis: Axis) -> list[str]:
    names = list(dict.fromkeys(str(x) for curve in chart.curves for x, _ in curve.points))
    group = (WIDTH - LEFT - RIGHT) / max(1, len(names))
    width = 0.7 * group / max(1, len(chart.curves))
    parts = []
    for position, name in enumerate(names):
        middle = LEFT + group * (position + 0.5)
        parts.append(f'<text x="{middle:.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{escape(name)}</text>')
        for i, curve in enumerate(chart.curves):
            for x, y in curve.points:
                if str(x) == name:
                    left, top = middle - 0.35 * group + width * i, y_axis.place(y)
                    height = y_axis.start - top
                    parts.append(
                        f'<rect class="f{i % len(COLOURS)}" x="{left:.1f}" y="{top:.1f}" width="{0.94 * width:.1f}" height="{height:.1f}"/>'
                    )
                    parts.append(
                        f'<text x="{left + width / 2:.1f}" y="{top - 4:.1f}" text-anchor="middle">{_label(round(y, 1) if y < 100 else round(y))}</text>'
                    )
    return parts
