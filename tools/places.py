"""Where things lie: the repository, its run-time folders, and the caches that outlive a clone.

Set-up runs this on the user's own Python, so the module needs the standard library only.
"""

from __future__ import annotations

import os
from pathlib import Path

ENGINE_VERSION = "3.259.0"

ROOT = Path(__file__).resolve().parent.parent
VENV = Path(os.environ.get("POSTGRES_GENAI_VENV") or ROOT / ".venv").absolute()
VENV_PYTHON = VENV / "bin" / "python"


def stacks() -> Path:
    """Return the folder of backend, passphrase and working copies (STACKS_HOME, else `.stacks`)."""
    return Path(os.environ.get("STACKS_HOME") or ROOT / ".stacks").absolute()


def emulator_home() -> Path:
    """Return the emulator's folder (EMULATOR_HOME, else `.emulator`)."""
    return Path(os.environ.get("EMULATOR_HOME") or ROOT / ".emulator").absolute()


def cache() -> Path:
    """Return the folder for what a fresh clone need not fetch or build again (XDG_CACHE_HOME honoured)."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache").absolute() / "postgres-genai"


def engine_cache() -> Path:
    """Return the folder of the cached engine: `pulumi`, and its language host where the engine came with one."""
    return cache() / f"engine-{ENGINE_VERSION}"
