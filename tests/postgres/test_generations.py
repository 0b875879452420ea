# ruff: noqa: E501 - statements read better on one line
"""A change of model, size or place: a generation beside the current one, a switch, a way back."""

from __future__ import annotations

import random
import threading
from typing import Any

import psycopg
import pytest

from tests.postgres.vector_server import VectorDatabase, in_threads

SEARCH = "SELECT key, content FROM vectorize.search('docs', %s, %s)"


def generations(db: VectorDatabase) -> list[tuple[Any, ...]]:
    return db.rows(
        "SELECT generation, standing, target, embedded FROM vectorize.generations WHERE job = 'docs' ORDER BY generation"
    )


def wrong(
    db: VectorDatabase, column: str, dimensions: int, table: str = "docs", text: str = "body"
) -> list[tuple[Any, ...]]:
    return db.rows(
        f"SELECT {text}, {column}::real[], azure_openai.vector_of({text}, {dimensions})::vector::real[] FROM {table} "
        f"WHERE {column}::real[] IS DISTINCT FROM azure_openai.vector_of({text}, {dimensions})::vector::real[]"
    )


@pytest.mark.parametrize("target", ["column", "table"])
def test_another_size_is_filled_beside_the_old_one_and_then_used(db: VectorDatabase, target: str) -> None:
    db.make_docs(250, target=target)
    db.work()
    db.notices.clear()
    db.define(target=target, dimensions=4)
    assert "searches use generation 1 until it is complete" in db.notices[0]
    assert [row[:2] for row in generations(db)] == [(1, "current"), (2, "next")]
    assert db.status()["next_generation"] == 2
    assert db.rows(SEARCH, ["text 77", 1])[0][0] == {"id": 77}
    assert db.work() == {"embedded": 250, "requests": 3}
    while db.status()["generation"] == 1:
        db.work(seconds=1)
    place = (
        ("column embedding", "column embedding_2")
        if target == "column"
        else ("table public.docs_embedding", "table public.docs_embedding_2")
    )
    assert generations(db) == [(1, "previous", place[0], 250), (2, "current", place[1], 250)]
    assert db.rows(SEARCH, ["text 77", 1])[0][0] == {"id": 77}
    if target == "column":
        assert wrong(db, "embedding_2", 4) == []
    status = db.status()
    assert (status["rows"], status["embedded"], status["pending"], status["next_generation"]) == (250, 250, 0, None)


def test_the_same_definition_again_leaves_the_generations_alone(db: VectorDatabase) -> None:
    db.make_docs(20)
    db.work()
    db.define(dimensions=4)
    db.notices.clear()
    db.define(dimensions=4)
    assert db.notices == []
    assert [row[:2] for row in generations(db)] == [(1, "current"), (2, "next")]
    complete(db)
    db.define(dimensions=4)
    assert db.notices == []
    assert db.work() == {"embedded": 0, "requests": 0}


def complete(db: VectorDatabase) -> None:
    """Work until no next generation is left."""
    while db.status()["next_generation"] is not None:
        db.work(seconds=2)
        for _, statement, _ in db.rows("SELECT * FROM vectorize.next_maintenance() LIMIT 1"):
            db.execute(statement)


def test_changes_reach_both_generations_until_the_switch_and_the_new_one_after_it(db: VectorDatabase) -> None:
    db.make_docs(30)
    db.work()
    db.define(dimensions=4)
    db.execute("UPDATE docs SET body = 'changed ' || id WHERE id <= 10")
    db.execute("DELETE FROM docs WHERE id = 30")
    complete(db)
    assert db.wrong() == []
    assert wrong(db, "embedding_2", 4) == []
    requests = db.calls()
    db.execute("UPDATE docs SET body = 'once more ' || id WHERE id <= 5")
    assert db.work()["embedded"] == 5
    assert db.calls() == requests + 1, "nothing is spent on the generation that is only kept"
    assert len(db.wrong()) == 5


def test_a_rollback_is_at_once_and_embeds_only_what_changed_since(db: VectorDatabase) -> None:
    db.make_docs(30)
    db.work()
    db.define(dimensions=4)
    complete(db)
    db.execute("UPDATE docs SET body = 'changed ' || id WHERE id <= 5")
    db.work()
    db.execute("CALL vectorize.rollback('docs')")
    assert db.status()["generation"] == 1
    assert db.rows(SEARCH, ["text 20", 1])[0][0] == {"id": 20}
    assert db.work()["embedded"] == 5
    assert db.wrong() == []
    # The definition decides in the end: it still asks for the newer one.
    db.define(dimensions=4)
    complete(db)
    assert db.status()["generation"] == 2
    assert wrong(db, "embedding_2", 4) == []


def test_a_change_taken_back_before_it_was_complete_costs_nothing_more(db: VectorDatabase) -> None:
    db.make_docs(200)
    db.work()
    db.define(dimensions=4)
    db.work(seconds=0)
    db.define()
    assert [row[:2] for row in generations(db)] == [(1, "current"), (2, "previous")]
    paid = db.calls()
    db.work()
    assert db.calls() == paid
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match="no earlier generation"):
        db.execute("CALL vectorize.rollback('docs')")


def test_a_generation_is_discarded_on_request_and_never_the_current_one(db: VectorDatabase) -> None:
    db.make_docs(10)
    db.work()
    db.define(dimensions=4)
    complete(db)
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match="the one that searches use"):
        db.execute("CALL vectorize.discard('docs', 2)")
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match="is not there"):
        db.execute("CALL vectorize.discard('docs', 3)")
    db.execute("CALL vectorize.discard('docs', 1)")
    assert [row[0] for row in generations(db)] == [2]
    assert db.rows(
        "SELECT attname FROM pg_attribute WHERE attrelid = 'docs'::regclass AND attname LIKE 'embedding%' AND NOT attisdropped"
    ) == [("embedding_2",)]
    assert db.rows("SELECT count(*) FROM pg_trigger WHERE tgrelid = 'docs'::regclass AND NOT tgisinternal") == [(2,)]
    db.execute("UPDATE docs SET body = 'x' WHERE id = 1")
    db.work()
    assert wrong(db, "embedding_2", 4) == []


def test_a_new_generation_waits_for_its_index(db: VectorDatabase) -> None:
    db.make_docs(300, index="hnsw")
    db.work()
    for _, statement, _ in db.rows("SELECT * FROM vectorize.next_maintenance()"):
        db.execute(statement)
    db.define(dimensions=4, index="hnsw")
    db.work()
    db.work()
    assert db.status()["generation"] == 1
    [(job, statement, _)] = db.rows("SELECT * FROM vectorize.next_maintenance()")
    assert job == "docs"
    assert "embedding_2" in statement
    db.execute(statement)
    complete(db)
    assert db.status()["generation"] == 2
    assert db.status()["index_state"] == "ready"


def test_searches_find_the_row_at_every_moment_of_a_change(db: VectorDatabase) -> None:
    """Neither an empty answer nor one of two sizes mixed, while a writer changes rows."""
    db.make_docs(400)
    db.work()
    seed = random.randrange(1 << 30)
    print(f"seed {seed}")
    done = threading.Event()
    misses: list[Any] = []
    searches = 0

    def search() -> None:
        nonlocal searches
        chance = random.Random(seed)
        with db.connect() as conn:
            while not done.is_set():
                number = chance.randrange(101, 400)
                found = conn.execute(SEARCH.encode(), [f"text {number}", 1]).fetchall()
                searches += 1
                if [row[0] for row in found] != [{"id": number}]:
                    misses.append((number, found))

    def write() -> None:
        chance = random.Random(seed + 1)
        with db.connect() as conn:
            while not done.is_set():
                conn.execute(
                    "UPDATE docs SET body = 'written ' || %s WHERE id = %s", [chance.random(), chance.randrange(1, 100)]
                )
                done.wait(
                    0.01
                )  # a row that changes faster than it can be embedded never has the vector of its present text

    def change() -> None:
        try:
            for dimensions in (5, 6):
                db.define(dimensions=dimensions)
                complete(db)
        finally:
            done.set()

    in_threads(search, write, change)
    assert searches > 0
    assert misses == []
    assert db.status()["generation"] == 3


def test_a_model_that_changes_with_the_deployment_is_a_generation_too(db: VectorDatabase) -> None:
    db.make_docs(10)
    db.work()
    db.execute("SELECT vectorize.set_deployment('large', 'text-embedding-3-large', 3072, 1000000, 6000, 0.13)")
    db.define(deployment="large")
    complete(db)
    assert db.rows("SELECT generation, model, deployment FROM vectorize.generations ORDER BY 1") == [
        (1, "text-embedding-3-small", "embedding"), (2, "text-embedding-3-large", "large")]  # fmt: skip
    # The same model by another deployment goes on with the vectors that are there.
    db.execute("SELECT vectorize.set_deployment('second', 'text-embedding-3-large', 3072, 1000000, 6000, 0.13)")
    db.define(deployment="second")
    assert db.work() == {"embedded": 0, "requests": 0}
    assert db.status()["generation"] == 2


def test_a_killed_change_goes_on_where_it_was(db: VectorDatabase) -> None:
    db.make_docs(500)
    db.work()
    db.define(dimensions=4, state="paused")
    paid = db.calls()
    assert db.work() == {"embedded": 0, "requests": 0}
    assert db.calls() == paid
    db.execute("CALL vectorize.resume('docs')")
    with db.connect() as conn:
        pid = conn.info.backend_pid
        db.mend(latency=0.2)
        killer = threading.Thread(
            target=lambda: (wait_for_calls(db, paid + 2), db.execute("SELECT pg_terminate_backend(%s)", [pid]))
        )
        killer.start()
        with pytest.raises(psycopg.Error):
            conn.execute("CALL vectorize.work()")
        killer.join()
    db.mend()
    complete(db)
    assert wrong(db, "embedding_2", 4) == []
    # A text is paid for once in each size, and a batch that was under way twice.
    assert sum(count - 2 for count in db.paid().values() if count > 2) <= 100


def wait_for_calls(db: VectorDatabase, calls: int) -> None:
    while db.calls() < calls:
        threading.Event().wait(0.01)


def test_remove_takes_all_generations(db: VectorDatabase) -> None:
    db.make_docs(10, target="table")
    db.work()
    db.define(target="table", dimensions=4)
    complete(db)
    db.execute("CALL vectorize.remove('docs', false)")
    assert db.rows("SELECT * FROM vectorize.job") == []
    assert db.rows("SELECT relname FROM pg_class WHERE relname LIKE 'docs_%' AND relkind = 'r'") == []
    assert db.rows("SELECT relname FROM pg_class WHERE relnamespace = 'vectorize_jobs'::regnamespace") == []
    assert db.rows("SELECT tgname FROM pg_trigger WHERE tgrelid = 'docs'::regclass") == []


def test_a_generation_is_discarded_after_the_source_is_gone(db: VectorDatabase) -> None:
    db.make_docs(5, target="table")
    db.work()
    db.define(target="table", dimensions=4)
    complete(db)
    db.execute("DROP TABLE docs")
    db.execute("CALL vectorize.discard('docs', 1)")
    assert db.rows("SELECT relname FROM pg_class WHERE relname ~ '^docs_embedding' AND relkind = 'r'") == [
        ("docs_embedding_2",)
    ]
    assert db.notices[-1] == "job docs: generation 1 is gone, with table public.docs_embedding"


def test_a_generation_taken_up_again_is_filled_before_it_is_used(db: VectorDatabase) -> None:
    db.make_docs(40)
    db.work()
    db.define(dimensions=4)
    complete(db)
    db.execute("UPDATE docs SET body = 'changed ' || id")
    db.execute("INSERT INTO docs SELECT g, 'new ' || g FROM generate_series(101, 300) AS g")
    db.work()
    db.define()
    db.mend(latency=0.05)
    while db.status()["generation"] == 2:
        assert db.rows(SEARCH, ["new 200", 1])[0][0] == {"id": 200}
        db.work(seconds=0.2)
    assert db.wrong() == []


def test_a_kept_generation_that_is_damaged_stops_nobody(db: VectorDatabase) -> None:
    db.make_docs(20)
    db.work()
    db.define(dimensions=4)
    complete(db)
    db.execute("ALTER TABLE docs DROP COLUMN embedding")
    db.define(dimensions=4, state="paused")
    db.execute("CALL vectorize.resume('docs')")
    db.execute("UPDATE docs SET body = 'still followed' WHERE id = 3")
    db.work()
    assert wrong(db, "embedding_2", 4) == []
    assert db.status()["state"] == "active"
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match="generation 1 cannot be used"):
        db.execute("CALL vectorize.rollback('docs')")
    assert db.status()["generation"] == 2
    db.execute("CALL vectorize.discard('docs', 1)")


def test_a_rollback_never_leads_to_a_generation_that_was_not_filled(db: VectorDatabase) -> None:
    db.make_docs(10)
    db.work()
    db.define(dimensions=4)
    complete(db)
    db.define(dimensions=5)
    for generation in (1, 2, 1):
        db.execute("CALL vectorize.rollback('docs')")
        assert db.status()["generation"] == generation
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState):
        db.execute("CALL vectorize.discard('docs', 1)")


def test_a_column_of_the_users_own_is_not_taken_for_a_later_generation(db: VectorDatabase) -> None:
    db.make_docs(5)
    db.work()
    db.execute("ALTER TABLE docs ADD COLUMN embedding_2 vector(4)")
    db.define(dimensions=4)
    complete(db)
    assert generations(db)[1][2] == "column embedding_3"
    assert db.value("SELECT count(embedding_2) FROM docs") == 0


def test_a_removed_job_that_comes_back_with_another_model_mixes_nothing(db: VectorDatabase) -> None:
    db.make_docs(5)
    db.work()
    db.execute("CALL vectorize.remove('docs')")
    db.execute("SELECT vectorize.set_deployment('large', 'text-embedding-3-large', 3072, 1000000, 6000, 0.13)")
    db.define(deployment="large", state="paused")
    assert db.rows(SEARCH, ["text 1", 5]) == []
    db.execute("SELECT vectorize.set_deployment('embedding', 'text-embedding-3-large', 3072, 1000000, 6000, 0.13)")


def test_an_empty_table_changes_its_model_at_once_though_nothing_can_be_indexed(db: VectorDatabase) -> None:
    db.make_docs(0, index="hnsw")
    db.work()
    db.define(dimensions=4, index="hnsw")
    complete(db)
    assert db.status()["generation"] == 2


def test_changes_from_while_the_triggers_were_off_are_found_by_resume(db: VectorDatabase) -> None:
    db.make_docs(5)
    db.work()
    db.execute("ALTER TABLE docs DISABLE TRIGGER vectorize_1")
    db.work()
    assert db.status()["state"] == "stopped"
    db.execute("UPDATE docs SET body = 'unseen' WHERE id = 2")
    db.execute("ALTER TABLE docs ENABLE ALWAYS TRIGGER vectorize_1")
    db.execute("CALL vectorize.pause('docs')")
    assert db.status()["state"] == "stopped", "a pause does not hide why"
    db.execute("CALL vectorize.resume('docs')")
    db.work()
    assert db.wrong() == []
