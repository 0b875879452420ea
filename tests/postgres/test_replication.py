# ruff: noqa: E501 - statements read better on one line
"""A source that logical replication writes to: another database publishes, and the job follows what is applied."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from tests.postgres.promise import settled
from tests.postgres.vector_server import SUPERUSER, VectorDatabase, VectorServer


@pytest.fixture
def subscriber() -> Iterator[VectorDatabase]:
    """A database on a server of its own, since wal_level needs a restart."""
    server = VectorServer("16")
    try:
        asyncio.run(server._backend.set_parameters("tests", {"wal_level": "logical"}))
        asyncio.run(server._backend.restart("tests"))
        database = server.new_database()
        yield database
        database.close()
    finally:
        server.stop()


def test_rows_that_logical_replication_applies_are_embedded(subscriber: VectorDatabase) -> None:
    db = subscriber
    db.make_docs(target="table")
    db.server._make_database("publisher", "template1")
    with db.server.connect("publisher", SUPERUSER) as publisher, db.connect(SUPERUSER) as conn:
        publisher.execute("CREATE TABLE docs (id bigint PRIMARY KEY, body text, n integer NOT NULL DEFAULT 0)")
        publisher.execute("INSERT INTO docs SELECT g, 'text ' || g FROM generate_series(1, 20) AS g")
        publisher.execute("CREATE PUBLICATION docs FOR TABLE docs")
        publisher.execute("SELECT pg_create_logical_replication_slot('docs', 'pgoutput')")
        folder, port = db.server._backend.address("tests")
        # The slot is made by hand: a server that subscribes to itself waits for its own transaction to end.
        conn.execute(
            f"CREATE SUBSCRIPTION docs CONNECTION 'host={folder} port={port} user={SUPERUSER} dbname=publisher' PUBLICATION docs WITH (create_slot = false, slot_name = 'docs')".encode()
        )

        def caught_up() -> None:
            """Wait until what was published is here."""
            wanted = publisher.execute("SELECT array_agg(d ORDER BY id)::text FROM docs AS d").fetchone()
            while conn.execute("SELECT array_agg(d ORDER BY id)::text FROM docs AS d").fetchone() != wanted:
                pass

        caught_up()
        assert db.work()["embedded"] == 20
        publisher.execute("UPDATE docs SET body = 'changed' WHERE id = 1")
        publisher.execute("UPDATE docs SET id = 100 WHERE id = 2")
        publisher.execute("UPDATE docs SET n = 1 WHERE id > 10")
        publisher.execute("DELETE FROM docs WHERE id = 3")
        publisher.execute("INSERT INTO docs VALUES (200, 'new')")
        caught_up()
        assert db.work()["embedded"] == 3
        settled(db)
        publisher.execute("TRUNCATE docs")
        caught_up()
        db.work()
        settled(db)
        conn.execute("DROP SUBSCRIPTION docs")


@pytest.mark.parametrize("target", ["column", "table"])
def test_a_publication_of_all_tables_stands_in_no_workers_way(db: VectorDatabase, target: str) -> None:
    """PostgreSQL refuses to update or delete in a published table that has neither key nor replica identity."""
    with db.connect(SUPERUSER) as conn:
        conn.execute("CREATE PUBLICATION everything FOR ALL TABLES")
    db.make_docs(10, target=target)
    db.execute("UPDATE docs SET body = 'changed' WHERE id < 4")
    db.work()
    db.execute("TRUNCATE docs")
    db.execute("INSERT INTO docs VALUES (1, 'after')")
    db.work()
    db.execute("UPDATE vectorize.delta SET at = at - interval '2 minutes'")
    db.execute("UPDATE vectorize.reported SET at = '-infinity'")
    db.work()
    settled(db)
    assert db.value("CALL vectorize.verify('docs')") == {"missing": 0, "stale": 0, "orphaned": 0}
    db.execute("CALL vectorize.remove('docs')")
