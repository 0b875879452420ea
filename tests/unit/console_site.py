"""A console that serves in a thread, over a database or what stands for one."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from tests.unit.test_watch import job as first_job
from tools.console.reading import Overview, overview
from tools.console.searching import Column
from tools.console.server import Console, serve
from tools.watch.reading import Snapshot

NOW = datetime(2026, 5, 4, 12, 30, 20, tzinfo=UTC)
HOSTILE = "</title><script>document.body.dataset.pwned = 1</script><img src=x onerror=alert(1)>\"'`{{ 7*191919 }}"


@contextmanager
def serving(console: Console) -> Iterator[str]:
    """Serve a console for the block, and give its address."""
    started = threading.Event()
    found: dict[str, Any] = {}

    async def run() -> None:
        found["loop"], found["ended"] = asyncio.get_running_loop(), asyncio.Event()

        def ready(port: int) -> None:
            found["port"] = port
            started.set()

        await serve(console.create(), 0, found["ended"], ready)

    thread = threading.Thread(target=lambda: asyncio.run(run()), daemon=True)
    thread.start()
    assert started.wait(30)
    try:
        yield console.guard.address(found["port"])
    finally:
        found["loop"].call_soon_threadsafe(found["ended"].set)
        thread.join(30)
        assert not thread.is_alive()


@dataclass
class NoDatabase:
    """What a database would answer, and what it was told to do.

    Attributes:
        found: the overview.
        columns: the answer to each search.
        trouble: raised instead of any answer.
        called: the actions, each with its job.
    """

    found: Overview
    columns: list[Column] = field(default_factory=list)
    trouble: Exception | None = None
    called: list[tuple[str, str]] = field(default_factory=list)
    closed: bool = False

    def read(self, question: Callable[[Any], Any], seconds: int = 5) -> Any:
        if self.trouble:
            raise self.trouble
        return self.found if question is overview else self.columns

    def call(self, action: str, job: str) -> str:
        self.called.append((action, job))
        return f"job {job}: 3 rows of the quarantine are queued again"

    def close(self) -> None:
        self.closed = True


def job(**changes: Any) -> dict[str, Any]:
    """A row of vectorize.status, two of its rows in quarantine."""
    return first_job(**{"quarantined": 2, "next_generation": None, "next_embedded": None, **changes})


def quota(**changes: Any) -> dict[str, Any]:
    """A row of vectorize.quota."""
    return {
        "deployment": "embedding", "tokens_per_minute": 350_000, "requests_per_minute": 2100, "rate": Decimal("0.98"),
        "tokens_last_minute": 336_000, "requests_last_minute": 1050, "not_before": None, **changes,
    }  # fmt: skip


def declared(**changes: Any) -> dict[str, Any]:
    """A generation of a job with its deployment and index."""
    return {
        "job": "docs", "generation": 1, "standing": "current", "deployment": "embedding",
        "model": "text-embedding-3-small", "dimensions": 1536, "target": "column embedding",
        "index_state": "waiting", **changes,
    }  # fmt: skip


def whole(**changes: Any) -> Overview:
    """An overview with one of everything."""
    parts: dict[str, Any] = {
        "snapshot": Snapshot(NOW, [job()], [quota()]),
        "minutes": [
            {
                "deployment": "embedding",
                "minute": NOW - timedelta(minutes=9, seconds=20),
                "tokens": 175_000,
                "requests": 90,
            }
        ],
        "failures": [
            {
                "job": "docs",
                "key": {"id": 7},
                "attempts": 1,
                "error": "400: too long",
                "since": NOW - timedelta(hours=2),
            }
        ],
        "spend": [{"job": "docs", "today": 0.25, "month": 1.5, "ever": 2.75, "tokens": 60_000, "requests": 7}],
        "declared": [declared()],
    }
    return Overview(**{**parts, **changes})
