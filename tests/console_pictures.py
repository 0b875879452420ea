"""Take the pictures of docs/console.md from a console that runs.

Run `PYTHONPATH=. .venv/bin/python tests/console_pictures.py http://127.0.0.1:<port>/<token>/` with the address that
`make console ARGS=--allow-actions` printed for the local stack.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tests.browser import chromium

IMAGES = Path(__file__).parents[1] / "docs" / "images"
QUERY = "?updates=off&job=line-items&q=late+delivery+penalty"
WIDTH, TALLEST, MARGIN = 1000, 640, 12
SECTIONS = {"light": ("jobs", "search"), "dark": ("quota", "failures", "declared")}


def take(address: str) -> None:
    """Take a picture of each section, some by day and some by night."""
    with chromium("--hide-scrollbars") as browser:
        for scheme, sections in SECTIONS.items():
            page = browser.new_page(color_scheme=scheme, viewport={"width": WIDTH, "height": 900})  # type: ignore[arg-type]
            page.goto(f"{address}{QUERY}")
            for section in sections:
                box = page.locator(f"#{section}").bounding_box()
                assert box is not None
                clip = {
                    "x": 0,
                    "y": box["y"] - MARGIN,
                    "width": WIDTH,
                    "height": min(TALLEST, box["height"] + 2 * MARGIN),
                }
                page.screenshot(path=IMAGES / f"console-{section}.png", full_page=True, clip=clip)  # type: ignore[arg-type]


if __name__ == "__main__":
    take(sys.argv[1])
