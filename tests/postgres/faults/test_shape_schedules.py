# ruff: noqa: E501 - statements read better on one line
"""Random schedules of changes of a job's shape (size, place, chunks), while users write, workers die and the service fails."""

from __future__ import annotations

import random
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import psycopg
from hypothesis import given
from hypothesis import strategies as st

from tests.postgres.faults.drill import FaultServer
from tests.postgres.faults.schedules import BATCH, HOLDS, REFUSALS, SPOILT, Workers, drawn_by
from tests.postgres.promise import settled
from tests.postgres.test_generations import complete

ROUNDS = 4
WORKERS = 2

CHUNKING = {"max_tokens": 40, "overlap": 0}
SHAPES: dict[str, dict[str, Any]] = {
    "small column": {"dimensions": 4},
    "large column": {"dimensions": 8},
    "table": {"dimensions": 8, "target": "table"},
    "chunks": {"dimensions": 8, "target": "table", "chunking": CHUNKING},
    "small chunks": {"dimensions": 4, "target": "table", "chunking": CHUNKING},
    "larger chunks": {"dimensions": 8, "target": "table", "chunking": CHUNKING | {"max_tokens": 80}},
}
# {text} is new each time, {low} to {high} are keys.
WRITES = {
    "insert": "INSERT INTO docs (id, body) SELECT g, '{text} ' || g FROM generate_series({low}, {high}) AS g ON CONFLICT DO NOTHING",
    "update": "UPDATE docs SET body = '{text} ' || id WHERE id BETWEEN {low} AND {high}",
    "long": "UPDATE docs SET body = (SELECT string_agg('{text} ' || id || ' has a sentence number ' || s || '.', ' ') FROM generate_series(1, 40) AS s) WHERE id BETWEEN {low} AND {high}",
    "edit": "UPDATE docs SET body = replace(body, 'number 20.', '{text}.') WHERE id BETWEEN {low} AND {high}",
    "empty": "UPDATE docs SET body = '' WHERE id = {low}",
    "delete": "DELETE FROM docs WHERE id BETWEEN {low} AND {high}",
    "re-key": "UPDATE docs SET id = id + 1000 WHERE id = {low}",
    "move": "UPDATE docs SET part = part + 1 WHERE id BETWEEN {low} AND {high}",
    "truncate": "TRUNCATE docs",
}
KEYS = ["id", "id, part"]
# A chunk has at least a third of its 40 tokens, and these are more than 3 characters each.
TEXTS = "coalesce(sum(1 + length(body) / 40), 0)"

EVENTS = st.one_of(
    st.tuples(st.just("change"), st.sampled_from(sorted(WRITES)), st.integers(1, 12), st.integers(0, 4)),
    st.tuples(st.just("shape"), st.sampled_from(sorted(SHAPES))),
    st.tuples(st.just("call"), st.sampled_from(["rollback", "discard", "verify", "pause", "resume"])),
    st.tuples(st.just("start"), st.integers(1, WORKERS)),
    st.tuples(st.just("step"), st.integers(0, WORKERS - 1), st.integers(1, 3)),
    st.tuples(st.just("terminate"), st.integers(0, WORKERS - 1)),
    st.tuples(st.just("work")),
    st.tuples(st.just("fault"), st.sampled_from(sorted(REFUSALS))),
    st.tuples(st.just("fault"), st.sampled_from(sorted(SPOILT))),
    st.tuples(st.just("hold"), st.sampled_from(sorted(HOLDS)), st.integers(1, 12), st.booleans()),
    st.tuples(st.just("release")),
)


@dataclass
class Schedule(Workers):
    """One run: the database and its workers, which stop before a call and after its answer."""

    most: int = WORKERS
    gates: tuple[str, ...] = ("call", "answer")
    key: str = "id"
    texts: int = 0  # that may be paid for, but for those that are paid for again

    def change(self, what: str, low: int, more: int) -> None:
        """Let a writer change rows; none may fail."""
        self.used += 1
        before = self.texts_present()
        with suppress(psycopg.errors.UniqueViolation):  # a key that was moved twice
            rows = self.write(WRITES[what].format(text=f"text {self.used}", low=low, high=low + more))
            pieces = max(before, self.texts_present()) if what in ("long", "edit", "re-key", "move") else rows
            self.texts += pieces * self.vectors()

    def texts_present(self) -> int:
        """Return how many texts there are at most, whole or in chunks."""
        return int(self.db.value(f"SELECT {TEXTS} FROM docs"))

    def vectors(self) -> int:
        """Return how many vectors a text has: one in each generation that is not only kept, of each job."""
        return int(self.db.value("SELECT count(*) FROM vectorize.generations WHERE standing <> 'previous'"))

    def shape(self, name: str) -> None:
        """Ask for another shape, or for one that was there before."""
        spec: dict[str, Any] = {"target": "column", "batch_size": BATCH} | SHAPES[name]
        self.texts += self.texts_present()
        self.administer(lambda: self.db.define(**spec))

    def call(self, what: str) -> None:
        """Do what an administrator does; the oldest generation is the one to discard."""
        if what == "discard":
            self.let_go()
            oldest = "(SELECT min(generation) FROM vectorize.generations WHERE job = 'docs' AND standing = 'previous')"
            if (generation := self.db.value(f"SELECT {oldest}")) is not None:
                self.db.execute(f"CALL vectorize.discard('docs', {generation})")
            return
        if what == "rollback":
            self.texts += self.texts_present()
        with suppress(psycopg.errors.ObjectNotInPrerequisiteState):  # nothing to go back to
            self.administer(lambda: self.db.execute(f"CALL vectorize.{what}('docs')"))
            self.paused = what == "pause" or (self.paused and what != "resume")

    def hold(self, what: str, low: int, commits: bool) -> int:
        """Let a user's transaction hold rows; before it ends another shape may be asked for."""
        rows = super().hold(what, low, commits)
        self.texts += rows * (self.vectors() + 1)
        return rows

    def end(self) -> None:
        """Let everybody finish, and compare what searches use with the texts that are there."""
        self.let_go()
        self.db.mend()
        self.resume()
        self.db.work_together(2)
        complete(self.db)
        self.db.work()
        [(source, target, place, column, dimensions)] = self.db.rows(
            "SELECT source::text, target, target_table::text, target_column, dimensions FROM vectorize.job WHERE name = 'docs' AND operation = 'embed' AND standing = 'current'"
        )
        chunked = source != "docs"
        rows = source if target == "column" else f"docs LEFT JOIN {place} USING ({self.key})"
        text = "content" if chunked else "body"
        needs = f"CASE WHEN {text} ~ '\\S' THEN azure_openai.vector_of({text}, {dimensions})::vector::real[] END"
        assert self.db.rows(f"SELECT {text} FROM {rows} WHERE {column}::real[] IS DISTINCT FROM {needs}") == []
        if target == "table":
            orphans = f"SELECT {self.key} FROM {place} WHERE ({self.key}) NOT IN (SELECT {self.key} FROM docs)"
            assert self.db.rows(orphans) == []
        if chunked:
            squeezed = "regexp_replace(string_agg(content, '' ORDER BY chunk), '\\s', '', 'g')"
            cut = dict(self.db.rows(f"SELECT ROW({self.key})::text, {squeezed} FROM {source} GROUP BY {self.key}"))
            whole = f"SELECT ROW({self.key})::text, regexp_replace(body, '\\s', '', 'g') FROM docs WHERE body ~ '\\S'"
            assert cut == dict(self.db.rows(whole))
        for (job,) in self.db.rows("SELECT name FROM vectorize.status"):
            status = self.db.status(job)
            assert (status["state"], status["pending"], status["leased"], status["quarantined"]) == ("active", 0, 0, 0)
            assert self.db.value("CALL vectorize.verify(%s)", [job]) == {"missing": 0, "stale": 0, "orphaned": 0}
        assert self.db.rows("SELECT FROM vectorize.lease") == []
        assert self.db.work() == {"embedded": 0, "requests": 0}
        # Each text that was there or was written, for each vector that it needs; all of them again when another shape is asked for, or
        # an earlier one; and what was lost on the way: a batch for each worker that died past its call and for each answer that was of
        # no use, and what workers had in hand. Refused is each call that is to fail, and no other.
        assert sum(self.db.paid().values()) <= self.texts + self.texts_twice()
        assert self.db.calls("refused") <= self.refused


def run(server: FaultServer, key: str, beside: bool, workers: int, events: list[tuple[Any, ...]]) -> None:
    """Run one schedule and check its end."""
    db = server.new_database()
    schedule = Schedule(db, key=key)
    with schedule.run(f"{key=} {beside=} {workers=} {events=}"):
        db.execute(
            f"CREATE TABLE docs (id bigint, part integer DEFAULT 0, body text, n integer DEFAULT 0, PRIMARY KEY ({key}))"
        )
        db.execute("INSERT INTO docs (id, body) SELECT g, 'text ' || g FROM generate_series(1, 10) AS g")
        db.define(batch_size=BATCH)
        if beside:
            db.define(name="beside", target="table", column="beside", batch_size=BATCH)
        schedule.texts = 10 * schedule.vectors()
        schedule.start(workers)
        for name, *arguments in events:
            getattr(schedule, name)(*arguments)
        schedule.end()
        if beside:
            settled(db, job="beside")


def test_whatever_shape_a_job_takes_searches_use_vectors_of_the_present_texts(
    server: FaultServer, dice: random.Random
) -> None:
    """On a table with a simple or a composite key, with another job beside it or none."""

    @drawn_by(dice, ROUNDS)
    @given(
        key=st.sampled_from(KEYS),
        beside=st.booleans(),
        workers=st.integers(0, WORKERS),
        events=st.lists(EVENTS, min_size=8, max_size=28),
    )
    def schedules(key: str, beside: bool, workers: int, events: list[tuple[Any, ...]]) -> None:
        run(server, key, beside, workers, events)

    schedules()
