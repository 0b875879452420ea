# ruff: noqa: E501 - statements read better on one line
"""Random schedules of all that can happen to a job, each shrunk to its shortest when one breaks the promise."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from typing import Any

import psycopg
from hypothesis import given
from hypothesis import strategies as st

from tests.postgres.faults.drill import FaultServer
from tests.postgres.faults.schedules import Workers, drawn_by

EXAMPLES = 40
MOST_BATCH = 8
WORKERS = 3

SOON = "Please retry after 20 milliseconds."
REFUSED = {
    "busy": "azure_openai.create_embeddings: 429: Too many. " + SOON,
    "unwell": "azure_openai.create_embeddings: 503: Later. " + SOON,
    "denied": "azure_openai.create_embeddings: 401: Access denied. " + SOON,
    "no deployment": "azure_openai.create_embeddings: 404: There is no such deployment. " + SOON,
}
BAD_INPUT = "azure_openai.create_embeddings: 400: This model's maximum context length is 8192 tokens."

# What a writer does to some keys; {text} is new each time, {low} to {high} are keys, {n} a number that was never used.
WRITES = {
    "insert": "INSERT INTO docs SELECT g, '{text} ' || g FROM generate_series({low}, {high}) AS g ON CONFLICT DO NOTHING",
    "upsert": "INSERT INTO docs SELECT g, '{text} ' || g FROM generate_series({low}, {high}) AS g ON CONFLICT (id) DO UPDATE SET body = excluded.body",
    "update": "UPDATE docs SET body = '{text} ' || id WHERE id BETWEEN {low} AND {high}",
    "update twice": "BEGIN; UPDATE docs SET body = '{text} a ' || id WHERE id = {high}; UPDATE docs SET body = '{text} b ' || id WHERE id IN ({low}, {high}); COMMIT",
    "roll back": "BEGIN; UPDATE docs SET body = 'never'; ROLLBACK",
    "count": "UPDATE docs SET n = n + 1 WHERE id BETWEEN {low} AND {high}",
    "empty": "UPDATE docs SET body = NULL WHERE id = {low}",
    "poison": "UPDATE docs SET body = 'poison {text}' WHERE id = {low}",
    "delete": "DELETE FROM docs WHERE id BETWEEN {low} AND {high}",
    "re-key": "UPDATE docs SET id = id + {n} WHERE id = {low}",
    "merge": "MERGE INTO docs USING generate_series({low}::bigint, {high}) AS g ON docs.id = g WHEN MATCHED AND g % 2 = 0 THEN DELETE WHEN MATCHED THEN UPDATE SET body = '{text} ' || g WHEN NOT MATCHED THEN INSERT VALUES (g, '{text} ' || g)",
    "truncate": "TRUNCATE docs",
}

key = st.integers(1, 30)
EVENTS = st.one_of(
    st.tuples(st.just("write"), st.sampled_from(sorted(WRITES)), key, st.integers(0, 12)),
    st.tuples(st.just("start"), st.integers(1, 3)),
    st.tuples(st.just("work")),
    st.tuples(st.just("step"), st.integers(0, WORKERS - 1), st.integers(1, 4)),
    st.tuples(st.just("kill"), st.integers(0, WORKERS - 1)),
    st.tuples(st.just("fault"), st.sampled_from([*REFUSED, "lost", "short", "long", "nan"])),
    st.tuples(st.just("call"), st.sampled_from(["pause", "resume", "retry", "verify", "reembed"])),
    st.tuples(st.just("remove")),
    st.tuples(st.just("define"), st.booleans(), st.integers(1, MOST_BATCH)),
)  # fmt: skip


@dataclass
class Schedule(Workers):
    """One run: the database, its workers, and what the contract allows so far."""

    text: str = "body"
    template: str = "{body}"
    twice: int = 0
    refused: int = 0
    used: int = 1000

    def write(self, what: str, low: int, more: int) -> None:
        """Run a writer's statement; one that meets rows of a settle that the schedule holds open gives up."""
        self.used += 1000
        statement = WRITES[what].format(text=f"text {self.used}", low=low, high=low + more, n=self.used)
        with self.db.connect() as conn:
            conn.execute("SET lock_timeout = '100ms'")
            try:
                conn.execute(statement.encode())
            except psycopg.errors.LockNotAvailable:
                assert any(worker.at() == "settle" for worker in self.workers)
        self.twice += what == "re-key"  # the same text under another key is another vector
        self.search_for_poison(what == "poison")

    def search_for_poison(self, rows: int) -> None:
        """Allow for the calls that find so many bad rows."""
        self.refused += rows * (math.ceil(math.log2(MOST_BATCH)) + 1)

    def start(self, count: int) -> None:
        """Start workers; each stops before its first call."""
        for _ in range(min(count, WORKERS - len(self.workers))):
            worker = self.db.worker("call", "answer", "settle")
            self.workers.append(worker)
            worker.rest()

    def work(self) -> None:
        """Let another worker do all that is left; it would wait for one that is in the middle of a settle."""
        if not any(worker.at() == "settle" for worker in self.workers):
            self.db.work()

    def kill(self, which: int) -> None:
        """End a worker's session wherever it is."""
        if which < len(self.workers):
            worker = self.workers.pop(which)
            self.twice += MOST_BATCH * (worker.at() != "call")
            worker.terminate()
            self.search_for_poison(self.poisoned())

    def fault(self, kind: str) -> None:
        """Let the next call fail."""
        if kind in REFUSED:
            self.db.fault("error", REFUSED[kind], calls=1)
            self.refused += 1
        else:
            self.db.fault(kind, f"azure_openai.create_embeddings: 408: no answer. {SOON}", calls=1)
            self.twice += MOST_BATCH

    def call(self, what: str) -> None:
        """Do what an administrator does."""
        self.db.execute(f"CALL vectorize.{what}('docs')")
        if what == "reembed":
            self.twice += self.db.value("SELECT count(*) FROM docs")
        if what in ("retry", "reembed"):
            self.search_for_poison(self.poisoned())

    def remove(self) -> None:
        """Remove the job, with whatever its workers have in hand, and define it again."""
        self.search_for_poison(self.poisoned())
        for worker in self.workers:
            worker.open()
        self.db.execute("CALL vectorize.remove('docs')")
        for worker in self.workers:
            worker.finish()
        self.workers.clear()
        self.db.define(target=self.db.target, template=self.template, batch_size=MOST_BATCH)

    def define(self, another_template: bool, batch: int) -> None:
        """Define the job anew, perhaps with a template that was never used."""
        if another_template:
            self.used += 1000
            self.template, self.text = f"{self.used} {{body}}", f"('{self.used} ' || coalesce(body, ''))"
            self.search_for_poison(self.poisoned())
        self.db.define(target=self.db.target, template=self.template, batch_size=batch)

    def poisoned(self) -> int:
        """Return how many rows the service refuses."""
        return int(self.db.value("SELECT count(*) FROM docs WHERE body LIKE 'poison%%'"))

    def end(self) -> None:
        """Let everybody finish; first with the bad rows still refused, then with a service that is well."""
        self.let_go()
        self.db.superuser("DELETE FROM azure_openai.fault WHERE pattern = '%'")
        self.search_for_poison(2 * self.poisoned())
        self.db.finish()
        bad = [row[0] for row in self.db.rows("SELECT id FROM docs WHERE body LIKE 'poison%%' ORDER BY id")]
        failed = "SELECT (key ->> 'id')::bigint FROM vectorize.failures WHERE error LIKE %s ORDER BY 1"
        assert self.db.rows(failed, ["%400%"]) == [(k,) for k in bad]
        odd = [row[0] for row in self.db.rows(failed, ["%NaN%"])]
        assert [row[0] for row in self.db.rows_wrong(self.text)] == sorted([*bad, *odd])[:10]
        self.db.mend()
        self.db.execute("CALL vectorize.retry('docs')")
        self.db.end(twice=self.twice, refused=self.refused, text=self.text)


def run(server: FaultServer, target: str, batch: int, events: list[tuple[Any, ...]]) -> None:
    """Run one schedule and check its end."""
    db = server.new_database()
    schedule = Schedule(db)
    with schedule.run(f"{target=} {batch=} {events=}"):
        db.start(target, batch, rows=12)
        db.fault("error", BAD_INPUT, pattern="%poison%")
        for name, *arguments in events:
            getattr(schedule, name)(*arguments)
        schedule.end()


def test_whatever_happens_every_text_gets_its_vector_and_nothing_is_paid_beyond_the_contract(
    server: FaultServer, dice: random.Random
) -> None:
    @drawn_by(dice, EXAMPLES)
    @given(
        target=st.sampled_from(["column", "table"]),
        batch=st.integers(1, MOST_BATCH),
        events=st.lists(EVENTS, min_size=4, max_size=24),
    )
    def schedules(target: str, batch: int, events: list[tuple[Any, ...]]) -> None:
        run(server, target, batch, events)

    schedules()
