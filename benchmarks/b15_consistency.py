# ruff: noqa: E501 - statements read better on one line
"""B15: after a hundred thousand concurrent changes, and signal 9 to workers, to sessions and to the server, is every vector its row's present one.

Half of the workers are a process as it runs beside a database. It is killed; so is one of its sessions, after which the server
ends all others and recovers by itself; so are all processes of the server at once, as by a power cut.
"""

from __future__ import annotations

import random
import threading
import time
from collections import Counter

import psycopg

from benchmarks.outcome import Figure, Outcome, never
from benchmarks.server import BenchDatabase, Connection
from benchmarks.suite import Bench
from benchmarks.worker_process import WorkerProcess
from benchmarks.workers import drain, running, side_by_side
from database.worker import APPLICATION_NAME

ID = "B15"
TITLE = "wrong vectors and users' errors after changes, truncates and crashes"
SECONDS = 70.0
RUNS = 1

CHANGES = 100_000
WRITERS = 4
WORKERS = 2  # threads, and as many in a process
KEYS_A_WRITER = 4_000
DIMENSIONS = 256
LATENCY = 0.02
WAIT_SECONDS = 60.0
PROCESS, SESSION, SERVER = "a process of workers", "a session of a worker", "the server"
KILLS = (PROCESS, SERVER, PROCESS, SESSION)


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
    """Let writers, each on keys of its own, change rows while workers embed and all are killed but the writers; then compare."""
    seed = random.randrange(10**6)
    bench.progress.say(f"seed {seed}")
    wanted, kills = bench.size((CHANGES, 2 * KILLS), (2_000, KILLS))
    count = _Count()
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
            side_by_side([*writers, lambda: _kill(database, count, wanted, kills)])
        with bench.progress.step("the rest of the queue", 15):
            drain(database, WORKERS)
            database.wait_until_quiet()
        wrong = database.wrong(DIMENSIONS)
        report = database.value("CALL vectorize.verify('docs')")
    killed = ", ".join(f"{what} {times} times" for what, times in Counter(kills).items())
    note = f"{count.total():,} changed rows, {count.truncates} truncates; killed with signal 9: {killed}"
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


def _kill(database: BenchDatabase, count: _Count, wanted: int, kills: tuple[str, ...]) -> None:
    """Kill with signal 9 what is named, one after the other, at even shares of the changes."""
    process = WorkerProcess(database, WORKERS)
    try:
        for number, what in enumerate(kills, 1):
            while count.total() < wanted * number / (len(kills) + 1):
                threading.Event().wait(0.01)
            session = _session(database, process)
            if what == PROCESS:
                process.kill()
                process = WorkerProcess(database, WORKERS)
            elif what == SESSION:
                database.server.kill_session(session)
                database.reconnect()
            else:
                database.server.kill()
                database.reconnect()
    finally:
        process.end()


def _session(database: BenchDatabase, process: WorkerProcess) -> int:
    """Return the pid of a session in which the process works, once there is one."""
    deadline = time.monotonic() + WAIT_SECONDS
    working = "SELECT pid FROM pg_stat_activity WHERE application_name = %s AND query LIKE 'CALL vectorize.work%%' AND state = 'active'"
    while not (found := database.rows(working, [APPLICATION_NAME])):
        process.check()
        if time.monotonic() > deadline:
            raise TimeoutError(f"the process of workers did not work within {WAIT_SECONDS:g} s: {database.status()}")
        threading.Event().wait(0.01)
    return int(found[0][0])
