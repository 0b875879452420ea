"""What must hold of the repository itself: imports, what a file may contain, pictures and links that are true."""

from __future__ import annotations

import ast
import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = ("__main__.py", "components", "database")


def tracked(pattern: str = "*") -> list[Path]:
    """Return the files that git tracks, or that it would, below the root."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", pattern],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.splitlines()
    return [ROOT / name for name in listed if (ROOT / name).is_file()]


def imports(path: Path) -> set[str]:
    """Return the top-level names of every module that a file imports, wherever in the file it does."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names.add(node.module.split(".")[0])
    return names


def sources(*folders: str) -> list[Path]:
    """Return the Python files of the folders; fails if there are none, so that a moved folder is noticed."""
    found = [
        path
        for folder in folders
        for path in ([ROOT / folder] if folder.endswith(".py") else sorted((ROOT / folder).rglob("*.py")))
    ]
    assert found, f"no Python file in {folders}"
    return found


def test_the_database_package_imports_no_pulumi() -> None:
    offenders = {
        path.name for path in sources("database") if imports(path) & {"pulumi", "pulumi_azure_native", "components"}
    }
    assert not offenders


def test_nothing_in_the_program_imports_the_emulator_or_the_tools() -> None:
    offenders = {path.name for path in sources(*PROGRAM) if imports(path) & {"emulator", "tools"}}
    assert not offenders


def test_the_program_starts_in_under_eighty_lines_without_a_class() -> None:
    text = (ROOT / "__main__.py").read_text(encoding="utf-8")
    assert len(text.splitlines()) < 80
    assert not [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ClassDef)]


# Written in halves, so that this file passes its own check.
HALVES = (("py", "pi.org"), ("python", "hosted.org"), ("npm", "js.org"), ("proxy.go", "lang.org"), ("debi", "an.org"))
INDEXES = [re.escape("".join(halves)) for halves in HALVES]
FORBIDDEN = re.compile("|".join([r"/(?:root|home/\w+|work)/[a-z.]", *INDEXES]))


def test_no_file_names_a_path_of_a_machine_or_a_package_index() -> None:
    offenders = []
    for path in tracked():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        offenders += [f"{path.relative_to(ROOT)}: {match.group()}" for match in FORBIDDEN.finditer(text)]
    assert not offenders


def test_the_pictures_are_those_that_their_sources_draw() -> None:
    drawings = sorted((ROOT / "docs" / "images").glob("*.py"))
    assert drawings
    for source in drawings:
        spec = importlib.util.spec_from_file_location(source.stem, source)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        # dataclasses look their module up while they are made.
        sys.modules[source.stem] = module
        try:
            spec.loader.exec_module(module)
        finally:
            del sys.modules[source.stem]
        assert source.with_suffix(".svg").read_text(encoding="utf-8") == module.draw(), (
            f"run python {source.relative_to(ROOT)}"
        )


@pytest.mark.parametrize("page", tracked("*.md"), ids=lambda p: str(p.relative_to(ROOT)))
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    targets = [t.split("#")[0] for t in re.findall(r"\]\(([^)\s]+)\)", text) if not re.match(r"[a-z]+:|#", t)]
    missing = [target for target in targets if target and not (page.parent / target).exists()]
    assert not missing
