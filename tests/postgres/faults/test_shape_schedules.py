# ruff: noqa: E501 - statements read better on one line
"""Random schedules of changes of a job's shape (size, place, chunks), with writers and workers that stop and die beside them."""

from __future__ import annotations

import random
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import psycopg
from hypothesis import given
from hypothesis import strategies as st

from tests.postgres.faults.drill import FaultServer
from tests.postgres.faults.schedules import Workers, drawn_by
from tests.postgres.test_generations import complete

EXAMPLES = 30
WORKERS = 2
BATCH = 7

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
    "insert": "INSERT INTO docs SELECT g, '{text} ' || g FROM generate_series({low}, {high}) AS g ON CONFLICT DO NOTHING",
    "update": "UPDATE docs SET body = '{text} ' || id WHERE id BETWEEN {low} AND {high}",
    "long": "UPDATE docs SET body = (SELECT string_agg('{text} ' || id || ' has a sentence number ' || s || '.', ' ') FROM generate_series(1, 40) AS s) WHERE id BETWEEN {low} AND {high}",
    "edit": "UPDATE docs SET body = replace(body, 'number 20.', '{text}.') WHERE id BETWEEN {low} AND {high}",
    "empty": "UPDATE docs SET body = '' WHERE id = {low}",
    "delete": "DELETE FROM docs WHERE id BETWEEN {low} AND {high}",
    "re-key": "UPDATE docs SET id = id + 1000 WHERE id = {low}",
    "truncate": "TRUNCATE docs",
}

EVENTS = st.one_of(
    st.tuples(st.just("write"), st.sampled_from(sorted(WRITES)), st.integers(1, 12), st.integers(0, 4)),
    st.tuples(st.just("shape"), st.sampled_from(sorted(SHAPES))),
    st.tuples(st.just("administer"), st.sampled_from(["rollback", "discard", "verify", "pause", "resume"])),
    st.tuples(st.just("start")),
    st.tuples(st.just("step"), st.integers(0, WORKERS - 1), st.integers(1, 3)),
    st.tuples(st.just("kill"), st.integers(0, WORKERS - 1)),
    st.tuples(st.just("work")),
)


@dataclass
class Schedule(Workers):
    """One run: the database and its workers, which stop before a call and after its answer."""

    used: int = 0

    def write(self, what: str, low: int, more: int) -> None:
        """Run a writer's statement; none may fail."""
        self.used += 1
        with suppress(psycopg.errors.UniqueViolation):  # a key that was moved twice
            self.db.execute(WRITES[what].format(text=f"text {self.used}", low=low, high=low + more))

    def shape(self, name: str) -> None:
        """Ask for another shape, or for one that was there before."""
        self.db.define(**{"target": "column", "batch_size": BATCH} | SHAPES[name])

    def administer(self, what: str) -> None:
        """Do what an administrator does; the oldest generation is the one to discard."""
        if what == "discard":
            self.let_go()
            oldest = "(SELECT min(generation) FROM vectorize.generations WHERE job = 'docs' AND standing = 'previous')"
            if (generation := self.db.value(f"SELECT {oldest}")) is not None:
                self.db.execute(f"CALL vectorize.discard('docs', {generation})")
            return
        with suppress(psycopg.errors.ObjectNotInPrerequisiteState):  # nothing to go back to
            self.db.execute(f"CALL vectorize.{what}('docs')")

    def start(self) -> None:
        """Start a worker."""
        if len(self.workers) < WORKERS:
            self.workers.append(self.db.worker("call", "answer"))
            self.workers[-1].rest()

    def kill(self, which: int) -> None:
        """End a worker's session wherever it is."""
        if which < len(self.workers):
            self.workers.pop(which).terminate()

    def work(self) -> None:
        """Let another worker do all that is left."""
        self.db.work()

    def end(self) -> None:
        """Let everybody finish, and compare what searches use with the texts that are there."""
        self.let_go()
        self.db.finish()
        complete(self.db)
        self.db.work()
        [(source, target, place, column, dimensions)] = self.db.rows(
            "SELECT source::text, target, target_table::text, target_column, dimensions FROM vectorize.job WHERE name = 'docs' AND operation = 'embed' AND standing = 'current'"
        )
        chunked = source != "docs"
        rows = source if target == "column" else f"docs LEFT JOIN {place} USING (id)"
        text = "content" if chunked else "body"
        needs = f"CASE WHEN {text} ~ '\\S' THEN azure_openai.vector_of({text}, {dimensions})::vector::real[] END"
        assert self.db.rows(f"SELECT {text} FROM {rows} WHERE {column}::real[] IS DISTINCT FROM {needs}") == []
        if target == "table":
            assert self.db.rows(f"SELECT id FROM {place} WHERE id NOT IN (SELECT id FROM docs)") == []
        if chunked:
            squeezed = "regexp_replace(string_agg(content, '' ORDER BY chunk), '\\s', '', 'g')"
            cut = dict(self.db.rows(f"SELECT id, {squeezed} FROM {source} GROUP BY id"))
            whole = dict(self.db.rows("SELECT id, regexp_replace(body, '\\s', '', 'g') FROM docs WHERE body ~ '\\S'"))
            assert cut == whole
        status = self.db.status()
        assert (status["state"], status["pending"], status["leased"], status["quarantined"]) == ("active", 0, 0, 0)
        assert self.db.value("CALL vectorize.verify('docs')") == {"missing": 0, "stale": 0, "orphaned": 0}
        assert self.db.work() == {"embedded": 0, "requests": 0}


def run(server: FaultServer, events: list[tuple[Any, ...]]) -> None:
    """Run one schedule and check its end."""
    db = server.new_database()
    schedule = Schedule(db)
    with schedule.run(f"{events=}"):
        db.make_docs(10, batch_size=BATCH)
        for name, *arguments in events:
            getattr(schedule, name)(*arguments)
        schedule.end()


def test_whatever_shape_a_job_takes_searches_use_vectors_of_the_present_texts(
    server: FaultServer, dice: random.Random
) -> None:
    @drawn_by(dice, EXAMPLES)
    @given(events=st.lists(EVENTS, min_size=4, max_size=20))
    def schedules(events: list[tuple[Any, ...]]) -> None:
        run(server, events)

    schedules()
