"""Draw architecture.svg: what one `pulumi up` makes, on Azure and on one machine.

Run `python docs/images/architecture.py` after a change; a test checks that the picture is the one that this file draws.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 1120, 600
STYLE = """
  text { font-family: system-ui, 'Segoe UI', Helvetica, Arial, sans-serif; fill: #1f2933; }
  .title { font-size: 16px; font-weight: 600; }
  .line { font-size: 13px; fill: #3e4c59; }
  .label { font-size: 12px; fill: #52606d; }
  .arrow { stroke: #52606d; stroke-width: 1.6; fill: none; marker-end: url(#tip); }
"""


@dataclass(frozen=True)
class Box:
    """A rounded box with a title and lines of text; its frame is x, y, width, height in pixels."""

    frame: tuple[int, int, int, int]
    title: str
    lines: tuple[str, ...] = ()
    colours: tuple[str, str] = ("#ffffff", "#9aa5b1")

    def svg(self) -> str:
        """Return the box as SVG elements."""
        (x, y, width, height), (fill, stroke) = self.frame, self.colours
        rectangle = (
            f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="8" '
            f'fill="{fill}" stroke="{stroke}" stroke-width="1.4"/>'
        )
        texts = [f'<text class="title" x="{x + 14}" y="{y + 26}">{escape(self.title)}</text>']
        texts += [
            f'<text class="line" x="{x + 14}" y="{y + 48 + 19 * i}">{escape(line)}</text>'
            for i, line in enumerate(self.lines)
        ]
        return "\n".join([rectangle, *texts])


def arrow(x1: int, y1: int, x2: int, y2: int, label: str, label_x: int, label_y: int) -> str:
    """Return a straight arrow with its label."""
    return (
        f'<path class="arrow" d="M {x1} {y1} L {x2} {y2}"/>\n'
        f'<text class="label" x="{label_x}" y="{label_y}">{escape(label)}</text>'
    )


CONFIG, PROGRAM, AZURE, DATABASE = (
    ("#f0f4f8", "#9aa5b1"),
    ("#e3f8ff", "#2bb0ed"),
    ("#fff8e6", "#f0b429"),
    ("#f3f0ff", "#8662c7"),
)
BOXES = (
    Box(
        (20, 30, 230, 128),
        "Pulumi.<stack>.yaml",
        ("server, parameters,", "extensions, deployments,", "one entry a vectorized table"),
        CONFIG,
    ),
    Box(
        (300, 30, 250, 128),
        "The Pulumi program",
        (
            "StackSettings checks everything",
            "components/ create resources",
            "components/dynamic/ go on",
            "inside the database",
        ),
        PROGRAM,
    ),
    Box(
        (300, 222, 250, 110),
        "database/",
        ("psycopg, no Pulumi", "extensions, azure_ai settings,", "migrations, jobs"),
        PROGRAM,
    ),
    Box(
        (620, 30, 480, 128),
        "Azure Resource Manager",
        (
            "flexible server, parameters (azure.extensions merged), administrators",
            "Azure OpenAI account and deployments, Language account",
            "role assignments for the server's identity",
            "on this machine: emulator/arm and emulator/providers",
        ),
        AZURE,
    ),
    Box((620, 222, 480, 226), "PostgreSQL", ("on this machine: emulator/postgres, behind a TLS gateway",), DATABASE),
    Box(
        (640, 282, 210, 150),
        "your tables",
        ("row changes -> trigger", "-> change -> item", "", "vectors in a column", "or in a side table"),
    ),
    Box(
        (872, 282, 210, 150),
        "schema vectorize",
        ("jobs, items, leases", "worker: claim, embed, settle", "status, failures", "search"),
    ),
    Box((620, 500, 480, 80), "Azure OpenAI and Language", ("on this machine: emulator/ai",), AZURE),
    Box(
        (20, 222, 230, 110),
        "You",
        ("pulumi preview: the diff, with", "rows, tokens and cost", "pulumi up: progress, summary"),
        CONFIG,
    ),
)
ARROWS = (
    arrow(250, 94, 300, 94, "", 0, 0),
    arrow(550, 94, 620, 94, "ARM", 570, 86),
    arrow(425, 158, 425, 222, "connection, identity, endpoints", 435, 194),
    arrow(550, 277, 620, 277, "TLS, Entra", 553, 269),
    arrow(135, 222, 135, 158, "", 0, 0),
    arrow(850, 350, 872, 350, "", 0, 0),
    arrow(977, 448, 977, 500, "azure_ai, managed identity", 800, 480),
)


def draw() -> str:
    """Return the whole picture as an SVG document."""
    body = "\n".join([*(box.svg() for box in BOXES), *ARROWS])
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'width="{WIDTH}" height="{HEIGHT}" role="img">\n'
        "<title>What one pulumi up makes: the program, Azure's resources, a database that embeds its rows</title>\n"
        f"<style>{STYLE}</style>\n"
        '<defs><marker id="tip" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M 0 0 L 10 5 L 0 10 z" fill="#52606d"/></marker></defs>\n'
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fbfcfd"/>\n{body}\n</svg>\n'
    )


if __name__ == "__main__":
    Path(__file__).with_name("architecture.svg").write_text(draw(), encoding="utf-8")
