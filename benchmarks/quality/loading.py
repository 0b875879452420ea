"""Puts the set, or many texts like it, into a table with a job, embedded by the emulator's own service."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks import workers
from benchmarks.quality.source import ASIDES, NAMES, TOPICS
from benchmarks.server import BenchDatabase
from benchmarks.services import running_services
from benchmarks.suite import Bench

FOLDER = Path(__file__).parent
WORKERS = 2
SEED = 20260102
_CAPACITY = 1_000_000  # thousand tokens a minute: the quota is out of the way


def read(name: str) -> list[dict[str, Any]]:
    """Return the rows of a file of the set."""
    rows: list[dict[str, Any]] = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return rows


def many(count: int) -> list[tuple[int, str]]:
    """Return texts like those of the set, each of three matters and with a number; the same ones every time."""
    dice = random.Random(SEED)
    wordings = [wording for topic in TOPICS for wording in topic.wordings]
    return [
        (
            number,
            " ".join(
                [*dice.sample(wordings, 3), dice.choice(ASIDES), f"Reference PO-{number:06}, {dice.choice(NAMES)}."]
            ),
        )
        for number in range(1, count + 1)
    ]


@contextmanager
def searchable(bench: Bench, texts: Sequence[tuple[int, str]], **spec: Any) -> Iterator[BenchDatabase]:
    """Run a database in which the texts are embedded and indexed as the job `docs` says."""
    with (
        running_services(_CAPACITY, latency_seconds=0) as services,
        bench.server(services.addresses()) as server,
        server.database() as database,
    ):
        services.configure(database)
        database.execute("CREATE TABLE docs (id bigint PRIMARY KEY, body text)")
        with database.conn.cursor().copy("COPY docs FROM STDIN") as copy:
            for row in texts:
                copy.write_row(row)
        database.execute("VACUUM (ANALYZE) docs")
        with bench.progress.step(f"embedding {len(texts):,} texts", len(texts) / 1_000):
            workers.drain(database, WORKERS, lambda: database.define(full_text={"language": "english"}, **spec))
        with bench.progress.step("indexes", len(texts) / 1_500):
            database.maintain()
        database.execute("VACUUM (ANALYZE)")
        yield database
