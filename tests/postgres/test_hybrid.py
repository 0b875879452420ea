# ruff: noqa: E501 - statements read better on one line
"""Search by meaning and by words at once: how the halves are fused, with whose rights, and what a query may say."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.postgres.standby import standby_of
from tests.postgres.vector_server import ADMINISTRATOR, VectorDatabase

HYBRID = "SELECT (key ->> 'id')::int, score, vector_rank, text_rank FROM vectorize.hybrid_search('docs', %s, {})"


def ids(db: VectorDatabase, query: str, arguments: str = "k => 10", name: str = "docs") -> list[int]:
    return [
        row[0]
        for row in db.rows(
            f"SELECT (key ->> 'id')::int FROM vectorize.hybrid_search('{name}', %s, {arguments})", [query]
        )
    ]


def by_words(db: VectorDatabase, query: str, arguments: str = "k => 10") -> list[int]:
    return ids(db, query, f"vector_weight => 0, {arguments}")


@pytest.fixture
def four(db: VectorDatabase) -> VectorDatabase:
    """Make four rows whose vectors are in the order 3, 2, 1, 4 from that of `alpha beta`."""
    db.execute("CREATE TABLE docs (id bigint PRIMARY KEY, body text, kind text)")
    db.execute(
        "INSERT INTO docs VALUES (1, 'alpha beta', 'x'), (2, 'alpha', 'x'), (3, 'gamma', 'y'), (4, 'beta delta', 'y')"
    )
    db.define()
    db.work()
    db.execute(
        "UPDATE docs SET embedding = (q::vector + e.step * '[1,0,0,0,0,0,0,0]'::vector) FROM azure_openai.vector_of('alpha beta', 8) AS q, "
        "(VALUES (3, '[0,0,0,0,0,0,0,0]'::vector), (2, '[1,1,1,1,1,1,1,1]'), (1, '[3,3,3,3,3,3,3,3]'), (4, '[9,9,9,9,9,9,9,9]')) AS e (id, step) WHERE docs.id = e.id"
    )
    return db


def test_the_fusion_of_a_hand_made_case_is_exact(four: VectorDatabase) -> None:
    # By words: 1 has both; 2 and 4 have one of two equally rare ones, and 2 is the shorter text.
    assert four.rows(HYBRID.format("k => 10"), ["alpha beta"]) == [
        (1, 1 / 63 + 1 / 61, 3, 1),
        (2, 1 / 62 + 1 / 62, 2, 2),
        (4, 1 / 64 + 1 / 63, 4, 3),
        (3, 1 / 61, 1, None),
    ]
    weighted = four.rows(HYBRID.format("k => 2, vector_weight => 3, text_weight => 0.5"), ["alpha beta"])
    assert weighted == [(2, 3 / 62 + 0.5 / 62, 2, 2), (1, 3 / 63 + 0.5 / 61, 3, 1)]


def test_each_half_gives_its_candidates_and_no_more(four: VectorDatabase) -> None:
    found = four.rows(HYBRID.format("candidates => 1"), ["alpha beta"])
    assert found == [(3, 1 / 61, 1, None), (1, 1 / 61, None, 1)]


def test_a_half_of_weight_zero_is_not_asked(four: VectorDatabase) -> None:
    calls = four.calls()
    assert by_words(four, "alpha beta") == [1, 2, 4]
    assert four.calls() == calls
    by_meaning = four.rows(
        "SELECT key, distance, content FROM vectorize.hybrid_search('docs', 'alpha beta', text_weight => 0)"
    )
    assert by_meaning == four.rows("SELECT key, distance, content FROM vectorize.search('docs', 'alpha beta')")


def test_equal_rows_come_in_the_order_of_their_keys(db: VectorDatabase) -> None:
    db.execute("CREATE TABLE docs (id bigint PRIMARY KEY, body text)")
    db.execute("INSERT INTO docs SELECT g, 'the same words' FROM generate_series(30, 1, -1) AS g")
    db.define()
    db.work()
    for arguments in ("k => 30", "k => 30, vector_weight => 0", "k => 30, text_weight => 0"):
        assert ids(db, "same words", arguments) == list(range(1, 31))


def test_filters_are_those_of_a_search(four: VectorDatabase) -> None:
    assert ids(four, "alpha beta", 'filter => \'{"kind": "y"}\'') == [4, 3]
    assert by_words(four, "alpha beta", 'filter => \'{"id": {"<": 2}}\'') == [1]
    with pytest.raises(psycopg.Error, match="has no column colour"):
        ids(four, "x", "filter => '{\"colour\": 1}'")


def test_rows_that_the_caller_may_not_see_are_not_found(db: VectorDatabase) -> None:
    db.make_docs(50, target="table", full_text={"language": "english"})
    db.work()
    for _, statement, _ in db.rows("SELECT * FROM vectorize.next_maintenance()"):
        db.execute(statement)
    db.execute("ALTER TABLE docs ENABLE ROW LEVEL SECURITY; CREATE POLICY few ON docs TO application USING (id <= 5)")
    db.execute("GRANT SELECT ON docs, docs_embedding TO application")
    query = "SELECT (key ->> 'id')::int FROM vectorize.hybrid_search('docs', %s)"
    with db.member("application", "vectorize_reader") as conn:
        assert sorted(row[0] for row in conn.execute(query.encode(), ["text 9"]).fetchall()) == [1, 2, 3, 4, 5]
    with db.member("vectorize_reader") as conn, pytest.raises(psycopg.errors.InsufficientPrivilege, match="docs"):
        conn.execute(query.encode(), ["text 9"])


def test_a_hot_standby_finds_by_words_and_by_meaning(db: VectorDatabase) -> None:
    db.make_docs(100, full_text={"language": "simple"})
    db.work()
    db.execute(db.value("SELECT statement FROM vectorize.next_maintenance()"))
    with standby_of(db) as standby:
        standby.catch_up()
        with standby.connect(ADMINISTRATOR) as conn:
            found = conn.execute(
                "SELECT key, snippet FROM vectorize.hybrid_search('docs', 'text 77', 3, snippets => true)"
            ).fetchall()
    assert found[0] == ({"id": 77}, "«text» «77»")


def test_chunks_are_found_by_their_words(db: VectorDatabase) -> None:
    db.execute("CREATE TABLE docs (id bigint PRIMARY KEY, title text, body text, year int)")
    for number, animal in enumerate(["zebra", "otter"], start=1):
        text = "\n\n".join(
            f"Paragraph {n}. {'lorem ipsum dolor sit amet ' * 8}{animal if n == 4 else ''}" for n in range(6)
        )
        db.execute("INSERT INTO docs VALUES (%s, %s, %s, %s)", [number, f"Book {number}", text, 2000 + number])
    db.define(template="{title}\n{body}", chunking={"max_tokens": 64}, full_text={"language": "english"})
    db.work()
    [statement] = [row[0] for row in db.rows("SELECT statement FROM vectorize.next_maintenance()")]
    assert "ON public.docs_embedding USING gin" in statement
    db.execute(statement)
    query = "SELECT key, chunk, content, text_rank FROM vectorize.hybrid_search('docs', 'otters', vector_weight => 0)"
    [(key, chunk, content, rank)] = db.rows(query)
    assert (key, rank) == ({"id": 2}, 1)
    assert chunk > 1
    assert "otter" in content
    assert ids(db, "otter", "vector_weight => 0, filter => '{\"year\": 2001}'") == []


def test_what_was_not_embedded_yet_is_found_by_words(db: VectorDatabase) -> None:
    db.make_docs(10)
    assert ids(db, "text 7")[0] == 7
    assert ids(db, "nowhere") == []
    assert any("nothing found" in line for line in db.notices)


def test_without_a_word_to_look_for_the_vectors_decide(db: VectorDatabase) -> None:
    db.make_docs(20)
    db.work()
    for query in ("the of and", "-text", "!!!", "."):
        found = db.rows(
            "SELECT key, text_rank FROM vectorize.hybrid_search('docs', %s, 5, language => 'english')", [query]
        )
        assert found == [(row[0], None) for row in db.rows("SELECT key FROM vectorize.search('docs', %s, 5)", [query])]
    assert by_words(db, "the of and", "language => 'english'") == []


HOSTILE = [
    "'; DROP TABLE docs; --", "it''s", "a & | ! ( <-> ) :*", "\\", "\\'", "' OR 1=1", '"', '"unclosed phrase', "(((", ":", "$x$", "%s %I %1$s",
    "{body}", "or or or", "- -", "a:* b:A", "NULL", "<b>x</b>", "\x01\x7f", "漢字 ελλάδα 🦄", "x" * 5000, "word " * 3000, "http://a.example/x?y=1", "-" * 50 + "a",
]  # fmt: skip


def test_no_text_of_a_query_is_an_error_or_read_as_sql(db: VectorDatabase) -> None:
    db.execute("CREATE TABLE docs (id bigint PRIMARY KEY, body text)")
    for number, text in enumerate(HOSTILE):
        db.execute("INSERT INTO docs VALUES (%s, %s)", [number, text])
    db.define(full_text={"language": "simple"})
    db.work()
    db.execute(db.value("SELECT statement FROM vectorize.next_maintenance()"))
    for number, text in enumerate(HOSTILE):
        assert number in ids(db, text, "k => 5, snippets => true"), text
        ids(db, text, "vector_weight => 0, snippets => true")
    assert db.value("SELECT count(*) FROM docs") == len(HOSTILE)


def test_a_query_may_say_or_not_and_a_phrase(four: VectorDatabase) -> None:
    four.execute("INSERT INTO docs VALUES (5, 'beta alpha')")
    assert by_words(four, "gamma or delta") == [3, 4]
    assert by_words(four, "alpha -beta") == [2]
    assert by_words(four, '"alpha beta"')[0] == 1
    assert by_words(four, '"beta alpha"')[0] == 5


def test_a_rare_word_weighs_more_than_a_common_one_and_rows_need_a_third_of_the_weight(db: VectorDatabase) -> None:
    db.execute("CREATE TABLE docs (id bigint PRIMARY KEY, body text)")
    db.execute("INSERT INTO docs SELECT g, 'invoice late payment' FROM generate_series(1, 40) AS g")
    db.execute("INSERT INTO docs VALUES (41, 'receipt INV-77 and much more of other things')")
    db.define()
    db.work()
    assert by_words(db, "late invoice INV-77") == [41]
    assert by_words(db, "INV-77 nowhere to be found") == [41]
    assert len(by_words(db, "late invoice", "k => 100")) == 40


def test_a_snippet_is_plain_text_around_the_words(db: VectorDatabase) -> None:
    db.execute("CREATE TABLE docs (id bigint PRIMARY KEY, body text)")
    db.execute(
        "INSERT INTO docs VALUES (1, %s)",
        ["intro " * 200 + "«the» penalty for late deliveries is 2 % a day " + "outro " * 200],
    )
    db.define()
    db.work()
    found = db.value(
        "SELECT snippet FROM vectorize.hybrid_search('docs', 'late delivery', language => 'english', snippets => true)"
    )
    assert "«late» «deliveries»" in found
    assert "\N{SINGLE LEFT-POINTING ANGLE QUOTATION MARK}the" in found
    assert len(found) < 400
    assert "<b>" not in found
    assert db.value("SELECT snippet FROM vectorize.hybrid_search('docs', 'late')") is None


def test_a_ranking_model_orders_the_candidates_where_asked(four: VectorDatabase) -> None:
    before = ids(four, "alpha beta")
    assert ids(four, "alpha beta", "rerank => true") == before[::-1]
    assert (
        ids(four, "alpha beta", "k => 2, candidates => 2, rerank => true")
        == ids(four, "alpha beta", "k => 2, candidates => 2")[::-1]
    )
    scores = [
        row[0]
        for row in four.rows("SELECT rerank_score FROM vectorize.hybrid_search('docs', 'alpha beta', rerank => true)")
    ]
    assert scores == [1, 0.75, 0.5, 0.25]
    assert ids(four, "nowhere", "vector_weight => 0, rerank => true") == []
    with pytest.raises(psycopg.errors.InternalError_, match="404: no deployment other"):
        ids(four, "alpha", "rerank => true, rerank_model => 'other'")


def test_keys_of_several_columns_meet(db: VectorDatabase) -> None:
    db.execute('CREATE TABLE docs (region varchar(4), "At" timestamptz, body text, PRIMARY KEY (region, "At"))')
    db.execute(
        "INSERT INTO docs SELECT r, timestamptz '2026-01-01 00:00Z' + g * interval '1 day', 'text ' || r || ' ' || g FROM unnest('{eu,us}'::text[]) AS r, generate_series(1, 5) AS g"
    )
    db.define(target="table")
    db.work()
    found = db.rows(
        "SELECT key, vector_rank IS NOT NULL, text_rank FROM vectorize.hybrid_search('docs', 'us 3', 1, text_weight => 9)"
    )
    assert found == [({"region": "us", "At": "2026-01-04T00:00:00+00:00"}, True, 1)]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("'none', 'x'", "there is no job none"),
        ("'docs', ' '", "the query is empty"),
        ("'docs', NULL", "the query is empty"),
        ("'docs', 'x', 0", "k: 0 is not a whole number from 1 to 10000"),
        ("'docs', 'x', candidates => 10001", "candidates: 10001 is not"),
        ("'docs', 'x', vector_weight => -1", "vector_weight and text_weight: -1 and 1 are not two numbers"),
        ("'docs', 'x', vector_weight => 0, text_weight => 0", "0 and 0 are not two numbers"),
        ("'docs', 'x', text_weight => 'NaN'", "1 and NaN are not two numbers"),
        ("'docs', 'x', text_weight => NULL", "are not two numbers"),
        ("'docs', 'x', language => 'klingon'", "there is no text search configuration klingon"),
        (
            "'docs', 'x', language => 'english''); DROP TABLE docs; --'",
            "there is no text search configuration english'",
        ),
    ],
)
def test_a_hybrid_search_says_what_is_wrong(db: VectorDatabase, arguments: str, said: str) -> None:
    db.make_docs(1)
    with pytest.raises(psycopg.Error, match=said):
        db.execute(f"SELECT * FROM vectorize.hybrid_search({arguments})")


def test_a_job_whose_template_lost_a_column_is_searched_by_what_is_left(db: VectorDatabase) -> None:
    db.execute("CREATE TABLE docs (id bigint PRIMARY KEY, title text, body text)")
    db.execute("INSERT INTO docs VALUES (1, 'alpha', 'one'), (2, 'beta', 'two')")
    db.define(template="{title} {body}")
    db.work()
    db.execute("ALTER TABLE docs RENAME COLUMN body TO content")
    found: list[tuple[Any, ...]] = db.rows(
        "SELECT key, content FROM vectorize.hybrid_search('docs', 'beta', vector_weight => 0)"
    )
    assert found == [({"id": 2}, None)]


def test_settings_of_the_session_are_as_before(db: VectorDatabase) -> None:
    db.make_docs(200, index="hnsw")
    db.work()
    db.execute(db.value("SELECT statement FROM vectorize.next_maintenance()"))
    assert len(ids(db, "text 5", "k => 100")) == 100
    names = ("hnsw.ef_search", "hnsw.iterative_scan", "datestyle")
    assert [db.value(f"SHOW {name}") for name in names] == ["40", "off", "ISO, MDY"]
    assert ids(db, "x", "filter => NULL") == ids(db, "x", f"filter => '{Jsonb({}).obj}'")
