"""The picture of what is declared: table, job, deployment, index, and which leads to which."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

WIDTH = 980
HEADINGS = ("Table", "Job", "Deployment", "Vectors and index")
LEFT = (0, 255, 510, 765)  # of each column's boxes
BOX_WIDTH, BOX_HEIGHT, ROW = 215, 46, 60
TOP = 28  # below the headings
NAME_LETTERS, DETAIL_LETTERS = 27, 34  # that fit on a box's first and second line
CURVE = 24


@dataclass(frozen=True)
class Box:
    """One thing that is declared: its place, its two lines, and all of its text for who points at it."""

    x: int
    y: int
    name: str
    detail: str
    told: str


@dataclass(frozen=True)
class Drawing:
    """Boxes and the lines between them, as paths of SVG."""

    height: int
    boxes: list[Box]
    paths: list[str]


def draw(rows: list[dict[str, Any]], sources: dict[str, str]) -> Drawing:
    """Lay the declared jobs out, a row each; a table or a deployment that several share stands in their middle.

    Args:
        rows: each job's generations with their deployment and index (`Overview.declared`).
        sources: the table of each job.
    """
    rows = sorted(rows, key=lambda row: (sources.get(row["job"], ""), row["job"], row["generation"]))
    places = {(row["job"], row["generation"]): TOP + ROW * index for index, row in enumerate(rows)}
    boxes: list[Box] = []
    paths: list[str] = []
    tables = _shared([(sources.get(row["job"], ""), places[row["job"], row["generation"]]) for row in rows])
    deployments = _shared(
        [(row["deployment"], places[row["job"], row["generation"]]) for row in rows if row["deployment"]]
    )
    models = {row["deployment"]: row["model"] for row in rows}
    boxes += [_box(0, y, name, "") for name, y in tables.items()]
    boxes += [_box(2, y, name, models[name]) for name, y in deployments.items()]
    for row in rows:
        y = places[row["job"], row["generation"]]
        boxes += [_box(1, y, row["job"], generation(row)), _box(3, y, row["target"], index(row))]
        paths.append(_path(0, 1, tables[sources.get(row["job"], "")], y))
        if row["deployment"]:
            called = deployments[row["deployment"]]
            paths += [_path(1, 2, y, called), _path(2, 3, called, y)]
        else:
            paths.append(_path(1, 3, y, y))
    return Drawing(max([TOP, *(box.y + BOX_HEIGHT + 2 for box in boxes)]), boxes, list(dict.fromkeys(paths)))


def generation(row: dict[str, Any]) -> str:
    """Say which generation of a job it is, where it is not the only one."""
    if row["standing"] == "next":
        return f"generation {row['generation']}, being filled"
    return f"generation {row['generation']}" if row["generation"] > 1 else ""


def index(row: dict[str, Any]) -> str:
    """Say what serves searches in these vectors."""
    size = f"{row['dimensions']} dimensions, " if row["dimensions"] else ""
    return f"{size}no index" if row["index_state"] == "none" else f"{size}index {row['index_state']}"


def _shared(wanted: list[tuple[str, int]]) -> dict[str, int]:
    """Return a place for each name, in the middle of those who use it, and none on another's."""
    by_name: dict[str, list[int]] = {}
    for name, y in wanted:
        by_name.setdefault(name, []).append(y)
    middles = sorted((sum(places) // len(places), name) for name, places in by_name.items())
    found: dict[str, int] = {}
    below = TOP
    for middle, name in middles:
        found[name] = max(below, middle)
        below = found[name] + ROW
    return found


def _box(column: int, y: int, name: str, detail: str) -> Box:
    told = f"{name}: {detail}" if detail else name
    return Box(LEFT[column], y, shortened(name, NAME_LETTERS), shortened(detail, DETAIL_LETTERS), told)


def shortened(text: str, most: int) -> str:
    """Return a text on one line of so many letters at most."""
    whole = " ".join(text.split())
    return whole if len(whole) <= most else f"{whole[: most - 1]}…"


def _path(column: int, to_column: int, start: int, end: int) -> str:
    x, to, middle = LEFT[column] + BOX_WIDTH, LEFT[to_column], BOX_HEIGHT // 2
    return f"M{x} {start + middle}C{x + CURVE} {start + middle} {to - CURVE} {end + middle} {to} {end + middle}"
