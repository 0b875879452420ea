"""The tables in docs/policies.md, made from the rules and the dangers."""

from __future__ import annotations

import re
from pathlib import Path

from policy.dangers import DANGERS
from policy.rule import Levels
from policy.rules import RULES

PAGE = Path(__file__).resolve().parent.parent / "docs" / "policies.md"
SECTION = re.compile(r"(<!-- made by `make schema`: (?P<name>\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def tables() -> dict[str, str]:
    """Return the tables in Markdown, by the names that they have in the page."""
    return {"rules": _rules(), "dangers": _dangers()}


def _rules() -> str:
    lines = ["| rule | what holds | dev | staging | prod | what to do | source |", "|---|---|---|---|---|---|---|"]
    for rule in RULES:
        levels = _levels(rule.levels)
        lines.append(f"| `{rule.id}` | {rule.description} | {levels} | {rule.remediation} | {rule.source} |")
    return "\n".join(lines)


def _dangers() -> str:
    lines = [
        "| change | what happens | dev | staging | prod | what follows | source |",
        "|---|---|---|---|---|---|---|",
    ]
    for one in DANGERS:
        levels = _levels(one.levels)
        lines.append(f"| `{one.id}` | {one.description} | {levels} | {one.consequence} | {one.source} |")
    return "\n".join(lines)


def _levels(levels: Levels) -> str:
    return " | ".join("-" if level == "off" else level for level in levels)


def write_page(*, check: bool) -> list[Path]:
    """Write the tables into the page, or only look whether they are there.

    Args:
        check: change nothing.

    Returns:
        The page, if it was not what the rules make.
    """
    made = tables()
    before = PAGE.read_text(encoding="utf-8")
    after = SECTION.sub(lambda found: f"{found[1]}{made[found['name']]}\n{found[3]}", before)
    if after == before:
        return []
    if not check:
        PAGE.write_text(after, encoding="utf-8")
    return [PAGE.relative_to(PAGE.parents[1])]
