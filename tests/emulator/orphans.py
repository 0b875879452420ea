"""What becomes of the processes of an emulator that is killed."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import psutil

WAIT_SECONDS = 20.0


def outlives_its_parent(folder: Path, script: str, *arguments: str) -> bool:
    """Run a script that prints a child's process id, kill it with signal 9, and return whether the child lives on.

    The script lies in a file of the folder: what is spawned imports it again.
    """
    (folder / "parent.py").write_text(textwrap.dedent(script))
    parent = subprocess.Popen(
        [sys.executable, str(folder / "parent.py"), *arguments],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
    )
    try:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
    finally:
        parent.kill()
        parent.wait()
    _, alive = psutil.wait_procs([child], timeout=WAIT_SECONDS)
    return bool(alive)
