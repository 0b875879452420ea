"""Finds an engine: on PATH, in the cache, by the official download, or by a build from Go modules, in this order."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tools.engine import build, download, wrappers
from tools.exclusive import exclusive
from tools.failure import Failure
from tools.places import ENGINE_VERSION, cache, engine_cache, stacks

if TYPE_CHECKING:
    from collections.abc import Iterator

SUPPORTED = re.compile(r"v?" + re.escape(ENGINE_VERSION.rsplit(".", 1)[0]) + r"\.\d+")
LANGUAGE_HOST = "pulumi-language-python"


@dataclass(frozen=True)
class Engine:
    """An engine that is ready to run.

    Attributes:
        folder: holds `pulumi` and what it starts; goes first on PATH.
        source: where it came from, in words.
    """

    folder: Path
    source: str

    @property
    def pulumi(self) -> Path:
        """The command line of the engine."""
        return self.folder / "pulumi"


def find() -> Engine:
    """Return an engine, fetching or building one where there is none; silent when there is nothing to do.

    Raises:
        Failure: none is here and none can be had.
    """
    if on_path := _on_path():
        return Engine(on_path, f"pulumi on PATH ({on_path})")
    cached = engine_cache() / "pulumi"
    if not os.access(cached, os.X_OK):
        _obtain()
    if (engine_cache() / LANGUAGE_HOST).exists():
        return Engine(engine_cache(), "the official release, cached")
    return Engine(wrappers.complete(cached, stacks() / "bin").parent, "built from Go modules, cached")


def _on_path() -> Path | None:
    """Return the folder of a usable `pulumi` on PATH that is not one of ours."""
    own = (stacks() / "bin", engine_cache())
    entries = [entry for entry in os.environ.get("PATH", "").split(os.pathsep) if entry and Path(entry) not in own]
    search = os.pathsep.join(entries)
    found = shutil.which("pulumi", path=search)
    if not found or not shutil.which(LANGUAGE_HOST, path=search):
        return None
    environment = {**os.environ, "PULUMI_SKIP_UPDATE_CHECK": "true"}
    try:
        answer = subprocess.run(
            [found, "version"], env=environment, capture_output=True, text=True, timeout=20, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return Path(found).parent if SUPPORTED.fullmatch(answer.stdout.strip()) else None


def _obtain() -> None:
    with exclusive(cache() / "engine.lock", "fetching or building the Pulumi engine"):
        if os.access(engine_cache() / "pulumi", os.X_OK):
            return
        started = time.monotonic()
        refusals = []
        for way, obtain in (("downloaded", download.download), ("built from Go modules", build.build)):
            try:
                with _unfinished() as folder:
                    obtain(folder)
                    _move_into_place(folder)
            except Failure as failure:
                refusals.append(str(failure).replace("\n", " "))
            else:
                seconds = time.monotonic() - started
                print(f"Pulumi engine {ENGINE_VERSION}: {way} in {seconds:.0f} s.", file=sys.stderr, flush=True)
                return
        raise Failure(
            f"There is no Pulumi engine {ENGINE_VERSION} on this machine, and none can be had:\n  - "
            + "\n  - ".join(refusals),
            f"Put pulumi {ENGINE_VERSION} on PATH, or copy the folder {engine_cache()} from a machine that has it.",
        )


@contextmanager
def _unfinished() -> Iterator[Path]:
    """Yield a folder beside the cache that is gone afterwards; what killed set-ups left goes first."""
    for stale in cache().glob("engine.part-*"):
        shutil.rmtree(stale, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix="engine.part-", dir=cache()))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _move_into_place(folder: Path) -> None:
    shutil.rmtree(engine_cache(), ignore_errors=True)
    (folder / "bin").rename(engine_cache())
