"""A process of workers on its own, as it runs beside a database: `python -m database.worker`."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import psutil

from benchmarks.server import ADMINISTRATOR, BenchDatabase

ROOT = Path(__file__).resolve().parent.parent
# What a checkout without database/worker.py has: the workers of `pulumi up`, for as long as the process lives.
_BACKFILL = """
import os, time, psycopg
from database import backfilling, vectorization
def connect(): return psycopg.connect(autocommit=True)
def read(conn): return vectorization.status(conn, "docs")[0]
while True:
    backfilling.run(connect, read, "docs", int(os.environ["WORKERS"]), 3600, lambda line: None)
    time.sleep(0.2)
"""


class WorkerProcess:
    """Workers on so many connections, from its making to `end` or `kill`."""

    def __init__(self, database: BenchDatabase, connections: int) -> None:
        self.has_worker = importlib.util.find_spec("database.worker") is not None
        arguments = (
            ["-m", "database.worker", "--connections", str(connections)] if self.has_worker else ["-c", _BACKFILL]
        )
        folder, port = database.server.address()
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("PG")},
            "PGHOST": str(folder), "PGPORT": str(port), "PGUSER": ADMINISTRATOR, "PGDATABASE": database.name,
            "PGSSLMODE": "disable", "PGAPPNAME": "worker", "WORKERS": str(connections),
        }  # fmt: skip
        self._output = tempfile.TemporaryFile()
        self._process = subprocess.Popen(
            [sys.executable, *arguments], cwd=ROOT, env=environment, stdout=self._output, stderr=self._output
        )

    def memory(self) -> int:
        """Return the bytes that the process holds in memory now.

        Raises:
            RuntimeError: it ended; the message is what it said last.
        """
        self.check()
        return int(psutil.Process(self._process.pid).memory_info().rss)

    def check(self) -> None:
        """Make sure that it runs.

        Raises:
            RuntimeError: it ended; the message is what it said last.
        """
        if self._process.poll() is not None:
            raise RuntimeError(f"the process of workers ended: {self._said()}")

    def kill(self) -> None:
        """End it with signal 9; its sessions find out by themselves."""
        self._process.kill()
        self._process.wait()

    def end(self) -> None:
        """End it in an orderly way, if it still runs."""
        if self._process.poll() is None:
            self._process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(15)
        if self._process.poll() is None:
            self.kill()
        self._output.close()

    def _said(self) -> str:
        self._output.seek(0)
        return self._output.read()[-500:].decode(errors="replace")
