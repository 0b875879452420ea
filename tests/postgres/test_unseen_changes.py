# ruff: noqa: E501 - statements read better on one line
"""Changes of a table that fire no trigger for its rows: workers see them in the catalog and compare all rows."""

from __future__ import annotations

import pytest

from tests.postgres.promise import settled
from tests.postgres.vector_server import VectorDatabase

BEGUN = "SELECT started_at FROM vectorize_jobs.sweep_1"
# Facts that earlier versions did not note.
NEW_FACTS = "facts - '{columns,labels,file,partition triggers}'::text[]"


def make_notes(db: VectorDatabase, target: str = "table") -> None:
    """Make the table `docs` with two columns of text and an enum, a job that reads all three, and their vectors."""
    db.execute("CREATE TYPE mood AS ENUM ('sad', 'glad')")
    db.execute("CREATE TABLE docs (id bigint PRIMARY KEY, title text, body text, felt mood, n int)")
    db.execute("INSERT INTO docs SELECT g, 'title ' || g, 'text ' || g, 'sad', 0 FROM generate_series(1, 9) AS g")
    db.define(template="{title}: {body} ({felt})", target=target)
    db.work()


TEXT = "concat(title, ': ', body, ' (', felt, ')')"


@pytest.mark.parametrize("target", ["column", "table"])
@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE docs ALTER COLUMN body TYPE text USING upper(body)",
        "ALTER TABLE docs ALTER COLUMN body TYPE varchar; ALTER TABLE docs ALTER COLUMN body TYPE text USING upper(body)",
        "ALTER TABLE docs DROP COLUMN body; ALTER TABLE docs ADD COLUMN body text DEFAULT 'n/a'",
        "BEGIN; ALTER TABLE docs RENAME COLUMN title TO x; ALTER TABLE docs RENAME COLUMN body TO title; ALTER TABLE docs RENAME COLUMN x TO body; COMMIT",
        "ALTER TYPE mood RENAME VALUE 'sad' TO 'unhappy'",
    ],
)
def test_texts_that_change_with_the_table_are_embedded_anew(db: VectorDatabase, statement: str, target: str) -> None:
    make_notes(db, target)
    db.execute(statement)
    assert db.work()["embedded"] == 9
    settled(db, text=TEXT)


def test_labels_of_an_array_and_a_domain_count_too(db: VectorDatabase) -> None:
    db.execute("CREATE TYPE mood AS ENUM ('sad', 'glad'); CREATE DOMAIN felt AS mood")
    db.execute("CREATE TABLE docs (id bigint PRIMARY KEY, one felt, many mood[])")
    db.execute("INSERT INTO docs SELECT g, 'sad', '{glad}' FROM generate_series(1, 2) AS g")
    db.define(template="{many}")
    db.define(name="one", template="{one}", column="one_embedding")
    db.work()
    db.execute("ALTER TYPE mood RENAME VALUE 'sad' TO 'unhappy'")
    db.execute("ALTER TYPE mood RENAME VALUE 'glad' TO 'merry'")
    assert db.work()["requests"] == 2
    settled(db, text="many::text")
    settled(db, job="one", text="one::text")


@pytest.mark.parametrize(
    "statement",
    [
        "VACUUM FULL docs",
        "CLUSTER docs USING docs_pkey",
        "ALTER TABLE docs ALTER COLUMN n TYPE bigint",
        "ALTER TYPE mood ADD VALUE 'so'",
        "ALTER TABLE docs ADD COLUMN more int; ALTER TABLE docs DROP COLUMN n",
    ],
)
def test_a_table_that_is_only_written_anew_costs_no_call(db: VectorDatabase, statement: str) -> None:
    make_notes(db)
    paid = db.paid()
    db.execute(statement)
    db.work()
    assert db.paid() == paid
    settled(db, text=TEXT)


def test_a_table_that_is_emptied_and_filled_again_is_swept_once(db: VectorDatabase) -> None:
    db.make_docs(9, target="table")
    db.work()
    db.execute("BEGIN; TRUNCATE docs; INSERT INTO docs SELECT g, 'text ' || g FROM generate_series(5, 12) AS g; COMMIT")
    assert db.value("SELECT folded FROM vectorize.fold(1, 0, NULL, 10, NULL)") == 1
    begun = db.value(BEGUN)
    assert db.work()["embedded"] == 3
    assert db.value(BEGUN) == begun
    settled(db)


@pytest.mark.parametrize("kind", ["vector", "halfvec"])
def test_a_column_of_vectors_that_was_emptied_is_filled_again(db: VectorDatabase, kind: str) -> None:
    db.make_docs(9, type=kind)
    db.work()
    db.execute(f"ALTER TABLE docs DROP COLUMN embedding; ALTER TABLE docs ADD COLUMN embedding {kind}(8)")
    assert db.work()["embedded"] == 9
    if kind == "vector":
        settled(db)


@pytest.mark.parametrize("target", ["column", "table"])
@pytest.mark.parametrize("leaf", ["docs_1", "docs_1a"])
def test_a_partition_that_was_away_is_compared_when_it_is_back(db: VectorDatabase, leaf: str, target: str) -> None:
    db.execute("CREATE TABLE docs (id int PRIMARY KEY, body text) PARTITION BY RANGE (id)")
    db.execute("CREATE TABLE docs_1 PARTITION OF docs FOR VALUES FROM (0) TO (100) PARTITION BY RANGE (id)")
    db.execute("CREATE TABLE docs_1a PARTITION OF docs_1 FOR VALUES FROM (0) TO (100)")
    db.execute("INSERT INTO docs SELECT g, 'text ' || g FROM generate_series(1, 9) AS g")
    db.define(target=target)
    db.work()
    parent = "docs" if leaf == "docs_1" else "docs_1"
    db.execute(
        f"BEGIN; ALTER TABLE {parent} DETACH PARTITION {leaf}; UPDATE {leaf} SET body = 'elsewhere' WHERE id = 1; "
        f"ALTER TABLE {parent} ATTACH PARTITION {leaf} FOR VALUES FROM (0) TO (100); COMMIT"
    )
    assert db.work()["embedded"] == 1
    settled(db)


def test_a_table_that_others_inherit_from_stops_the_job(db: VectorDatabase) -> None:
    db.make_docs(5, target="table")
    db.work()
    db.execute("CREATE TABLE docs_2026 () INHERITS (docs)")
    db.execute("INSERT INTO docs_2026 VALUES (100, 'fires nothing')")
    db.work()
    assert db.status()["state"] == "stopped"
    assert "public.docs has tables that inherit from it" in db.status()["reason"]
    db.execute("ALTER TABLE docs_2026 NO INHERIT docs")
    db.execute("CALL vectorize.resume('docs')")
    db.work()
    settled(db)


@pytest.mark.parametrize("then", ["work", "define"])
def test_what_an_earlier_version_did_not_look_at_is_no_change(db: VectorDatabase, then: str) -> None:
    """Or an upgrade would sweep all rows of all jobs, and give up what is being paid for."""
    make_notes(db)
    facts = db.value("SELECT facts FROM vectorize.job")
    begun = db.value(BEGUN)
    db.execute("SET ROLE vectorize_owner")
    db.execute(f"UPDATE vectorize.job SET facts = {NEW_FACTS}")
    db.execute("RESET ROLE")
    if then == "define":
        db.define(template="{title}: {body} ({felt})", target="table")
    db.work()
    assert db.value("SELECT facts FROM vectorize.job") == facts
    assert db.value(BEGUN) == begun
    db.execute("ALTER TYPE mood RENAME VALUE 'sad' TO 'unhappy'")
    db.work()
    settled(db, text=TEXT)
