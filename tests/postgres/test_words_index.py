# ruff: noqa: E501 - statements read better on one line
"""The index on the words of a job's texts: built and taken away like the one on its vectors, and used by searches."""

from __future__ import annotations

import pytest

from tests.postgres.test_generations import complete
from tests.postgres.test_index import due, run_all
from tests.postgres.vector_server import VectorDatabase

BY_WORDS = "SELECT (key ->> 'id')::int, text_score FROM vectorize.hybrid_search('docs', %s, %s, vector_weight => 0)"


def words_indexes(db: VectorDatabase) -> list[str]:
    return [
        row[0]
        for row in db.rows(
            "SELECT pg_get_indexdef(indexrelid) FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid JOIN pg_am AS m ON m.oid = c.relam "
            "WHERE m.amname = 'gin' AND i.indisvalid AND c.relnamespace = 'public'::regnamespace ORDER BY 1"
        )
    ]


def scans(db: VectorDatabase) -> int:
    db.execute("SELECT pg_stat_force_next_flush()")
    return int(
        db.value("SELECT coalesce(sum(idx_scan), 0) FROM pg_stat_user_indexes WHERE indexrelname LIKE 'words\\_%'")
    )


def test_it_is_built_at_the_coverage_beside_that_of_the_vectors(db: VectorDatabase) -> None:
    db.make_docs(300, index="hnsw", full_text={"language": "english"})
    assert (due(db), db.status()["index_state"]) == ([], "waiting")
    db.work()
    assert db.status()["index_state"] == "due"
    vectors, words = run_all(db)
    assert ("USING hnsw" in vectors, "USING gin" in words) == (True, True)
    assert db.status()["index_state"] == "ready"
    [definition] = words_indexes(db)
    assert "to_tsvector('english'::regconfig" in definition


def test_searches_use_it_and_find_the_same_without(db: VectorDatabase) -> None:
    db.make_docs(3000, full_text={"language": "english"})
    db.execute("UPDATE docs SET body = body || ' penalty for deliveries' WHERE id % 100 = 7")
    db.work()
    queries = ("penalty", "late delivery 107", "text 77", "penalties or 12", "text penalty -107")
    without = [db.rows(BY_WORDS, [query, 20]) for query in queries]
    assert all(without)
    run_all(db)
    db.execute("ANALYZE docs")
    before = scans(db)
    found = [db.rows(BY_WORDS, [query, 20]) for query in queries]
    assert scans(db) > before
    for one, other in zip(found, without, strict=True):
        assert [row[0] for row in one] == [row[0] for row in other]
    before = scans(db)
    db.rows("SELECT * FROM vectorize.hybrid_search('docs', 'penalty', language => 'german', vector_weight => 0)")
    assert scans(db) == before


def test_common_words_order_what_rare_ones_find(db: VectorDatabase) -> None:
    db.make_docs(4000, full_text={"language": "english"})
    db.execute("UPDATE docs SET body = 'receipt 99999' WHERE id = 3")
    db.work()
    run_all(db)
    assert db.rows(BY_WORDS, ["text 99999", 5])[0][0] == 3
    assert len(db.rows(BY_WORDS, ["text", 5])) == 5
    assert db.rows(BY_WORDS, ["text 3999", 1])[0][0] == 3999


def test_another_language_is_another_index_and_none_drops_it(db: VectorDatabase) -> None:
    db.make_docs(20, full_text={"language": "english"})
    db.work()
    run_all(db)
    db.define(full_text={"language": "german"})
    assert db.value("SELECT vectorize.declared('docs') -> 'full_text'") == {"language": "german"}
    create, drop = run_all(db)
    assert (create.split()[0], drop.split()[0]) == ("CREATE", "DROP")
    assert ["german" in definition for definition in words_indexes(db)] == [True]
    db.define()
    assert len(run_all(db)) == 1
    assert words_indexes(db) == []
    assert db.status()["index_state"] == "none"


def test_generations_share_it(db: VectorDatabase) -> None:
    db.make_docs(30, full_text={"language": "english"})
    db.work()
    run_all(db)
    [definition] = words_indexes(db)
    db.define(dimensions=4, full_text={"language": "english"})
    complete(db)
    assert (db.status()["generation"], due(db), words_indexes(db)) == (2, [], [definition])
    db.execute("CALL vectorize.discard('docs', 1)")
    assert words_indexes(db) == [definition]


def test_a_generation_in_another_language_keeps_that_of_the_one_in_use(db: VectorDatabase) -> None:
    db.make_docs(30, full_text={"language": "english"})
    db.work()
    run_all(db)
    db.define(dimensions=4, index="hnsw", full_text={"language": "german"})
    db.work()
    assert db.status()["generation"] == 1
    [hnsw, german] = run_all(db)
    assert ("hnsw" in hnsw, "german" in german, len(words_indexes(db))) == (True, True, 2)
    db.work()
    assert db.status()["generation"] == 2
    assert len(run_all(db)) == 1
    assert ["german" in definition for definition in words_indexes(db)] == [True]


def test_it_goes_with_the_vectors(db: VectorDatabase) -> None:
    db.make_docs(20, full_text={"language": "english"})
    db.work()
    run_all(db)
    db.execute("CALL vectorize.remove('docs')")
    assert len(words_indexes(db)) == 1
    db.define(full_text={"language": "english"})
    db.work()
    assert due(db) == []
    db.execute("CALL vectorize.remove('docs', false)")
    assert words_indexes(db) == []


def test_partitions_with_long_names_get_theirs(db: VectorDatabase) -> None:
    db.execute("CREATE TABLE docs (id bigint PRIMARY KEY, body text) PARTITION BY HASH (id)")
    for part in range(3):
        db.execute(
            f"CREATE TABLE docs_of_the_whole_long_year_{part} PARTITION OF docs FOR VALUES WITH (MODULUS 3, REMAINDER {part})"
        )
    db.execute("INSERT INTO docs SELECT g, 'text ' || g FROM generate_series(1, 90) AS g")
    db.define(index="hnsw", full_text={"language": "english"})
    db.work()
    ran = run_all(db)
    assert sum("CONCURRENTLY" in statement for statement in ran) == 6
    assert sum("ATTACH PARTITION" in statement for statement in ran) == 6
    assert db.status()["index_state"] == "ready"
    assert len(words_indexes(db)) == 4
    assert db.rows(BY_WORDS, ["text 41", 1])[0][0] == 41


def test_no_text_is_too_long_for_a_row_to_be_written(db: VectorDatabase) -> None:
    db.make_docs(3, full_text={"language": "english"})
    db.work()
    run_all(db)
    words = " ".join(f"w{number}-x{number}" for number in range(300_000))
    db.execute("INSERT INTO docs VALUES (10, %s), (11, %s), (12, repeat('x', 5000000))", [words, "漢字 " * 500_000])
    assert db.rows(BY_WORDS, ["w17", 1])[0][0] == 10


def test_columns_whose_text_differs_by_session_are_left_out_and_named(db: VectorDatabase) -> None:
    db.execute(
        "CREATE TABLE docs (id bigint PRIMARY KEY, title varchar(80), body text, day date, tags text[], price numeric, flag boolean, meta jsonb)"
    )
    db.execute(
        "INSERT INTO docs VALUES (1, 'Steel', 'beams', '2026-05-04', '{urgent}', 12.50, true, '{\"grade\": \"S235\"}')"
    )
    db.define(template="Name: {title} {body} {day} {tags} {price} {flag} {meta}", full_text={"language": "english"})
    assert any("full text leaves out what no index can be made of: day, tags" in line for line in db.notices)
    db.work()
    run_all(db)
    for query, found in {
        "steel beam": 1,
        "12.50": 1,
        "S235": 1,
        "true": 1,
        "urgent": 0,
        "2026-05-04": 0,
        "name": 0,
    }.items():
        assert len(db.rows(BY_WORDS, [query, 1])) == found, query


def test_jobs_on_one_table_have_their_own(db: VectorDatabase) -> None:
    db.make_docs(20, full_text={"language": "english"})
    db.define(name="short", column="short", template="{n}", full_text={"language": "simple"})
    db.work()
    run_all(db)
    for (statement,) in db.rows("SELECT statement FROM vectorize.next_maintenance()"):
        db.execute(statement)
    assert len(words_indexes(db)) == 2
    db.execute("CALL vectorize.remove('short', false)")
    assert ["english" in definition for definition in words_indexes(db)] == [True]


@pytest.mark.parametrize(
    ("full_text", "said"),
    [
        ({"language": "klingon"}, "full_text.language: there is no text search configuration klingon; there are"),
        ({"language": 5}, "full_text: not an object of language"),
        ({}, "full_text: not an object of language"),
        ({"language": "english", "weight": 1}, "full_text: not an object of language"),
        ("english", "full_text: not an object of language"),
    ],
)
def test_a_definition_that_makes_no_sense_is_refused(db: VectorDatabase, full_text: object, said: str) -> None:
    db.execute("CREATE TABLE docs (id bigint PRIMARY KEY, body text)")
    with pytest.raises(Exception, match=said):
        db.define(full_text=full_text)
