"""`test`, `lint`, `schema` and `lock`: what a change goes through."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from tools.failure import Failure
from tools.places import ROOT

if TYPE_CHECKING:
    from collections.abc import Sequence

LOCKS = (
    "requirements",
    "requirements/setup",
    "requirements/worker",
    "requirements/local",
    "requirements/tests",
)  # each may constrain the next


def test(level: str, arguments: list[str]) -> int:
    """Run pytest on one level or on all.

    Returns:
        pytest's exit status.

    Raises:
        Failure: there is no such level.
    """
    from tools.levels import LEVELS

    if level and level not in LEVELS:
        raise Failure(f"There is no level {level!r} of tests.", f"The levels are: {', '.join(LEVELS)}.")
    chosen = [level] if level else list(LEVELS)
    # In a row from small to large, so that the first failure is the nearest to its cause.
    folders = [f"tests/{name}" for name in chosen]
    return _run([sys.executable, "-m", "pytest", "--levels", ",".join(chosen), *folders, *arguments])


def lint() -> int:
    """Run the checks that need nothing but the text, all of them, and say which failed.

    Returns:
        0 when all passed.
    """
    failed = [
        name
        for name, command in (
            ("format", ["ruff", "format", "--check", "--quiet", "."]),
            ("style", ["ruff", "check", "--quiet", "."]),
            ("types", ["mypy"]),
        )
        if _run([sys.executable, "-m", *command])
    ]
    if failed:
        print(f"Failed: {', '.join(failed)}. `.venv/bin/ruff format .` mends the format.", file=sys.stderr)
    return 1 if failed else 0


def schema(*, check: bool) -> None:
    """Write what is made from the settings and the rules, or compare it with what is checked in.

    Raises:
        Failure: with `check`, the files differ.
    """
    from components.settings_reference import write_schema
    from policy.reference import write_page

    stale = ", ".join(str(path) for path in (*write_schema(check=check), *write_page(check=check)))
    if stale and check:
        raise Failure(f"Not what the settings and rules make: {stale}.", "Run `make schema` and check the files in.")
    print(f"Written: {stale}." if stale else "The schema and the pages of the config and the rules are up to date.")


def lock(*, upgrade: bool) -> None:
    """Compile the lock files: every platform, every supported Python, with hashes, naming no index.

    Raises:
        Failure: there is no uv, or the requirements contradict each other.
    """
    from tools import uv

    installer = uv.find_or_fetch()
    if not installer:
        raise Failure(
            "uv is needed for lock files and cannot be had.", "Check the network, then run `make lock` again."
        )
    for name in LOCKS:
        source = ROOT / f"{name}.in"
        command = [str(installer), "pip", "compile", "--quiet", "--universal", "--generate-hashes", "--no-header"]
        command += ["--python-version", "3.11", *(["--upgrade"] if upgrade else [])]
        # From the file's own folder, because comments in a lock repeat paths as they were given.
        command += [source.name, "--output-file", f"{source.stem}.txt"]
        if subprocess.run(command, cwd=source.parent, check=False).returncode:
            raise Failure(f"{name}.in could not be compiled; see above.")
    print("The lock files are made. Try them with `make test`, and check them in.")


def _run(command: Sequence[str]) -> int:
    return subprocess.run(command, cwd=ROOT, check=False).returncode
