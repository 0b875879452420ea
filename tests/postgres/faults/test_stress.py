# ruff: noqa: E501 - statements read better on one line
"""Writers and workers on the same rows for 20 seconds: no deadlock, no error, and no writer waits for a call to the service."""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Iterator
from functools import partial

from tests.postgres.faults.drill import FaultDatabase
from tests.postgres.vector_server import Connection, in_threads

SECONDS = 20
SLOW_SECONDS = 8  # the last of them
CALL_SECONDS = 3.0  # of a call in those
# A settle takes some milliseconds, so this is far more on any machine, and less than a call: whoever held a row during one would be seen.
# What the machine itself makes a statement wait, a writer whose table has no job finds out at the same time.
LONGEST_WAIT_SECONDS = 2.0
WRITERS = 4
KEYS = 80  # a writer

# Statements of several rows stay within a writer's own keys, {low} to {high}, and those of one row go anywhere ({any}); new keys
# are never used twice ({new}). So two writers can wait for each other but never in a circle: a deadlock is the engine's.
STATEMENTS = (
    "UPDATE docs SET body = '{text} ' || id WHERE id = {any}",
    "UPDATE docs SET n = n + 1 WHERE id = {any}",
    "UPDATE docs SET body = NULL WHERE id = {any}",
    "DELETE FROM docs WHERE id = {any}",
    "INSERT INTO docs VALUES ({any}, '{text}') ON CONFLICT (id) DO UPDATE SET body = excluded.body",
    "UPDATE docs SET id = {new} WHERE id = {any}",
    "UPDATE docs SET body = '{text} ' || id WHERE id BETWEEN {low} AND {high}",
    "UPDATE docs AS d SET body = '{text} ' || d.id FROM (SELECT id FROM docs WHERE id BETWEEN {low} AND {high} ORDER BY id DESC FOR UPDATE) AS o WHERE o.id = d.id",
    "BEGIN; UPDATE docs SET body = '{text}' WHERE id = {high}; UPDATE docs SET body = '{text}' WHERE id = {low}; COMMIT",
    "BEGIN; DELETE FROM docs WHERE id = {high}; INSERT INTO docs VALUES ({new}, '{text}'); UPDATE docs SET body = '{text}' WHERE id = {low}; ROLLBACK",
    "INSERT INTO docs SELECT g, '{text} ' || g FROM generate_series({high}, {low}, -1) AS g ON CONFLICT (id) DO UPDATE SET body = excluded.body",
    "DELETE FROM docs WHERE id BETWEEN {low} AND {high} AND id % 3 = 0",
    (
        "MERGE INTO docs USING (VALUES ({low}::bigint), ({high}), ({new})) AS v (id) ON docs.id = v.id WHEN MATCHED AND v.id = {low} THEN DELETE "
        "WHEN MATCHED THEN UPDATE SET body = '{text} merged' WHEN NOT MATCHED AND v.id = {new} THEN INSERT VALUES (v.id, '{text} merged in')"
    ),
)


def write(conn: Connection, writer: int, dice: random.Random, new: Iterator[int], until: float) -> float:
    """Run statements until a time, and return how long the longest took; one that fails, fails the test."""
    conn.execute("SET lock_timeout = '10s'")
    longest = 0.0
    step = 0
    while (begun := time.monotonic()) < until:
        step += 1
        low = writer * KEYS + dice.randrange(KEYS - 1)
        words = {
            "any": dice.randrange(WRITERS * KEYS),
            "low": low,
            "high": min(low + dice.randint(1, 10), (writer + 1) * KEYS - 1),
            "new": next(new),
            "text": f"text {writer} {step}",
        }
        if dice.random() < 0.1:
            with conn.cursor().copy("COPY docs (id, body) FROM STDIN") as copy:
                for _ in range(5):
                    copy.write_row((next(new), words["text"]))
        else:
            conn.execute(dice.choice(STATEMENTS).format(**words).encode())
        longest = max(longest, time.monotonic() - begun)
    return longest


def write_alone(conn: Connection, until: float) -> float:
    """Update a row that nobody else wants until a time, and return how long the longest statement took."""
    conn.execute("CREATE TABLE alone AS SELECT 0 AS n")
    longest = 0.0
    while (begun := time.monotonic()) < until:
        conn.execute("UPDATE alone SET n = n + 1")
        longest = max(longest, time.monotonic() - begun)
    return longest


def test_writers_and_workers_never_stand_in_each_others_way(db: FaultDatabase, dice: random.Random) -> None:
    """Two jobs on one table, one to a column of it and one to a table of its own."""
    db.make_docs(batch_size=dice.randint(5, 40))
    db.define(name="aside", target="table", batch_size=dice.randint(5, 40))
    db.mend(latency=0.005)
    db.execute("INSERT INTO docs SELECT g, 'text ' || g FROM generate_series(0, %s) AS g", [WRITERS * KEYS - 1])
    new = itertools.count(10_000)
    until = time.monotonic() + SECONDS
    seeds = [dice.randrange(2**32) for _ in range(WRITERS)]
    longest: list[float] = []
    alone: list[float] = []

    def writing(writer: int) -> None:
        with db.connect() as conn:
            longest.append(write(conn, writer, random.Random(seeds[writer]), new, until))

    def writing_alone() -> None:
        with db.connect() as conn:
            alone.append(write_alone(conn, until))

    def slowing() -> None:
        time.sleep(SECONDS - SLOW_SECONDS)
        db.mend(latency=CALL_SECONDS)

    def working() -> None:
        with db.connect() as conn:
            while time.monotonic() < until:
                conn.execute("CALL vectorize.work(NULL, 5)")

    writers = [partial(writing, writer) for writer in range(WRITERS)]
    in_threads(*writers, writing_alone, slowing, *[working] * 4)
    assert max(longest) < max(alone) + LONGEST_WAIT_SECONDS
    db.mend()
    db.work_together(4)
    assert db.rows("SELECT deadlocks, conflicts FROM pg_stat_database WHERE datname = current_database()") == [(0, 0)]
    assert db.wrong() == []
    assert db.wrong_in_table() == []
    rows = db.value("SELECT count(*) FROM docs")
    for job in ("docs", "aside"):
        status = db.status(job)
        assert (status["state"], status["pending"], status["leased"], status["quarantined"]) == ("active", 0, 0, 0)
        assert status["rows"] == rows
        assert db.value("CALL vectorize.verify(%s)", [job]) == {"missing": 0, "stale": 0, "orphaned": 0}
    assert db.rows("SELECT * FROM vectorize.failures") == []
