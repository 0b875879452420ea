"""The engine built from Go modules: `go.mod` and `go.sum` beside this file pin every module by hash."""

from __future__ import annotations

import ctypes
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from tools.failure import Failure
from tools.places import ENGINE_VERSION

HERE = Path(__file__).resolve().parent
PACKAGE = "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"
VERSION_VARIABLE = "github.com/pulumi/pulumi/sdk/v3/go/common/version.Version"
PACKAGES = 1700  # roughly what a build without a cache compiles; for the progress line only
LINE_SECONDS = 10.0
PARENT_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of linux/prctl.h


def build(folder: Path) -> None:
    """Build the engine into `folder/bin`, with a line of progress every few seconds.

    Raises:
        Failure: there is no Go, it is too old, or the build failed.
    """
    go = shutil.which("go")
    if not go:
        message = "it cannot be built here: there is no `go` on PATH (Go 1.25.11 or newer builds it)"
        raise Failure(message)
    print(
        f"Building the Pulumi engine {ENGINE_VERSION} from Go modules: 3 to 6 minutes, once on this machine.",
        file=sys.stderr,
        flush=True,
    )
    source = folder / "source"
    source.mkdir()
    for name in ("go.mod", "go.sum"):
        shutil.copy(HERE / name, source / name)
    temporary = folder / "tmp"
    temporary.mkdir()
    flags = f"-s -w -X {VERSION_VARIABLE}=v{ENGINE_VERSION}"
    target = folder / "bin" / "pulumi"
    command = [go, "build", "-v", "-mod=readonly", "-buildvcs=false", "-ldflags", flags, "-o", str(target), PACKAGE]
    environment = {**os.environ, "GOTMPDIR": str(temporary), "GOWORK": "off", "CGO_ENABLED": "0", "GOFLAGS": ""}
    _run(command, source, environment)


def _run(command: list[str], source: Path, environment: dict[str, str]) -> None:
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as log:
        process = subprocess.Popen(
            command,
            cwd=source,
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
            preexec_fn=_die_with_parent,  # noqa: PLW1509 - runs in the main thread, before any other is started
        )
        done = threading.Event()
        reporter = threading.Thread(target=_report, args=(log.fileno(), done), daemon=True)
        reporter.start()
        try:
            code = process.wait()
        finally:
            process.terminate()
            done.set()
            reporter.join()
        if code:
            log.seek(0)
            raise Failure(_explain(log.read()))


def _die_with_parent() -> None:
    """Ask Linux to end the build with set-up, so that a killed set-up leaves no build running."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PARENT_DEATH_SIGNAL, signal.SIGTERM)


def _report(log: int, done: threading.Event) -> None:
    started = time.monotonic()
    while not done.wait(LINE_SECONDS):
        compiled = os.pread(log, 1 << 20, 0).count(b"\n")
        seconds = time.monotonic() - started
        print(f"  building: {compiled} of about {PACKAGES} packages, {seconds:.0f} s", file=sys.stderr, flush=True)


def _explain(output: str) -> str:
    telling = [line.strip() for line in output.splitlines() if re.search(r"go: |error|cannot|: no ", line)]
    last = telling[-1] if telling else (output.strip().splitlines() or ["no reason given"])[-1]
    return f"the build from Go modules failed ({last})"
