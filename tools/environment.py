"""Makes and keeps `.venv`: exactly the locked packages, checked by hash, changed only when a lock file changed.

Runs on the user's own Python, standard library only. Where uv cannot be had, venv and pip do the same, more slowly.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from tools import uv
from tools.exclusive import exclusive
from tools.failure import Failure
from tools.places import ROOT, VENV, VENV_PYTHON

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

PROGRAM = ("requirements.txt", "requirements/local.txt")
CHECKS = (*PROGRAM, "requirements/tests.txt")
STAMP = VENV / "postgres-genai.json"


def ensure(locks: tuple[str, ...]) -> None:
    """Bring `.venv` to at least these lock files; silent and quick when nothing changed.

    Raises:
        Failure: a package cannot be fetched or does not have its pinned hash.
    """
    if _is_current(locks, _read_stamp()):
        return
    with exclusive(VENV / "setup.lock", "installing the Python packages"):
        stamp = _read_stamp()
        if not _is_current(locks, stamp):
            _install(tuple(name for name in CHECKS if name in locks or name in stamp.get("locks", {})))


def _digest(name: str) -> str:
    return hashlib.sha256((ROOT / name).read_bytes()).hexdigest()


def _read_stamp() -> dict[str, dict[str, str]]:
    try:
        stamp: dict[str, dict[str, str]] = json.loads(STAMP.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return stamp if VENV_PYTHON.exists() else {}


def _is_current(locks: tuple[str, ...], stamp: dict[str, dict[str, str]]) -> bool:
    installed = stamp.get("locks", {})
    return all(installed.get(name) == _digest(name) for name in locks) and all(
        digest == _digest(name) for name, digest in installed.items()
    )


def _install(locks: tuple[str, ...]) -> None:
    started = time.monotonic()
    print("Installing the Python packages into .venv ...", file=sys.stderr, flush=True)
    STAMP.unlink(missing_ok=True)
    usable = _is_usable()
    installer = uv.find_or_fetch()
    if installer:
        _with_uv(str(installer), locks, usable=usable)
    else:
        print("uv cannot be had; using venv and pip, which takes longer.", file=sys.stderr, flush=True)
        _with_pip(locks, usable=usable)
    _write_stamp(locks)
    print(f"Python packages: installed in {time.monotonic() - started:.0f} s.", file=sys.stderr, flush=True)


def _write_stamp(locks: tuple[str, ...]) -> None:
    part = STAMP.with_suffix(".part")
    part.write_text(json.dumps({"locks": {name: _digest(name) for name in locks}}), encoding="utf-8")
    part.replace(STAMP)


def _is_usable() -> bool:
    """Tell whether there is a whole environment of a Python that still exists; a killed set-up leaves half of one."""
    if not VENV_PYTHON.exists():
        return False
    probe = "import sys; sys.exit(sys.prefix == sys.base_prefix or not (3, 11) <= sys.version_info[:2] <= (3, 13))"
    return subprocess.run([VENV_PYTHON, "-c", probe], capture_output=True, check=False).returncode == 0


def _with_uv(installer: str, locks: tuple[str, ...], *, usable: bool) -> None:
    if not usable:
        _run(
            [
                installer,
                "venv",
                "--quiet",
                "--allow-existing",
                "--no-python-downloads",
                "--python",
                sys.executable,
                str(VENV),
            ]
        )
    _run([installer, "pip", "sync", "--quiet", "--require-hashes", "--python", str(VENV_PYTHON), *_paths(locks)])


def _with_pip(locks: tuple[str, ...], *, usable: bool) -> None:
    if not usable:
        _run([sys.executable, "-m", "venv", str(VENV)])
    command = [str(VENV_PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
    command += ["--require-hashes", "--no-deps"]
    for path in _paths(locks):
        command += ["--requirement", str(path)]
    _run(command)


def _paths(locks: tuple[str, ...]) -> list[Path]:
    return [ROOT / name for name in locks]


def _run(command: Sequence[str | Path]) -> None:
    environment = {
        name: value for name, value in os.environ.items() if name not in ("PYTHONHOME", "PYTHONPATH", "VIRTUAL_ENV")
    }
    done = subprocess.run(command, env=environment, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode:
        last = [line.strip() for line in (done.stderr or done.stdout).splitlines() if line.strip()][-6:]
        raise Failure(
            "Installing the Python packages failed:\n  " + "\n  ".join(last),
            "Check the network (or the mirror in the settings of pip and uv), then run the command again.",
        )
