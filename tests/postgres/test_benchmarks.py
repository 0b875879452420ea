"""The benchmarks' server and stub: what every figure rests on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks import services, workers
from benchmarks.progress import Progress
from benchmarks.server import DIMENSIONS, BenchDatabase
from benchmarks.suite import Bench


@pytest.fixture(scope="module")
def database() -> Iterator[BenchDatabase]:
    with Bench(Progress(), quick=True).database() as made:
        yield made


@pytest.mark.parametrize("name", ["fsync", "autovacuum", "synchronous_commit", "full_page_writes"])
def test_what_makes_a_commit_cost_what_it_costs_is_on(database: BenchDatabase, name: str) -> None:
    assert database.value("SELECT current_setting(%s)", [name]) == "on"


def test_the_engine_belongs_to_an_ordinary_administrator(database: BenchDatabase) -> None:
    assert database.value("SELECT rolsuper FROM pg_roles WHERE rolname = current_user") is False
    assert (
        database.value("SELECT pg_get_userbyid(nspowner) FROM pg_namespace WHERE nspname = 'vectorize'")
        == "vectorize_owner"
    )


def test_the_stubs_vector_depends_on_the_text_and_survives_halfvec(database: BenchDatabase) -> None:
    texts = [f"text {number}" for number in range(2_000)]
    distinct, whole = database.rows(
        "SELECT count(DISTINCT v::text), bool_and(v::real[]::halfvec::real[] = v::real[] AND vector_dims(v) = %s) "
        "FROM ("
        "SELECT e.embedding::vector AS v FROM azure_openai.create_embeddings('embedding', %s::text[]) AS e) AS x",
        [DIMENSIONS, texts],
    )[0]
    assert (distinct, whole) == (len(texts), True)
    other = "SELECT azure_openai.vector_of(%s, 'text', 1536) = azure_openai.create_embeddings(%s, 'text')"
    assert database.value(other, ["embedding", "embedding"]) is True
    assert database.value(other, ["embedding", "another model"]) is False


def test_a_wrong_vector_is_found(database: BenchDatabase) -> None:
    database.make_docs(50)
    workers.drain(database, 2, lambda: database.define(batch_size=10))
    assert database.wrong() == 0
    database.execute(
        "UPDATE docs_embedding SET embedding = (SELECT embedding FROM docs_embedding WHERE id = 2) WHERE id = 1"
    )
    database.execute("DELETE FROM docs_embedding WHERE id = 3")
    assert database.wrong() == 2


def test_a_failure_in_a_thread_is_raised_and_ends_nothing_else() -> None:
    seen: list[int] = []

    def fail() -> None:
        raise RuntimeError("one of them")

    with pytest.raises(RuntimeError, match="one of them"):
        workers.side_by_side([fail, lambda: seen.append(1)])
    assert seen == [1]


def test_nothing_is_left_of_a_server_whose_benchmark_was_interrupted() -> None:
    folders: list[Path] = []

    def interrupted() -> None:
        with Bench(Progress(), quick=True).server() as server:
            folders.append(server.address()[0])
            assert folders[0].exists()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert not folders[0].exists()


def test_the_meter_sees_what_the_limiter_admits_and_refuses() -> None:
    with (
        services.running_services(capacity=10, latency_seconds=0) as running,
        Bench(Progress(), quick=True).server(running.addresses()) as server,
        server.database() as database,
    ):
        running.configure(database)
        database.value("SELECT cardinality(azure_openai.create_embeddings('embedding', repeat('word ', 400)))")
        with pytest.raises(Exception, match="429"):
            database.value("SELECT azure_openai.create_embeddings('embedding', 'one more', max_attempts => 1)")
        first, second = running.meter.requests
    assert (first.tokens, first.admitted, second.admitted) == (500, True, False)
    assert first.debt > 0
