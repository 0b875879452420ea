"""Completes a built engine: a folder with the engine and the two small programs that it looks for and lacks.

The engine warns of plugins that do not lie beside it, so it gets a place beside them: a hard link, which costs nothing.
"""

from __future__ import annotations

import os
import shlex
import shutil
from typing import TYPE_CHECKING

from tools.places import ROOT, VENV_PYTHON

if TYPE_CHECKING:
    from pathlib import Path

MODULES = {
    "pulumi-language-python": "tools.engine.language_host",
    "pulumi-resource-pulumi-python": "tools.engine.dynamic_provider",
}


def complete(engine: Path, folder: Path) -> Path:
    """Make the folder hold the engine and its wrappers; leaves alone what is right already.

    Returns:
        The path of the engine in that folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, module in MODULES.items():
        _write(folder / name, module)
    linked = folder / "pulumi"
    if not linked.exists() or _identity(linked) != _identity(engine):
        part = folder / "pulumi.part"
        part.unlink(missing_ok=True)
        try:
            os.link(engine, part)
        except OSError:  # another file system, or one without hard links
            shutil.copy2(engine, part)
        part.replace(linked)
    return linked


def _identity(path: Path) -> tuple[int, int]:
    state = path.stat()
    return state.st_size, state.st_mtime_ns


def _write(path: Path, module: str) -> None:
    text = (
        "#!/bin/sh\n"
        "# Written by set-up: the engine was built from source and has no Python of its own.\n"
        f'PYTHONPATH={shlex.quote(str(ROOT))} exec {shlex.quote(str(VENV_PYTHON))} -u -P -m {module} "$@"\n'
    )
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return
    part = path.with_suffix(".part")
    part.write_text(text, encoding="utf-8")
    part.chmod(0o755)
    part.replace(path)
