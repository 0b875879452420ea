# ruff: noqa: E501 - statements read better on one line
"""B15: after a hundred thousand concurrent changes and kill -9 of workers and server, is every vector its row's present one."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter

import psycopg

from benchmarks.outcome import Figure, Outcome, never
from benchmarks.server import SUPERUSER, BenchDatabase, Connection
from benchmarks.suite import Bench
from benchmarks.workers import drain, running, side_by_side

ID = "B15"
TITLE = "wrong vectors and users' errors after changes, truncates and crashes"
SECONDS = 40.0
RUNS = 1

CHANGES = 100_000
WRITERS = 4
WORKERS = 4
KEYS_A_WRITER = 4_000
DIMENSIONS = 256
LATENCY = 0.02
KILL_EVERY_SECONDS = 3.0


class _Count:
    """What the writers did, and what they were told."""

    def __init__(self) -> None:
        self.changes: Counter[int] = Counter()
        self.errors: list[str] = []
        self.truncates = 0

    def total(self) -> int:
        """Return the rows changed."""
        return sum(self.changes.values())


def run(bench: Bench) -> Outcome:
    """Let writers, each on keys of its own, change rows while workers embed and both are killed; then compare."""
    seed = random.randrange(10**6)
    bench.progress.say(f"seed {seed}")
    wanted, server_kills = bench.size((CHANGES, 2), (2_000, 1))
    count = _Count()
    killed = Counter[str]()
    with bench.database() as database:
        database.network(LATENCY)
        database.make_docs(0)
        database.define(dimensions=DIMENSIONS)
        writers = [
            lambda number=number: _write(database, count, number, random.Random(seed + number), wanted // WRITERS)
            for number in range(WRITERS)
        ]
        done = lambda: count.total() / wanted  # noqa: E731 - a share to show
        with bench.progress.step(f"{wanted:,} changes", 80, done), running(database, WORKERS) as worker_errors:
            side_by_side(
                [*writers, lambda: _kill(database, count, wanted, server_kills, random.Random(seed - 1), killed)]
            )
        with bench.progress.step("the rest of the queue", 15):
            drain(database, WORKERS)
            database.wait_until_quiet()
        wrong = database.wrong(DIMENSIONS)
        report = database.value("CALL vectorize.verify('docs')")
    note = f"{count.total():,} changed rows, {count.truncates} truncates, {killed['server']} kills of the server, {killed['worker']} of workers"
    figures = [
        Figure("vectors that are not those of the present text", wrong, "", never(), f"{note}; seed {seed}"),
        Figure("rows that vectorize.verify finds different", sum(report.values()), "", never()),
        Figure(
            "errors that users saw because of the engine", len(count.errors), "", never(), "; ".join(count.errors[:2])
        ),
        Figure(
            "errors of workers other than being killed", len(worker_errors), "", never(), "; ".join(worker_errors[:2])
        ),
    ]
    return Outcome(figures)


def _write(database: BenchDatabase, count: _Count, writer: int, dice: random.Random, changes: int) -> None:
    """Change rows that no other writer touches, so that every error but that of a crash is the engine's."""
    while count.changes[writer] < changes:
        try:
            with database.connect() as conn:
                while count.changes[writer] < changes:
                    count.changes[writer] += _change(conn, count, writer, dice)
        except psycopg.Error as error:
            if not _crashed(error):
                count.errors.append(str(error).splitlines()[0])
            time.sleep(0.1)


def _crashed(error: psycopg.Error) -> bool:
    """Return whether an error only says that the server was killed or is starting again."""
    state = error.sqlstate
    return state is None or state.startswith(("08", "57P"))


def _change(conn: Connection, count: _Count, writer: int, dice: random.Random) -> int:
    """Make one change and return how many rows it changed."""
    low = writer * 1_000_000
    key = low + dice.randrange(KEYS_A_WRITER)
    text = f"{writer} {dice.random()}"
    match dice.choices(range(7), weights=(30, 20, 20, 10, 8, 12, 0.02))[0]:
        case 0:
            statement, values = "UPDATE docs SET body = %s || id WHERE id BETWEEN %s AND %s", [text, key, key + 4]
        case 1:
            statement = "INSERT INTO docs SELECT g, %s || g FROM generate_series(%s::bigint, %s) AS g ON CONFLICT (id) DO UPDATE SET body = excluded.body"
            values = [text, key, key + 3]
        case 2:
            statement, values = "UPDATE docs SET n = n + 1 WHERE id BETWEEN %s AND %s", [key, key + 4]
        case 3:
            statement, values = "DELETE FROM docs WHERE id BETWEEN %s AND %s", [key, key + 1]
        case 4:
            other = low + dice.randrange(KEYS_A_WRITER)
            statement = "UPDATE docs SET id = %s WHERE id = %s AND NOT EXISTS (SELECT FROM docs WHERE id = %s)"
            values = [other, key, other]
        case 5:
            statement, values = "UPDATE docs SET body = %s WHERE id = %s", [dice.choice(["", "same", None]), key]
        case _:
            count.truncates += 1
            statement, values = "TRUNCATE docs", []
    return max(0, conn.execute(statement.encode(), values).rowcount)


def _kill(
    database: BenchDatabase, count: _Count, wanted: int, server_kills: int, dice: random.Random, killed: Counter[str]
) -> None:
    """Kill sessions of workers now and then, and the server at even shares of the changes."""
    while count.total() < wanted:
        threading.Event().wait(KILL_EVERY_SECONDS if server_kills > 1 else 0.2)
        if killed["server"] < server_kills and count.total() > wanted * (killed["server"] + 1) / (server_kills + 1):
            database.server.kill()
            database.reconnect()
            killed["server"] += 1
            continue
        with database.connect(SUPERUSER) as conn:
            pids = conn.execute("SELECT pid FROM pg_stat_activity WHERE application_name = 'worker'").fetchall()
            if pids:
                conn.execute("SELECT pg_terminate_backend(%s)", [dice.choice(pids)[0]])
                killed["worker"] += 1
