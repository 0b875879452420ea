"""Gets the installer uv: cached by version, fetched once by pip with a pinned hash.

Runs on the user's own Python, standard library only.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tools.exclusive import exclusive
from tools.places import ROOT, cache

LOCK = ROOT / "requirements" / "setup.txt"


def version() -> str:
    """Read the pinned version of uv."""
    found = re.search(r"^uv==(\S+)", LOCK.read_text(encoding="utf-8"), re.MULTILINE)
    if not found:
        message = f"{LOCK} pins no uv"
        raise ValueError(message)
    return found.group(1)


def find_or_fetch() -> Path | None:
    """Return the path of uv, or None where it cannot be had and pip must do."""
    home = cache() / f"uv-{version()}"
    binary = home / "bin" / "uv"
    if os.access(binary, os.X_OK):
        return binary
    with exclusive(cache() / "uv.lock", "fetching uv"):
        if os.access(binary, os.X_OK):
            return binary
        for stale in cache().glob(f"{home.name}.part-*"):
            shutil.rmtree(stale, ignore_errors=True)
        return binary if _fetch(home) else None


def _fetch(home: Path) -> bool:
    part = Path(tempfile.mkdtemp(prefix=f"{home.name}.part-", dir=home.parent))
    try:
        installed = _pip_install(part / "python") if _has_pip() else False
        source = part / "python" / "bin" / "uv"
        if not installed or not source.is_file():
            return False
        (part / "bin").mkdir()
        source.rename(part / "bin" / "uv")
        shutil.rmtree(part / "python")
        part.rename(home)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return True


def _has_pip() -> bool:
    return subprocess.run([sys.executable, "-m", "pip", "--version"], capture_output=True, check=False).returncode == 0


def _pip_install(target: Path) -> bool:
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
    command += [
        "--no-deps",
        "--only-binary",
        ":all:",
        "--require-hashes",
        "--target",
        str(target),
        "--requirement",
        str(LOCK),
    ]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0
