"""The worker's image: what the Dockerfile copies is enough, and is all that there is."""

from __future__ import annotations

import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
LOCK = (ROOT / "requirements" / "worker.txt").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make the image's two folders: the program's, with what is copied, and one with the locked packages alone."""
    root = tmp_path_factory.mktemp("image")
    for source, target in re.findall(r"^COPY (\S+) (\S+)$", DOCKERFILE, re.MULTILINE):
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, root / "program" / target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            (root / "program" / target).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / source, root / "program" / target)
    packages = root / "packages"
    packages.mkdir()
    for name in re.findall(r"^([\w.-]+)==", LOCK, re.MULTILINE):
        try:
            found = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue  # of another platform
        for top in {file.parts[0] for file in found.files or () if file.parts[0] not in ("..", "__pycache__")}:
            if not (packages / top).exists():
                (packages / top).symlink_to(Path(str(found.locate_file(top))))
    return root


def run(image: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run Python with the standard library and the image's two folders, and nothing else of this checkout."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "PYTHON"))}
    return subprocess.run(
        [sys.executable, "-S", *arguments],
        cwd=image / "program",
        env={**kept, "PYTHONPATH": str(image / "packages"), "PYTHONDONTWRITEBYTECODE": "1", **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_copied_folders_are_enough(image: Path) -> None:
    helped = run(image, "-m", "database.worker", "--help")
    assert helped.returncode == 0, helped.stderr
    assert "exit statuses:" in helped.stdout
    checked = run(
        image, "-m", "database.worker", "--check", PGHOST="127.0.0.1", PGPORT="9", PGDATABASE="d", PGUSER="worker"
    )
    assert checked.returncode == 1, checked.stderr
    assert "cannot connect to database d on 127.0.0.1 as worker" in checked.stdout
    assert checked.stderr == ""


def test_with_tokens_too(image: Path) -> None:
    checked = run(
        image,
        "-m",
        "database.worker",
        "--check",
        PGHOST="127.0.0.1",
        PGDATABASE="d",
        PGUSER="worker",
        WORKER_ENTRA="true",
        WORKER_TOKEN_SCOPE="https://ossrdbms-aad.database.windows.net/.default",
        AZURE_TOKEN_CREDENTIALS="EnvironmentCredential",
    )
    assert checked.returncode == 1, checked.stderr
    assert "no Entra token" in checked.stdout


def test_nothing_else_of_this_checkout_is_there(image: Path) -> None:
    names = ["components", "tools", "emulator", "pulumi", "pydantic", "typer"]
    code = f"import importlib.util as u; print([n for n in {names} + ['psycopg'] if u.find_spec(n)])"
    assert run(image, "-c", code).stdout.strip() == "['psycopg']"
    assert sorted(path.name for path in (image / "program").iterdir()) == ["database", "requirements", "sql"]


def test_the_image_is_not_root_and_its_packages_are_pinned_by_hash() -> None:
    assert re.search(r"^USER [1-9]\d*:[1-9]\d*$", DOCKERFILE, re.MULTILINE)
    assert "--require-hashes" in DOCKERFILE
    assert 'ENTRYPOINT ["python", "-m", "database.worker"]' in DOCKERFILE
    assert "index-url" not in DOCKERFILE + LOCK
    copied = {source.rstrip("/") for source in re.findall(r"^COPY (\S+)", DOCKERFILE, re.MULTILINE)}
    ignore = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert {line[1:].rstrip("/") for line in ignore if line.startswith("!")} == copied
