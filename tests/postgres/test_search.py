# ruff: noqa: E501 - statements read better on one line
"""Searching: the right rows, with the caller's own rights, writing nothing."""

from __future__ import annotations

import re
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.postgres.standby import standby_of
from tests.postgres.vector_server import ADMINISTRATOR, VectorDatabase, digest

SEARCH = "SELECT key, distance, content FROM vectorize.search('docs', %s, %s)"


@pytest.mark.parametrize("target", ["column", "table"])
@pytest.mark.parametrize("type_name", ["vector", "halfvec"])
@pytest.mark.parametrize("distance", ["cosine", "l2", "inner_product"])
def test_the_nearest_rows_come_first(db: VectorDatabase, target: str, type_name: str, distance: str) -> None:
    db.make_docs(200, target=target, type=type_name, distance=distance)
    db.work()
    stored = "docs" if target == "column" else "docs_embedding"
    assert db.value(f"SELECT pg_typeof(embedding)::text FROM {stored} LIMIT 1") == type_name
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
    with db.member("application", "vectorize_reader") as conn:
        found = conn.execute(SEARCH.encode(), ["text 9", 10]).fetchall()
    assert sorted(row[0]["id"] for row in found) == [1, 2, 3, 4, 5]


def test_a_search_writes_nothing(db: VectorDatabase) -> None:
    db.make_docs(10)
    db.work()
    with db.connect() as conn:
        conn.read_only = True
        assert len(conn.execute(SEARCH.encode(), ["text 1", 3]).fetchall()) == 3


@pytest.mark.parametrize("target", ["column", "table"])
def test_a_hot_standby_searches_and_remembers_its_queries(db: VectorDatabase, target: str) -> None:
    db.make_docs(200, target=target, index="hnsw")
    db.work()
    db.execute(db.value("SELECT statement FROM vectorize.next_maintenance()"))
    calls = db.calls()
    with standby_of(db) as standby:
        db.execute("DELETE FROM docs WHERE id = 8")
        standby.catch_up()
        with standby.connect(ADMINISTRATOR) as conn:
            assert conn.execute("SELECT pg_is_in_recovery()").fetchone() == (True,)
            for _ in range(2):
                found = conn.execute(
                    "SELECT key, content FROM vectorize.search('docs', 'text 8', 5, '{\"id\": {\"<\": 100}}')"
                ).fetchall()
                assert len(found) == 5
                assert all(key != {"id": 8} and key["id"] < 100 for key, _ in found)
    assert db.calls() == calls + 1


def test_a_query_is_embedded_once_a_session(db: VectorDatabase) -> None:
    db.make_docs(20)
    db.define(name="short", column="short", dimensions=4)
    db.work()
    before = db.calls()
    first = db.rows(SEARCH, ["text 3", 5])
    assert db.rows(SEARCH, ["text 3", 5]) == first
    assert db.calls() == before + 1
    assert len(db.rows("SELECT * FROM vectorize.search('short', 'text 3', 5)")) == 5
    assert db.calls() == before + 2
    with db.connect() as conn:
        assert conn.execute(SEARCH.encode(), ["text 3", 5]).fetchall() == first
    assert db.calls() == before + 3


def test_what_a_session_remembers_is_small(db: VectorDatabase) -> None:
    db.make_docs(3, dimensions=1536)
    db.work()
    for number in range(8):
        db.rows(SEARCH, [f"query {number}", 1])
    assert 16_384 < db.value("SELECT length(current_setting('vectorize.query_cache'))") <= 65_536
    calls = db.calls()
    db.rows(SEARCH, ["query 7", 1])
    assert db.calls() == calls


def test_a_search_by_a_vector_that_the_caller_has_makes_no_call(db: VectorDatabase) -> None:
    db.make_docs(50)
    db.work()
    vector = db.value("SELECT vectorize.embed_query('docs', 'text 31')")
    calls = db.calls()
    by_vector = db.rows("SELECT key, distance, content FROM vectorize.search_by('docs', %s, 5)", [vector])
    assert by_vector[0][0] == {"id": 31}
    assert db.rows(SEARCH, ["text 31", 5]) == by_vector
    assert db.calls() == calls
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="vectors have 8 dimensions, and the query's has 2"):
        db.rows("SELECT * FROM vectorize.search_by('docs', '{1,2}')")


FILTERED = (
    "CREATE TYPE public.mood AS ENUM ('sad', 'so', 'glad'); "
    'CREATE TABLE docs (id bigint PRIMARY KEY, body text, "The Year" int, mood mood, tags text[], at timestamptz, price numeric(8, 2), '
    "kind varchar(4), flag boolean, meta jsonb, plain json); "
    "INSERT INTO docs SELECT g, 'text ' || g, 2000 + g, (enum_range(NULL::mood))[1 + g %% 3], ARRAY['t' || g %% 2, 'all'], "
    "timestamptz '2026-01-01 00:00+00' + g * interval '1 day', g, CASE WHEN g > 5 THEN 'late' END, g %% 2 = 0, "
    "jsonb_build_object('n', g %% 2), '{}' FROM generate_series(1, 10) AS g"
)


@pytest.fixture
def filtered(db: VectorDatabase) -> VectorDatabase:
    db.execute(FILTERED.replace("%%", "%"))
    db.define()
    db.work()
    return db


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ({"id": 3}, [3]),
        ({"id": "3"}, [3]),
        ({"The Year": {">": 2002, "<=": 2004}}, [3, 4]),
        ({"The Year": {"in": [2001, 2009, 1]}, "flag": False}, [1, 9]),
        ({"id": {"in": []}}, []),
        ({"mood": "glad"}, [2, 5, 8]),
        ({"mood": {">=": "so", "<>": "glad"}}, [1, 4, 7, 10]),
        ({"tags": {"contains": ["t1"]}}, [1, 3, 5, 7, 9]),
        ({"tags": ["t0", "all"]}, [2, 4, 6, 8, 10]),
        ({"at": {">": "2026-01-10 18:00-05"}}, [10]),
        ({"price": 4.000}, [4]),
        ({"kind": None}, [1, 2, 3, 4, 5]),
        ({"kind": {"<>": None}}, [6, 7, 8, 9, 10]),
        ({"kind": "later"}, []),
        ({"meta": {"contains": {"n": 1}}}, [1, 3, 5, 7, 9]),
        ({"meta": {"=": {"n": 0}}, "id": {"<": 5}}, [2, 4]),
        ({}, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]),
        (None, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]),
    ],
)
@pytest.mark.parametrize("exact", [False, True])
def test_a_filter_compares_columns_as_their_types_do(
    filtered: VectorDatabase, condition: object, expected: list[int], exact: bool
) -> None:
    found = filtered.rows(
        "SELECT (key ->> 'id')::int FROM vectorize.search('docs', 'text 1', 100, %s, %s)", [Jsonb(condition), exact]
    )
    assert sorted(row[0] for row in found) == expected


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        ({"year": 1}, "public.docs has no column year"),
        ({"body) OR true --": 1}, "has no column"),
        ({"id": "3 OR true"}, 'filter: "3 OR true" is not a value of column id, which is of type bigint'),
        ({"id": "3'); DROP TABLE docs; --"}, "is not a value"),
        ({"mood": "angry"}, "is not a value of column mood"),
        ({"id": {"= 1 OR": 1}}, "cannot be compared by = 1 OR"),
        ({"id": {}}, "nothing to compare column id with"),
        ({"id": {"in": 3}}, "not a list"),
        ({"id": {"in": [None]}}, "is not a value"),
        ({"id": {"<": None}}, "is not a value"),
        ({"id": {"contains": 3}}, "column id of type bigint cannot be compared by contains"),
        ({"plain": "x"}, "column plain of type json cannot be compared"),
        ({"ctid": "(0,1)"}, "has no column ctid"),
        ([1], "is not an object"),
    ],
)
def test_a_filter_that_makes_no_sense_is_told_in_a_sentence(
    filtered: VectorDatabase, condition: object, said: str
) -> None:
    with pytest.raises(psycopg.Error, match=re.escape(said)):
        filtered.rows("SELECT * FROM vectorize.search('docs', 'text 1', 10, %s)", [Jsonb(condition)])
    assert filtered.value("SELECT count(*) FROM docs") == 10


def test_a_value_of_a_filter_is_never_read_as_sql(filtered: VectorDatabase) -> None:
    filtered.execute('UPDATE docs SET body = $$it\'s \\ "so"$$ WHERE id = 4')
    filtered.work()
    found = filtered.rows("SELECT key FROM vectorize.search('docs', 'x', 10, %s)", [Jsonb({"body": 'it\'s \\ "so"'})])
    assert found == [({"id": 4},)]


def plan_of(db: VectorDatabase, condition: object, *, exact: bool = False) -> list[dict[str, Any]]:
    """Return the nodes of a search's plan."""
    statement = db.value(
        "SELECT vectorize.search_statement(vectorize.search_plan('docs'), %s, %s)", [Jsonb(condition), exact]
    )
    vector = "'{" + ", ".join("0.1" for _ in range(8)) + "}'::real[]"
    [root] = db.value("EXPLAIN (FORMAT JSON) " + statement.replace("$1", vector).replace("$2", "5"))
    nodes = [root["Plan"]]
    for node in nodes:
        nodes.extend(node.get("Plans", []))
    return nodes


@pytest.mark.parametrize("method", ["hnsw", "ivfflat"])
def test_a_filter_is_applied_in_the_scan_of_the_index_and_goes_on_until_enough_rows_pass(
    db: VectorDatabase, method: str
) -> None:
    db.make_docs(3000, index=method)
    db.work()
    db.execute("UPDATE docs SET n = id % 100")
    db.execute(db.value("SELECT statement FROM vectorize.next_maintenance()"))
    db.execute("VACUUM ANALYZE docs")
    [scan] = [node for node in plan_of(db, {"n": {"<": 5}}) if node["Node Type"] == "Index Scan"]
    assert method in scan["Index Name"]
    assert "n < 5" in scan["Filter"]
    by_index = db.rows("SELECT key FROM vectorize.search('docs', 'text 17', 100, '{\"n\": {\"<\": 5}}')")
    assert len(by_index) == 100
    assert (
        by_index[0] == db.rows("SELECT key FROM vectorize.search('docs', 'text 17', 1, '{\"n\": {\"<\": 5}}', true)")[0]
    )
    # Unless the user has settings of their own, they are as before.
    names = ("hnsw.ef_search", "hnsw.iterative_scan", "ivfflat.probes", "ivfflat.iterative_scan")
    assert [db.value(f"SHOW {name}") for name in names] == ["40", "off", "1", "off"]


def test_an_exact_search_uses_no_vector_index_and_others_still(db: VectorDatabase) -> None:
    db.make_docs(3000, index="hnsw")
    db.work()
    db.execute(db.value("SELECT statement FROM vectorize.next_maintenance()"))
    db.execute("UPDATE docs SET n = id")
    db.execute("CREATE INDEX docs_n ON docs (n)")
    db.execute("VACUUM ANALYZE docs")
    assert any("hnsw" in node.get("Index Name", "") for node in plan_of(db, None))
    assert not any("Index Name" in node for node in plan_of(db, None, exact=True))
    assert any(node.get("Index Name") == "docs_n" for node in plan_of(db, {"n": 7}, exact=True))
    truth = db.rows(
        "SELECT id FROM docs ORDER BY (embedding::real[]::vector <=> azure_openai.vector_of('text 5', 8)::vector) + 0 LIMIT 20"
    )
    found = db.rows("SELECT (key ->> 'id')::bigint FROM vectorize.search('docs', 'text 5', 20, NULL, true)")
    assert found == truth


def test_a_text_is_shown_as_it_was_embedded_whatever_the_session_prefers(db: VectorDatabase) -> None:
    db.execute("CREATE TABLE docs (id timestamptz PRIMARY KEY, body text, at timestamptz, day date)")
    db.execute("INSERT INTO docs VALUES ('2026-07-01 12:00+00', 'x', '2026-07-01 12:00+00', '2026-02-01')")
    db.define(template="{body} {at} {day}")
    db.work()
    with db.connect(options="-c timezone=Asia/Tokyo -c datestyle=german") as conn:
        found = conn.execute(SEARCH.encode(), ["x", 1]).fetchall()
    assert digest(found[0][2]) in db.paid()
    assert found[0][0] == {"id": "2026-07-01T12:00:00+00:00"}


def test_a_job_whose_template_lost_a_column_is_searched_still(db: VectorDatabase) -> None:
    db.make_docs(5)
    db.work()
    db.execute("ALTER TABLE docs RENAME COLUMN body TO content")
    found = db.rows(SEARCH, ["text 3", 1])
    assert [row[0] for row in found] == [{"id": 3}]
    assert found[0][2] is None
    db.execute("ALTER TABLE docs DROP COLUMN embedding")
    with pytest.raises(
        psycopg.errors.ObjectNotInPrerequisiteState, match="job docs: its table, its key or its vectors are gone"
    ):
        db.execute(SEARCH, ["text 3", 1])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("'none', 'x'", "there is no job none"),
        ("'docs', ' '", "the query is empty"),
        ("'docs', NULL", "the query is empty"),
        ("'docs', 'x', 0", "k: 0 is not a whole number from 1 to 10000"),
        ("'docs', 'x', 10001", "k: 10001 is not"),
        ("'docs', 'x', NULL", "k: NULL is not"),
    ],
)
def test_a_search_says_what_is_wrong(db: VectorDatabase, arguments: str, said: str) -> None:
    db.make_docs(1)
    with pytest.raises(psycopg.Error, match=said):
        db.execute(f"SELECT * FROM vectorize.search({arguments})")


def test_a_job_without_vectors_finds_nothing_and_says_why(db: VectorDatabase) -> None:
    db.make_docs(3)
    assert db.rows(SEARCH, ["x", 3]) == []
    assert any("no row has a vector yet" in line for line in db.notices)
