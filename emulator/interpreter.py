"""The Python that has the emulator's packages: `.venv`, whichever Python the command was typed with."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

VENV_PYTHON = Path(__file__).resolve().parents[1] / ".venv" / "bin" / "python"


def move_to_venv() -> None:
    """Run this command again in `.venv` when this Python lacks the packages; end with a sentence when there is none."""
    if importlib.util.find_spec("psutil") is not None:
        return
    if not VENV_PYTHON.exists() or Path(sys.prefix).resolve() == VENV_PYTHON.parents[1].resolve():
        sys.exit("emulator: its packages are not installed. Install them with: python3 -m tools setup")
    os.execv(VENV_PYTHON, [str(VENV_PYTHON), "-m", "emulator", *sys.argv[1:]])  # noqa: S606
