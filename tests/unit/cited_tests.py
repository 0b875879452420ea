"""The tests that a table of the docs names as its proof, and whether they count."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
# As a decorator, a statement of the test or of its module, or the module's mark; `skipif` depends, and a run tells.
ALWAYS = re.compile(r"(pytestmark = .*)?pytest\.(mark\.)?(skip|xfail)\b")


def cited_tests(cell: str) -> list[str]:
    """Return the tests that a cell names, each as `path::name` in backquotes."""
    return re.findall(r"`([^`]+)`", cell)


def why_it_does_not_count(test: str, root: Path = ROOT) -> str | None:
    """Say why a test shows nothing: it is not there, or it is always skipped or expected to fail. None when it counts.

    Args:
        test: `path::name`.
        root: what the path begins at.
    """
    path, _, name = test.partition("::")
    if not (root / path).is_file():
        return f"there is no file {path}"
    module = ast.parse((root / path).read_text(encoding="utf-8"))
    found = [node for node in module.body if isinstance(node, ast.FunctionDef) and node.name == name]
    if not found or not name.startswith("test_"):
        return f"{path} has no test {name}"
    if any(ALWAYS.match(ast.unparse(node)) for node in [*module.body, *found[0].decorator_list, *found[0].body]):
        return f"{test} is always skipped, or expected to fail"
    return None
