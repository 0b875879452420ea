"""What random schedules share: workers, a service that fails, a user who holds rows; how one is drawn and shrunk."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg
from hypothesis import HealthCheck, Phase, seed, settings

from tests.postgres.faults.drill import FaultDatabase, Worker, wait_until
from tests.postgres.vector_server import Connection

Test = Callable[..., None]

BATCH = 8  # rows, at most

CALL = "azure_openai.create_embeddings: "
SOON = "Please retry after 20 milliseconds."
BAD_INPUT = CALL + "400: This model's maximum context length is 8192 tokens."
# How a call may fail: as the stub says it, and the error's message. These are not paid for.
REFUSALS = {
    "429": ("error", CALL + "429: Too many. " + SOON),
    "429 without a wait": ("error", CALL + "429: Too many."),
    "500": ("error", CALL + "500: The server had an error. " + SOON),
    "503": ("error", CALL + "503: Later. " + SOON),
    "denied": ("error", CALL + "401: Access denied. " + SOON),
    "no deployment": ("error", CALL + "404: There is no such deployment. " + SOON),
}
# These are paid for.
SPOILT = {
    "lost": ("lost", CALL + "408: no answer. " + SOON),
    "half a body": ("lost", CALL + "error decoding response body: unexpected end of file"),
    "short": ("short", None),
    "long": ("long", None),
    "wide": ("wide", None),
}
STOPPING = {"denied", "no deployment", "wide"}

# What a user's transaction does to the rows that it holds.
HOLDS = {
    "lock": "SELECT FROM docs WHERE id BETWEEN {low} AND {high} FOR UPDATE",
    "count": "UPDATE docs SET n = n + 1 WHERE id BETWEEN {low} AND {high}",
    "update": "UPDATE docs SET body = '{text} ' || id WHERE id BETWEEN {low} AND {high}",
}


@dataclass
class Workers:
    """A database, its workers, which stop at their gates, a user's open transaction, and what may be paid for again."""

    db: FaultDatabase
    most: int = 0  # workers at a time
    gates: tuple[str, ...] = ()
    workers: list[Worker] = field(default_factory=list)
    user: Connection | None = None
    commits: bool = False
    used: int = 1000  # numbers, so that each text is new
    paused: bool = False
    refused: int = 0  # calls
    twice: int = 0  # texts
    held: int = 0  # rows that users held; workers may have their vectors in hand
    stops: int = 0  # how often the job may stop

    def texts_twice(self) -> int:
        """Return how many texts may be paid for once more; when a job stops, workers drop what they have in hand."""
        return self.twice + self.stops * self.held

    def start(self, count: int) -> None:
        """Start workers; each stops before its first call."""
        for _ in range(min(count, self.most - len(self.workers))):
            worker = self.db.worker(*self.gates, seconds=40)  # less than a test's patience
            self.workers.append(worker)
            worker.rest()

    def step(self, which: int, times: int) -> None:
        """Let a worker go on to its next gates."""
        for _ in range(times):
            if which < len(self.workers) and self.workers[which].step() is None and self.workers[which].ended:
                self.workers.pop(which).finish()

    def let_go(self) -> None:
        """Let the user and all workers run to their end."""
        self.release()
        for worker in self.workers:
            worker.open()
        while self.workers:
            self.workers.pop().finish()

    def terminate(self, which: int) -> None:
        """End a worker's session wherever it is."""
        if which < len(self.workers):
            self.lose(self.workers[which])
            self.workers.pop(which).terminate()

    def lose(self, worker: Worker) -> None:
        """Allow for what a worker has that dies."""
        self.twice += BATCH * (worker.at() != "call") + self.held

    def doubt(self) -> None:
        """Allow for what all workers have: its rows are asked for anew."""
        self.twice += (BATCH + self.held) * len(self.workers)

    def fault(self, kind: str) -> None:
        """Let the next call fail."""
        answer, message = (REFUSALS | SPOILT)[kind]
        self.db.fault(answer, message, calls=1)
        self.refused += kind in REFUSALS
        self.twice += BATCH * (kind in SPOILT)
        self.stops += kind in STOPPING

    def write(self, statement: str) -> int:
        """Run a writer's statement, which gives up where it meets rows that are held; return how many it changed."""
        with self.db.connect() as conn:
            conn.execute("SET lock_timeout = '100ms'")
            try:
                return max(0, conn.execute(statement.encode()).rowcount)
            except psycopg.errors.LockNotAvailable:
                assert self.user or self.settling()
                return 0

    def settling(self) -> bool:
        """Return whether a worker is in the middle of a settle, with locks on the rows that it writes."""
        return any(worker.at() == "settle" for worker in self.workers)

    def hold(self, what: str, low: int, commits: bool) -> int:
        """Let a user's transaction take up to three rows and stay open, after the one before; return how many."""
        self.release()
        self.used += 1000
        user = self.db.connect()
        user.autocommit = False
        user.execute("SET lock_timeout = '100ms'")
        try:
            statement = HOLDS[what].format(text=f"text {self.used}", low=low, high=low + 2)
            rows = user.execute(statement.encode()).rowcount
        except psycopg.errors.LockNotAvailable:
            assert self.settling()
            user.close()
            return 0
        self.user, self.commits = user, commits
        self.held += rows
        return rows

    def release(self) -> None:
        """End the user's transaction."""
        if self.user:
            (self.user.commit if self.commits else self.user.rollback)()
            self.user.close()
            self.user = None

    def work(self) -> None:
        """Let another worker do all that is left; it would wait for one that is in the middle of a settle."""
        if not self.settling():
            # Rows that a user holds would keep it till its time ends; what it has in hand is lost then.
            self.db.work(seconds=0.3 if self.user else 60)
            self.twice += self.held if self.user else 0

    def administer(self, action: Callable[[], object]) -> None:
        """Do what an administrator does; whoever is in the way goes on."""
        if self.stopped():
            self.doubt()  # when it goes on, all rows are looked at anew

        def through() -> bool:
            if not done.done() and self.db.waits(pid):
                self.make_way()
            return done.done()

        pid = self.db.conn.info.backend_pid
        with ThreadPoolExecutor(1) as pool:
            done = pool.submit(action)
            wait_until(through, "the administrator is through")
            done.result()

    def make_way(self) -> None:
        """Let go of the locks that sessions hold while they are made to wait."""
        self.release()
        for worker in self.workers:
            while worker.at() == "settle":
                worker.step()

    def states(self) -> set[str]:
        """Return the states of what searches use, or will use."""
        live = "SELECT DISTINCT state FROM vectorize.job AS j WHERE state <> 'removed' AND vectorize.is_live(j)"
        return {row[0] for row in self.db.superuser(live)}

    def stopped(self) -> bool:
        """Return whether a job stands still that nobody paused; only some faults may have brought that about."""
        stopped = "stopped" in self.states()
        assert self.stops or not stopped, self.db.status()["reason"]
        return stopped

    def resume(self) -> None:
        """Let jobs go on that somebody paused, or that stopped."""
        assert self.paused or "paused" not in self.states()
        if self.paused or self.stopped():
            for (job,) in self.db.rows("SELECT name FROM vectorize.status"):
                self.db.execute("CALL vectorize.resume(%s)", [job])

    @contextmanager
    def run(self, drawn: str) -> Iterator[None]:
        """Say what was drawn when the block fails; end the sessions and drop the database in any case."""
        try:
            yield
        except Exception:
            print(f"broken by {drawn}")  # the last of these is the shortest, even when time runs out
            raise
        finally:
            if self.user:
                self.user.close()
            for worker in self.workers:
                if not worker.ended:
                    worker.terminate()
            self.db.close()


def drawn_by(dice: random.Random, rounds: int) -> Callable[[Test], Test]:
    """Return a decorator that runs a test of `given` by the dice, ten examples a round, and shrinks what breaks it.

    After ten examples hypothesis makes five of six by copying parts of one within it, which are hardly new schedules.
    """

    def decorate(test: Any) -> Any:
        drawn: Any = settings(
            max_examples=10,
            deadline=None,
            derandomize=False,
            print_blob=True,
            database=None,
            phases=[Phase.generate, Phase.shrink],
            suppress_health_check=list(HealthCheck),
        )(test)

        def run() -> None:
            for _ in range(rounds):
                seed(dice.randrange(2**32))(drawn)()

        return run

    return decorate
