"""Chunked jobs: how a text is cut, what is embedded again after an edit, what a search returns."""

from __future__ import annotations

import threading
from typing import Any

import psycopg
import pytest

from tests.postgres.test_generations import complete, wrong
from tests.postgres.vector_server import SUPERUSER, VectorDatabase

CHUNKING = {"max_tokens": 40, "overlap": 0}
PARAGRAPHS = [f"Paragraph {n} speaks of matter number {n}. It has a second sentence about {n * 7}." for n in range(60)]


def chunks(db: VectorDatabase, where: str = "true") -> list[tuple[Any, ...]]:
    return db.rows(f"SELECT id, chunk, content FROM docs_embedding WHERE {where} ORDER BY id, chunk")


def chunk_table_name(db: VectorDatabase) -> str:
    return str(db.value("SELECT vectorize.table_name(target_table) FROM vectorize.job WHERE operation = 'split'"))


def make_long_docs(db: VectorDatabase, rows: int = 5, **spec: Any) -> None:
    db.make_docs(rows, chunking=CHUNKING, **spec)
    db.execute("UPDATE docs SET body = %s || id", ["\n\n".join(PARAGRAPHS)])


def test_every_row_becomes_chunks_and_every_chunk_a_vector(db: VectorDatabase) -> None:
    make_long_docs(db, 5)
    db.execute("INSERT INTO docs VALUES (100, 'short'), (101, ''), (102, NULL)")
    db.work()
    assert wrong(db, "embedding", 8, "docs_embedding", "content") == []
    found = chunks(db)
    assert {row[0] for row in found} == {1, 2, 3, 4, 5, 100}
    assert [row[1] for row in found if row[0] == 3] == list(range(1, 1 + sum(row[0] == 3 for row in found)))
    text = "".join(row[2] for row in found if row[0] == 3)
    assert "".join(text.split()) == "".join(db.value("SELECT body FROM docs WHERE id = 3").split())
    status = db.status()
    assert (status["embedded"], status["pending"], status["chunks"]) == (len(found), 0, len(found))
    assert db.work() == {"embedded": 0, "requests": 0}


def test_only_chunks_that_changed_are_embedded_again(db: VectorDatabase) -> None:
    make_long_docs(db, 1)
    db.work()
    before = chunks(db)
    paid = sum(db.paid().values())
    db.execute("UPDATE docs SET body = replace(body, 'matter number 30', 'another matter') WHERE id = 1")
    db.work()
    assert 1 <= sum(db.paid().values()) - paid <= 4
    paid = sum(db.paid().values())
    db.execute("UPDATE docs SET body = E'A new first paragraph, quite short.\\n\\n' || body WHERE id = 1")
    db.work()
    assert sum(db.paid().values()) - paid <= len(before) / 4, "chunks that only moved keep their vectors"
    assert wrong(db, "embedding", 8, "docs_embedding", "content") == []
    paid = sum(db.paid().values())
    db.execute("UPDATE docs SET n = n + 1")
    db.work()
    assert sum(db.paid().values()) == paid


def test_rows_that_go_take_their_chunks_along(db: VectorDatabase) -> None:
    make_long_docs(db, 4)
    db.work()
    db.execute("DELETE FROM docs WHERE id = 1")
    db.execute("UPDATE docs SET id = 20 WHERE id = 2")
    db.execute("UPDATE docs SET body = '' WHERE id = 3")
    db.work()
    assert {row[0] for row in chunks(db)} == {4, 20}
    db.execute("TRUNCATE docs")
    db.work()
    assert chunks(db) == []
    assert db.status()["pending"] == 0


def test_a_search_returns_the_chunk_and_its_row(db: VectorDatabase) -> None:
    make_long_docs(db, 3)
    db.work()
    wanted = chunks(db, "id = 2 AND chunk = 4")[0]
    [(key, distance, content, chunk)] = db.rows(
        "SELECT key, distance, content, chunk FROM vectorize.search('docs', %s, 1)", [wanted[2]]
    )
    assert content == wanted[2]
    assert chunk in {row[1] for row in chunks(db) if row[2] == content}
    assert key["id"] in {1, 2, 3}
    assert distance == pytest.approx(0, abs=1e-6)
    db.execute("DELETE FROM docs")
    assert db.rows("SELECT * FROM vectorize.search('docs', 'anything', 5)") == [], (
        "a deleted row is not found, even before its chunks are gone"
    )


def test_a_change_of_the_chunks_size_cuts_anew_and_of_the_model_makes_a_generation(db: VectorDatabase) -> None:
    make_long_docs(db, 2)
    db.work()
    db.notices.clear()
    db.define(chunking={"max_tokens": 80, "overlap": 10})
    assert any("every text is cut again" in line for line in db.notices)
    db.work()
    assert wrong(db, "embedding", 8, "docs_embedding", "content") == []
    assert max(len(row[2]) for row in chunks(db)) > 170
    db.define(chunking={"max_tokens": 80, "overlap": 10}, dimensions=4)
    complete(db)
    assert wrong(db, "embedding_2", 4, "docs_embedding", "content") == []
    db.execute("CALL vectorize.discard('docs', 1)")
    db.execute("UPDATE docs SET body = 'short now' WHERE id = 1")
    db.work()
    assert [row[2] for row in chunks(db, "id = 1")] == ["short now"]
    assert wrong(db, "embedding_2", 4, "docs_embedding", "content") == []


def test_a_job_becomes_chunked_and_back_without_a_gap(db: VectorDatabase) -> None:
    db.make_docs(20, target="table")
    db.work()
    db.define(target="table", chunking=CHUNKING)
    assert db.rows("SELECT key FROM vectorize.search('docs', 'text 7', 1)") == [({"id": 7},)]
    complete(db)
    assert db.rows("SELECT key, chunk FROM vectorize.search('docs', 'text 7', 1)") == [({"id": 7}, 1)]
    db.execute("CALL vectorize.discard('docs', 1)")
    db.define(target="table")
    complete(db)
    assert db.rows("SELECT key, chunk FROM vectorize.search('docs', 'text 7', 1)") == [({"id": 7}, None)]
    db.execute("CALL vectorize.discard('docs', 2)")
    assert db.rows("SELECT operation FROM vectorize.job") == [("embed",)], (
        "the splitter went with the last generation that read its chunks"
    )
    db.execute("CALL vectorize.remove('docs', false)")
    assert db.rows("SELECT relname FROM pg_class WHERE relname LIKE 'docs_%' AND relkind = 'r'") == []


def test_a_poison_chunk_is_quarantined_and_its_neighbours_are_not(db: VectorDatabase) -> None:
    make_long_docs(db, 2)
    db.fault(
        "error",
        "azure_openai.create_embeddings: 400: This model's maximum context length is 8192 tokens.",
        pattern="%number 17.%",
    )
    db.work()
    assert len(db.rows("SELECT * FROM vectorize.failures")) == 2
    assert {row[0] for row in db.rows("SELECT id FROM docs_embedding WHERE embedding IS NULL")} == {1, 2}
    db.mend()
    db.execute("CALL vectorize.retry('docs')")
    db.work()
    assert wrong(db, "embedding", 8, "docs_embedding", "content") == []


def test_an_estimate_knows_the_chunks_that_are_not_cut_yet(db: VectorDatabase) -> None:
    make_long_docs(db, 20, state="paused")
    db.execute("UPDATE docs SET body = replace(body, 'matter', 'matter ' || id || ' and')")
    rows, tokens, requests = db.rows("SELECT rows, tokens, requests FROM vectorize.estimate('docs')")[0]
    db.execute("CALL vectorize.resume('docs')")
    db.work()
    status = db.status()
    assert rows == pytest.approx(status["embedded"], rel=0.3)
    assert tokens == pytest.approx(status["tokens"], rel=0.1)
    assert requests == pytest.approx(status["requests"], rel=0.35)
    assert db.rows("SELECT rows, tokens FROM vectorize.estimate('docs')") == [(0, 0)]


def test_searches_keep_the_whole_texts_until_every_chunk_is_embedded(db: VectorDatabase) -> None:
    db.make_docs(30, target="table")
    db.execute("UPDATE docs SET body = %s || id", ["\n\n".join(PARAGRAPHS)])
    db.work()
    db.define(target="table", chunking=CHUNKING, batch_size=5)
    db.mend(latency=0.02)
    while db.status()["next_generation"] is not None:
        assert db.status()["generation"] == 1
        db.work(seconds=0.3)
    assert db.value("SELECT count(*) FROM docs_embedding_2 WHERE embedding IS NULL") == 0
    assert db.value("SELECT count(DISTINCT id) FROM docs_embedding_2") == 30


@pytest.mark.parametrize("column", ["content", "chunk", "id"])
def test_the_vectors_of_chunks_need_a_column_of_their_own(db: VectorDatabase, column: str) -> None:
    db.execute("CREATE TABLE docs (id bigint PRIMARY KEY, body text)")
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="is a column of every table of chunks"):
        db.define(chunking=CHUNKING, column=column)


def test_a_table_that_was_made_again_is_chunked_again(db: VectorDatabase) -> None:
    make_long_docs(db, 2)
    db.work()
    db.execute("DROP TABLE docs")
    db.work()
    assert db.status()["state"] == "stopped"
    db.execute("DROP TABLE docs_embedding")
    db.execute("CREATE TABLE docs (id bigint PRIMARY KEY, body text)")
    db.execute("INSERT INTO docs VALUES (1, 'one text')")
    db.define(chunking=CHUNKING)
    db.work()
    assert [row[2] for row in chunks(db)] == ["one text"]


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE docs RENAME TO papers",
        "CREATE SCHEMA archive; ALTER TABLE docs SET SCHEMA archive",
        "ALTER TABLE docs_embedding RENAME TO pieces",
        "CREATE SCHEMA archive; ALTER TABLE docs_embedding SET SCHEMA archive",
        "ALTER TABLE docs RENAME TO papers; CREATE TABLE papers_embedding (n int)",
        "ALTER TABLE docs_embedding RENAME TO pieces; CREATE TABLE docs_embedding (n int)",
    ],
)
def test_chunks_stay_where_they_are_when_a_table_gets_another_name(db: VectorDatabase, statement: str) -> None:
    """The chunk table is known by itself, not by its name: nothing is cut or paid again, and searches follow edits."""
    make_long_docs(db, 3)
    db.work()
    chunk_table = db.value("SELECT 'docs_embedding'::regclass::oid")
    paid = sum(db.paid().values())
    db.execute(statement)
    table = db.value("SELECT vectorize.table_name(source) FROM vectorize.job WHERE operation = 'split'")
    db.work()
    assert db.status()["state"] == "stopped"
    assert "define the job again" in db.status()["reason"]
    db.define(table, chunking=CHUNKING)
    assert db.value("SELECT vectorize.declared('docs') -> 'chunking'") == CHUNKING
    db.work()
    assert sum(db.paid().values()) == paid
    assert db.rows("SELECT target_table::oid FROM vectorize.job") == [(chunk_table,), (chunk_table,)]
    db.execute(f"UPDATE {table} SET body = 'changed text' WHERE id = 1")
    db.execute(f"INSERT INTO {table} VALUES (10, 'new text')")
    db.work()
    assert sum(db.paid().values()) == paid + 2
    for key, text in ((1, "changed text"), (10, "new text")):
        assert db.rows("SELECT key, content FROM vectorize.search('docs', %s, 1)", [text]) == [({"id": key}, text)]
    assert db.value("CALL vectorize.verify('docs')") == {"missing": 0, "stale": 0, "orphaned": 0}
    assert wrong(db, "embedding", 8, chunk_table_name(db), "content") == []


def test_a_chunk_table_that_is_gone_is_made_again(db: VectorDatabase) -> None:
    make_long_docs(db, 2)
    db.work()
    before = chunks(db)
    db.execute("DROP TABLE docs_embedding")
    db.work()
    assert db.status()["state"] == "stopped"
    db.define(chunking=CHUNKING)
    db.work()
    assert [row[2] for row in chunks(db)] == [row[2] for row in before]
    db.execute("UPDATE docs SET body = 'changed text' WHERE id = 1")
    db.work()
    assert db.rows("SELECT content FROM vectorize.search('docs', 'changed text', 1)") == [("changed text",)]


def test_a_generation_whose_chunks_are_no_longer_kept_is_made_anew(db: VectorDatabase) -> None:
    """Where an earlier version had made a second chunk table after a renaming, the next definition mends the search."""
    make_long_docs(db, 2)
    db.work()
    with db.connect(SUPERUSER) as conn:
        conn.execute("UPDATE vectorize.job SET target_table = NULL WHERE operation = 'split'")
    db.execute("ALTER TABLE docs_embedding RENAME TO pieces")
    db.define(chunking=CHUNKING)
    complete(db)
    db.execute("UPDATE docs SET body = 'changed text' WHERE id = 1")
    db.work()
    assert db.rows("SELECT content FROM vectorize.search('docs', 'changed text', 1)") == [("changed text",)]


def test_a_table_that_was_made_again_uses_the_chunk_table_that_stayed(db: VectorDatabase) -> None:
    """What noted the changes of the chunks for the old table goes with it, or every write of a chunk would fail."""
    make_long_docs(db, 2)
    db.work()
    db.execute("DROP TABLE docs")
    db.work()
    db.execute("CREATE TABLE docs (id bigint PRIMARY KEY, body text)")
    db.execute("INSERT INTO docs VALUES (1, 'one text')")
    db.define(chunking=CHUNKING)
    db.work()
    assert (db.status()["state"], db.status()["pending"]) == ("active", 0)
    assert [row[2] for row in chunks(db, "id = 1")] == ["one text"]
    db.execute("UPDATE docs SET body = 'another text' WHERE id = 1")
    db.work()
    assert db.rows("SELECT key, content FROM vectorize.search('docs', 'x', 9)") == [({"id": 1}, "another text")]
    strays = (
        "SELECT proname FROM pg_proc WHERE pronamespace = 'vectorize_jobs'::regnamespace "
        "AND split_part(proname, '_', 2)::int NOT IN (SELECT id FROM vectorize.job)"
    )
    assert db.rows(strays) == []


def test_chunks_that_wait_for_another_worker_keep_their_text(db: VectorDatabase) -> None:
    """A result that is held goes into the worker's hand with its pieces."""
    make_long_docs(db, 1)
    db.work()
    before = chunks(db)
    db.execute("UPDATE docs SET body = body || ' And one more sentence.'")
    with db.connect(SUPERUSER) as conn:
        conn.execute("SELECT vectorize.ensure_steps(1), vectorize.fold(1, 0, NULL, 1000, NULL)")
        holder = db.connect(SUPERUSER)
        holder.autocommit = False
        worker = threading.Thread(target=db.work)
        holder.execute(
            "LOCK TABLE vectorize_jobs.receipt_1 IN ACCESS EXCLUSIVE MODE"
        )  # where the worker has claimed, and not yet read
        worker.start()
        while conn.execute("SELECT FROM vectorize_jobs.item_1 WHERE lease IS NOT NULL").rowcount == 0:
            pass
        conn.autocommit = False
        conn.execute("SELECT FROM vectorize_jobs.item_1 FOR UPDATE")
        holder.commit()
        while (
            conn.execute(
                "SELECT FROM pg_stat_activity WHERE query LIKE 'CALL vectorize.work%' AND wait_event = 'PgSleep'"
            ).rowcount
            == 0
        ):
            pass
        conn.commit()
        worker.join()
    assert len(chunks(db)) >= len(before)
    assert wrong(db, "embedding", 8, "docs_embedding", "content") == []


def make_texts(db: VectorDatabase, rows: int, repeats: int) -> None:
    db.make_docs(chunking={"max_tokens": 512, "overlap": 0})
    for key in range(1, rows + 1):
        text = "\n\n".join(f"{key} {paragraph} {number}" for number in range(repeats) for paragraph in PARAGRAPHS)
        db.execute("INSERT INTO docs VALUES (%s, %s)", [key, text])


def test_a_worker_whose_time_is_up_cuts_no_further_text(db: VectorDatabase) -> None:
    make_texts(db, 30, 100)
    db.work(seconds=0.5)
    done = db.value("SELECT count(DISTINCT id) FROM docs_embedding")
    assert 1 <= done < 30
    splitter = db.value("SELECT id FROM vectorize.job WHERE operation = 'split'")
    with db.connect(SUPERUSER) as conn:
        left = conn.execute(
            f"SELECT count(*), max(attempts), bool_and(lease IS NULL) FROM vectorize_jobs.item_{splitter}"
        ).fetchone()
    assert left == (30 - done, 0, True)
    db.work()
    assert db.value("SELECT count(DISTINCT id) FROM docs_embedding") == 30
    assert wrong(db, "embedding", 8, "docs_embedding", "content") == []


def test_the_lease_of_a_long_text_is_as_long(db: VectorDatabase) -> None:
    """Another worker would take it over, and both cut it for ever."""
    make_texts(db, 1, 700)
    until = 0.0
    worker = threading.Thread(target=db.work, kwargs={"seconds": 1})
    worker.start()
    with db.connect(SUPERUSER) as conn:
        while worker.is_alive():
            [(seconds,)] = conn.execute(
                "SELECT max(extract(epoch FROM until - clock_timestamp()))::float8 FROM vectorize.lease"
            )
            until = max(until, seconds or 0)
    worker.join()
    assert until > 250
