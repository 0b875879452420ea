"""An address, a DNS suffix or a token scope of Azure is written in `components/cloud.py` and nowhere else."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from components.cloud import cloud

ROOT = Path(__file__).resolve().parents[2]
PLACES = ("components", "database", "tools", "policy", "sql", "__main__.py")
KNOWN_THERE = ROOT / "components" / "cloud.py"
SUFFIXES = (
    r"\bazure\.(?:com|us|cn|net)\b",
    r"windows\.net",
    r"usgovcloudapi\.net",
    r"chinacloudapi\.cn",
    r"azurecontainerapps\.(?:io|us)",
    r"azurecr\.(?:io|us|cn)",
    r"microsoftonline\.(?:com|us)",
    r"microsoft\.(?:com|us)",
    r"/\.default\b",
)
ADDRESS = re.compile("|".join(SUFFIXES), re.IGNORECASE)
# What only points people to a page, and the name of a schema, which is the same in every cloud.
HARMLESS = re.compile(r"https://(?:learn|docs|azure)\.microsoft\.com/|https://schema\.management\.azure\.com/")


def texts(path: Path) -> Iterator[tuple[int, str]]:
    """Yield what a file says to machines: strings that explain nothing to people, statements without their comments."""
    source = path.read_text(encoding="utf-8")
    if path.suffix == ".sql":
        for number, line in enumerate(source.splitlines(), 1):
            yield number, line.partition("--")[0]
        return
    tree = ast.parse(source)
    documentation = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    explained = {
        id(part)
        for node in ast.walk(tree)
        if isinstance(node, ast.keyword) and node.arg in ("description", "examples")
        for part in ast.walk(node.value)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documentation | explained:
            yield node.lineno, node.value


def offenders(path: Path) -> list[str]:
    return [
        f"{path.relative_to(ROOT)}:{line}: {found.group()}"
        for line, text in texts(path)
        if (found := ADDRESS.search(HARMLESS.sub("", text)))
    ]


def sources(place: str) -> list[Path]:
    path = ROOT / place
    return [path] if path.is_file() else sorted([*path.rglob("*.py"), *path.rglob("*.sql")])


@pytest.mark.parametrize("place", PLACES)
def test_an_address_of_azure_stands_in_one_place_only(place: str) -> None:
    found = [line for path in sources(place) if path != KNOWN_THERE for line in offenders(path)]
    assert not found, "written elsewhere than in components/cloud.py:\n" + "\n".join(found)


def test_the_check_sees_an_address_where_there_is_one() -> None:
    assert len(offenders(KNOWN_THERE)) >= 3 * len(cloud().__dataclass_fields__) - 3


@pytest.mark.parametrize("name", ["AzureUSGovernment", "AzureChinaCloud"])
def test_nothing_of_the_public_cloud_is_left_in_another(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.delenv("ARM_ENVIRONMENT", raising=False)
    monkeypatch.delenv("AZURE_RESOURCE_MANAGER_ENDPOINT", raising=False)
    monkeypatch.delenv("AZURE_ENVIRONMENT", raising=False)
    public = cloud()
    monkeypatch.setenv("AZURE_ENVIRONMENT", name)
    here = cloud()
    same = [field for field in here.__dataclass_fields__ if getattr(here, field) == getattr(public, field)]
    assert not same
