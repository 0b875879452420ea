"""The table of rules in docs/policies.md, made from the rules."""

from __future__ import annotations

from pathlib import Path

from policy.rules import RULES

PAGE = Path(__file__).resolve().parent.parent / "docs" / "policies.md"
START, END = "<!-- made from policy/rules by `make schema` -->", "<!-- end of what is made -->"


def table() -> str:
    """Return the rules as a table in Markdown."""
    lines = ["| rule | what holds | dev | staging | prod | what to do | source |", "|---|---|---|---|---|---|---|"]
    for rule in RULES:
        levels = " | ".join("-" if level == "off" else level for level in rule.levels)
        lines.append(f"| `{rule.id}` | {rule.description} | {levels} | {rule.remediation} | {rule.source} |")
    return "\n".join(lines)


def write_page(*, check: bool) -> list[Path]:
    """Write the table into the page, or only look whether it is there.

    Args:
        check: change nothing.

    Returns:
        The page, if it was not what the rules make.
    """
    before = PAGE.read_text(encoding="utf-8")
    head, _, rest = before.partition(START)
    tail = rest.partition(END)[2]
    after = f"{head}{START}\n{table()}\n{END}{tail}"
    if after == before:
        return []
    if not check:
        PAGE.write_text(after, encoding="utf-8")
    return [PAGE.relative_to(PAGE.parents[1])]
