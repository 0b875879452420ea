"""Searching: the right rows, with the caller's own rights, writing nothing."""

from __future__ import annotations

import psycopg
import pytest

from tests.postgres.vector_server import VectorDatabase

SEARCH = "SELECT key, distance, content FROM vectorize.search('docs', %s, %s)"


@pytest.mark.parametrize("target", ["column", "table"])
@pytest.mark.parametrize("type_name", ["vector", "halfvec"])
@pytest.mark.parametrize("distance", ["cosine", "l2", "inner_product"])
def test_the_nearest_rows_come_first(db: VectorDatabase, target: str, type_name: str, distance: str) -> None:
    db.make_docs(200, target=target, type=type_name, distance=distance)
    db.work()
    found = db.rows(SEARCH, ["text 77", 5])
    assert len(found) == 5
    if distance != "inner_product":
        assert found[0][0] == {"id": 77}
        assert found[0][1] == pytest.approx(0, abs=1e-2)
    assert found[0][2] == f"text {found[0][0]['id']}"
    assert [row[1] for row in found] == sorted(row[1] for row in found)


def test_an_index_gives_as_many_rows_as_were_asked_for(db: VectorDatabase) -> None:
    db.make_docs(2000, target="table", index="hnsw", index_options={"m": 8, "ef_construction": 32})
    db.work()
    [(job, statement, _)] = db.rows("SELECT * FROM vectorize.next_maintenance()")
    assert job == "docs"
    db.execute(statement)
    assert db.status()["index_state"] == "ready"
    db.execute("ANALYZE docs; ANALYZE docs_embedding")
    db.execute("DELETE FROM docs WHERE id % 2 = 0")
    for k in (1, 10, 100, 300):
        assert len(db.rows(SEARCH, ["text 5", k])) == k
    assert db.value("SHOW hnsw.ef_search") == "40"


def test_deleted_and_hidden_rows_are_not_found(db: VectorDatabase) -> None:
    db.make_docs(50, target="table")
    db.work()
    db.execute("DELETE FROM docs WHERE id = 7")
    assert all(row[0] != {"id": 7} for row in db.rows(SEARCH, ["text 7", 50]))
    db.execute("ALTER TABLE docs ENABLE ROW LEVEL SECURITY")
    db.execute("CREATE POLICY few ON docs TO application USING (id <= 5)")
    db.execute("GRANT SELECT ON docs, docs_embedding TO application")
    db.execute("GRANT USAGE ON SCHEMA vectorize TO application")
    db.execute("GRANT EXECUTE ON FUNCTION vectorize.search, vectorize.search_plan TO application")
    with db.connect("application") as conn:
        found = conn.execute(SEARCH.encode(), ["text 9", 10]).fetchall()
    assert sorted(row[0]["id"] for row in found) == [1, 2, 3, 4, 5]


def test_a_search_writes_nothing(db: VectorDatabase) -> None:
    db.make_docs(10)
    db.work()
    db.mend()
    with db.connect() as conn:
        conn.read_only = True
        assert len(conn.execute(SEARCH.encode(), ["text 1", 3]).fetchall()) == 3


def test_a_search_says_what_is_wrong(db: VectorDatabase) -> None:
    db.make_docs(1)
    with pytest.raises(psycopg.errors.UndefinedObject, match="there is no job none"):
        db.execute("SELECT * FROM vectorize.search('none', 'x')")
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="query is empty"):
        db.execute(SEARCH, [" ", 3])
