# ruff: noqa: E501 - statements read better on one line
"""The index of a job: due at a coverage, built concurrently, rebuilt when it is invalid or no longer what was asked for."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from database import maintenance
from tests.postgres.vector_server import VectorDatabase


def due(db: VectorDatabase) -> list[tuple[str, str]]:
    return db.rows("SELECT statement, reason FROM vectorize.next_maintenance() WHERE job = 'docs'")


def run_all(db: VectorDatabase) -> list[str]:
    """Run what is due until nothing is, as every worker does, and return the statements."""
    ran = []
    while found := due(db):
        db.execute(found[0][0])
        ran.append(found[0][0])
        assert len(ran) < 30
    return ran


def indexes(db: VectorDatabase, table: str = "docs") -> list[tuple[Any, ...]]:
    return db.rows(
        "SELECT m.amname, c.reloptions, i.indisvalid FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid JOIN pg_am AS m ON m.oid = c.relam "
        "WHERE i.indrelid = to_regclass(%s) AND m.amname <> 'btree' ORDER BY 1, 2", [table])  # fmt: skip


@pytest.mark.parametrize(("method", "options"), [("hnsw", {"m": 8, "ef_construction": 32}), ("ivfflat", {"lists": 3})])
def test_an_index_is_built_at_the_coverage_with_its_options(
    db: VectorDatabase, method: str, options: dict[str, int]
) -> None:
    db.make_docs(200, index=method, index_options=options, index_coverage=0.5)
    assert (due(db), db.status()["index_state"]) == ([], "waiting")
    db.work()
    assert db.status()["index_state"] == "due"
    [statement] = run_all(db)
    assert statement.startswith("CREATE INDEX CONCURRENTLY")
    [(kind, reloptions, valid)] = indexes(db)
    assert (kind, set(reloptions), valid) == (method, {f"{name}={value}" for name, value in options.items()}, True)
    assert db.status()["index_state"] == "ready"


def test_other_options_are_another_index_and_none_drops_ours(db: VectorDatabase) -> None:
    db.make_docs(50, index="hnsw")
    db.work()
    run_all(db)
    db.define(index="hnsw", index_options={"m": 5, "ef_construction": 20})
    assert db.status()["index_state"] == "due"
    create, drop = run_all(db)
    assert create.startswith("CREATE INDEX CONCURRENTLY")
    assert drop.startswith("DROP INDEX CONCURRENTLY")
    assert [set(row[1]) for row in indexes(db)] == [{"ef_construction=20", "m=5"}]
    db.define(index="hnsw", distance="l2", index_options={"m": 5, "ef_construction": 20})
    assert len(run_all(db)) == 2
    db.execute("CREATE INDEX mine ON docs USING hnsw (embedding vector_ip_ops)")
    db.define(distance="l2")
    assert len(run_all(db)) == 1
    assert db.rows("SELECT relname FROM pg_class WHERE relname = 'mine'") == [("mine",)], (
        "an index that is not ours stays"
    )
    assert len(indexes(db)) == 1


def test_an_index_that_was_there_before_counts(db: VectorDatabase) -> None:
    db.execute("CREATE TABLE docs (id bigint PRIMARY KEY, body text, embedding vector(8))")
    db.execute("CREATE INDEX theirs ON docs USING hnsw (embedding vector_cosine_ops) WITH (m = 4)")
    db.execute("INSERT INTO docs SELECT g, 'text ' || g FROM generate_series(1, 20) AS g")
    db.define(index="hnsw")
    db.work()
    assert (due(db), db.status()["index_state"]) == ([], "ready")


def test_an_interrupted_build_is_found_and_done_again(db: VectorDatabase) -> None:
    db.make_docs(50, index="hnsw")
    db.work()
    [(statement, _)] = due(db)
    db.execute("INSERT INTO docs (id, body, embedding) SELECT 1000, 'x', array_fill(0.1, ARRAY[8])::vector")
    with db.connect() as holder, db.connect(options="-c lock_timeout=200ms") as builder:
        holder.execute("BEGIN")
        holder.execute("UPDATE docs SET n = 1 WHERE id = 1")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            builder.execute(statement.encode())
        holder.execute("ROLLBACK")
    assert indexes(db)[0][2] is False
    assert db.status()["index_state"] == "invalid"
    drop, create = run_all(db)
    assert (drop.split()[0], create.split()[0]) == ("DROP", "CREATE")
    assert db.status()["index_state"] == "ready"


def test_a_partitioned_table_gets_its_index_leaf_by_leaf(db: VectorDatabase) -> None:
    db.execute(
        "CREATE TABLE docs (id bigint, region text, body text, PRIMARY KEY (region, id)) PARTITION BY LIST (region)"
    )
    db.execute("CREATE TABLE docs_eu PARTITION OF docs FOR VALUES IN ('eu') PARTITION BY RANGE (id)")
    db.execute("CREATE TABLE docs_eu_1 PARTITION OF docs_eu FOR VALUES FROM (0) TO (50)")
    db.execute("CREATE TABLE docs_eu_2 PARTITION OF docs_eu FOR VALUES FROM (50) TO (1000)")
    db.execute("CREATE TABLE docs_us PARTITION OF docs FOR VALUES IN ('us')")
    db.execute(
        "INSERT INTO docs SELECT g, r, 'text ' || g || r FROM generate_series(1, 100) AS g, unnest('{eu,us}'::text[]) AS r"
    )
    db.define(index="hnsw", index_options={"m": 6, "ef_construction": 24})
    db.work()
    assert db.wrong() == []
    ran = run_all(db)
    assert sum("CONCURRENTLY" in statement for statement in ran) == 3
    assert sum("ATTACH PARTITION" in statement for statement in ran) == 4
    assert db.status()["index_state"] == "ready"
    assert all(indexes(db, table)[0][2] for table in ("docs", "docs_eu", "docs_eu_1", "docs_eu_2", "docs_us"))
    db.execute("CREATE TABLE docs_apac PARTITION OF docs FOR VALUES IN ('apac')")
    db.execute("INSERT INTO docs VALUES (1, 'apac', 'late')")
    db.work()
    assert (due(db), db.status()["index_state"], db.wrong()) == ([], "ready", [])
    db.define(index="hnsw")
    db.work()
    run_all(db)
    assert [row[1] for row in indexes(db)] == [None]


def test_a_cut_off_build_on_partitions_goes_on_where_it_was(db: VectorDatabase) -> None:
    db.execute("CREATE TABLE docs (id bigint PRIMARY KEY, body text) PARTITION BY HASH (id)")
    for part in range(3):
        db.execute(f"CREATE TABLE docs_{part} PARTITION OF docs FOR VALUES WITH (MODULUS 3, REMAINDER {part})")
    db.execute("INSERT INTO docs SELECT g, 'text ' || g FROM generate_series(1, 90) AS g")
    db.define(index="hnsw")
    db.work()
    db.execute(due(db)[0][0])
    db.execute(due(db)[0][0])
    assert db.status()["index_state"] == "due"
    rest = run_all(db)
    assert sum("CONCURRENTLY" in statement for statement in rest) == 2
    assert db.status()["index_state"] == "ready"


def test_a_build_on_a_small_server_leaves_its_cores_to_users(db: VectorDatabase) -> None:
    with db.connect() as conn:
        conn.execute("SET max_parallel_maintenance_workers = 4")
        maintenance.size_build(conn)
        settings = "'shared_buffers', 'maintenance_work_mem', 'max_parallel_maintenance_workers'"
        found = conn.execute(f"SELECT array_agg(current_setting(s)) FROM unnest(ARRAY[{settings}]) AS s").fetchone()
    assert found == (["128MB", "64MB", "0"],)
