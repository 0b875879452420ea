# ruff: noqa: E501 - statements read better on one line
"""Sources as they come: partitions, inheritance, row security, every way to write a row, and several jobs."""

from __future__ import annotations

import psycopg
import pytest

from tests.postgres.promise import settled
from tests.postgres.vector_server import SUPERUSER, VectorDatabase

# Partitions and inheritance

PARTITIONED = {
    "range": ("PARTITION BY RANGE (id)", ["FOR VALUES FROM (0) TO (10)", "FOR VALUES FROM (10) TO (20)", "DEFAULT"]),
    "list": (
        "PARTITION BY LIST (id)",
        ["FOR VALUES IN (1, 2, 3, 4, 5, 6, 7, 8, 9)", "FOR VALUES IN (10, 11, 12)", "DEFAULT"],
    ),
    "hash": ("PARTITION BY HASH (id)", [f"FOR VALUES WITH (MODULUS 3, REMAINDER {n})" for n in range(3)]),
}


@pytest.mark.parametrize("target", ["column", "table"])
@pytest.mark.parametrize("by", PARTITIONED)
def test_a_partitioned_table(db: VectorDatabase, by: str, target: str) -> None:
    how, bounds = PARTITIONED[by]
    db.execute(f"CREATE TABLE docs (id int PRIMARY KEY, body text) {how}")
    for number, bound in enumerate(bounds):
        db.execute(f"CREATE TABLE docs_{number} PARTITION OF docs {bound}")
    db.execute("INSERT INTO docs SELECT g, 'text ' || g FROM generate_series(1, 12) AS g")
    db.define(target=target)
    assert db.work()["embedded"] == 12
    db.execute("UPDATE docs SET id = id + 100 WHERE id IN (1, 10)")  # to another partition
    db.execute("UPDATE docs SET body = 'changed' WHERE id = 2")
    [(leaf, key)] = db.rows("SELECT tableoid::regclass::text, id FROM docs WHERE id = 5")
    db.execute(f"UPDATE {leaf} SET body = 'straight' WHERE id = {key}")
    db.work()
    settled(db)
    db.execute(f"TRUNCATE {leaf}")
    db.work()
    settled(db)


@pytest.mark.parametrize("target", ["column", "table"])
def test_partitions_of_partitions_come_and_go(db: VectorDatabase, target: str) -> None:
    db.execute("CREATE TABLE docs (id int, kind text, body text, PRIMARY KEY (id, kind)) PARTITION BY LIST (kind)")
    db.execute("CREATE TABLE docs_a PARTITION OF docs FOR VALUES IN ('a') PARTITION BY RANGE (id)")
    db.execute("CREATE TABLE docs_a1 PARTITION OF docs_a FOR VALUES FROM (0) TO (100)")
    db.execute("INSERT INTO docs SELECT g, 'a', 'text ' || g FROM generate_series(1, 9) AS g")
    db.define(target=target)
    db.work()
    settled(db)
    db.execute("CREATE TABLE docs_b PARTITION OF docs FOR VALUES IN ('b')")
    db.execute("INSERT INTO docs VALUES (1, 'b', 'in a new partition')")
    db.execute("INSERT INTO docs_b VALUES (2, 'b', 'straight into a new partition')")
    db.work()
    settled(db)
    # Rows that come with a table, or go with one, fire no trigger: a sweep finds them.
    vector = ", embedding vector(8)" if target == "column" else ""
    db.execute(f"CREATE TABLE docs_c (id int, kind text, body text{vector}, PRIMARY KEY (id, kind))")
    db.execute("INSERT INTO docs_c VALUES (1, 'c', 'attached')")
    db.execute("ALTER TABLE docs ATTACH PARTITION docs_c FOR VALUES IN ('c')")
    db.execute("ALTER TABLE docs DETACH PARTITION docs_b")
    db.work()
    settled(db)
    db.execute("DROP TABLE docs_a1")
    db.work()
    settled(db)


@pytest.mark.parametrize("leaf", ["docs_new", "docs_attached"])
def test_truncating_a_partition_that_came_later_is_seen(db: VectorDatabase, leaf: str) -> None:
    db.execute("CREATE TABLE docs (id int PRIMARY KEY, body text) PARTITION BY RANGE (id)")
    db.execute("CREATE TABLE docs_old PARTITION OF docs FOR VALUES FROM (0) TO (10)")
    db.define(target="table")
    db.work()
    db.execute("CREATE TABLE docs_new PARTITION OF docs FOR VALUES FROM (10) TO (20)")
    db.execute("CREATE TABLE docs_attached (id int PRIMARY KEY, body text)")
    db.execute("ALTER TABLE docs ATTACH PARTITION docs_attached FOR VALUES FROM (20) TO (30)")
    db.work()
    db.execute("INSERT INTO docs VALUES (1, 'a'), (11, 'b'), (21, 'c')")
    db.work()
    settled(db)
    db.execute(f"TRUNCATE {leaf}")
    db.work()
    settled(db)


def test_an_inherited_table(db: VectorDatabase) -> None:
    db.execute("CREATE TABLE parent (id int PRIMARY KEY, body text)")
    db.execute("CREATE TABLE docs (PRIMARY KEY (id)) INHERITS (parent)")
    db.execute("INSERT INTO docs SELECT g, 'text ' || g FROM generate_series(1, 9) AS g")
    db.define(target="table")
    db.work()
    db.execute("UPDATE parent SET body = 'through the parent' WHERE id = 3")
    db.execute("DELETE FROM parent WHERE id = 4")
    db.execute("UPDATE parent SET id = 40 WHERE id = 5")
    db.work()
    settled(db)
    db.execute("TRUNCATE parent")
    db.work()
    settled(db)
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="has tables that inherit from it"):
        db.define("public.parent", name="parent")


# Ways to write


@pytest.mark.parametrize("target", ["column", "table"])
@pytest.mark.parametrize(
    "statement",
    [
        "COPY docs (id, body) FROM STDIN",
        "INSERT INTO docs VALUES (1, 'again', 0), (50, 'new', 0) ON CONFLICT (id) DO UPDATE SET body = excluded.body",
        "INSERT INTO docs VALUES (1, 'again', 0), (50, 'new', 0) ON CONFLICT DO NOTHING",
        "MERGE INTO docs USING (VALUES (1), (2), (50)) AS v (id) ON docs.id = v.id WHEN MATCHED AND v.id = 1 THEN DELETE WHEN MATCHED THEN UPDATE SET body = 'm' WHEN NOT MATCHED THEN INSERT VALUES (v.id, 'n', 0)",
        "WITH gone AS (DELETE FROM docs WHERE id < 4 RETURNING *) INSERT INTO docs SELECT id + 100, body, n FROM gone",
        "UPDATE docs SET id = -id",
        "UPDATE docs SET id = id + 1 WHERE id = 12",
        "BEGIN; UPDATE docs SET id = 0 WHERE id = 1; UPDATE docs SET id = 1 WHERE id = 2; UPDATE docs SET id = 2 WHERE id = 0; COMMIT",
        "BEGIN; UPDATE docs SET body = 'a' WHERE id = 1; SAVEPOINT s; UPDATE docs SET body = 'b' WHERE id = 1; ROLLBACK TO s; COMMIT",
        "BEGIN; DELETE FROM docs; INSERT INTO docs SELECT g, 'text ' || g, 0 FROM generate_series(1, 12) AS g; COMMIT",
        "TRUNCATE docs RESTART IDENTITY CASCADE",
        "BEGIN; TRUNCATE docs CASCADE; ROLLBACK",
        "BEGIN; TRUNCATE docs CASCADE; INSERT INTO docs VALUES (3, 'refilled', 0); COMMIT",
        "SET session_replication_role = replica; UPDATE docs SET body = 'r' WHERE id = 1; DELETE FROM docs WHERE id = 2; RESET session_replication_role",
        "UPDATE docs SET body = NULL WHERE id = 1; UPDATE docs SET body = E' \\n\\t' WHERE id = 2; UPDATE docs SET body = 'back' WHERE id = 1",
        "UPDATE docs SET body = repeat('long ', 5000) || id WHERE id < 3; UPDATE docs SET n = n + 1",
        "BEGIN ISOLATION LEVEL SERIALIZABLE; UPDATE docs SET body = 's' WHERE id = 1; COMMIT",
        "PREPARE change (int) AS UPDATE docs SET body = 'p' || id WHERE id = $1; EXECUTE change (4); EXECUTE change (5)",
        "DO $$ BEGIN FOR i IN 1..5 LOOP BEGIN UPDATE docs SET body = 'd' || i WHERE id = i; IF i = 3 THEN RAISE 'x'; END IF; EXCEPTION WHEN OTHERS THEN NULL; END; END LOOP; END $$",
    ],
)  # fmt: skip
def test_a_row_may_be_written_in_any_way(db: VectorDatabase, statement: str, target: str) -> None:
    db.execute("CREATE TABLE docs (id int PRIMARY KEY, body text, n int)")
    db.execute("CREATE TABLE child (id serial, doc int REFERENCES docs ON UPDATE CASCADE ON DELETE CASCADE DEFERRABLE)")
    db.execute("INSERT INTO docs SELECT g, 'text ' || g, 0 FROM generate_series(1, 12) AS g")
    db.define(target=target, batch_size=5)
    db.work()
    with db.connect(SUPERUSER) as conn:
        if statement.startswith("COPY"):
            with conn.cursor().copy(statement.encode()) as copy:
                copy.write_row((100, "copied"))
                copy.write_row((101, None))
        else:
            conn.execute(statement.encode())
    db.work()
    settled(db)


def test_keys_that_swap_places_keep_their_own_vectors(db: VectorDatabase) -> None:
    db.execute(
        "CREATE TABLE docs (id int NOT NULL, place int UNIQUE DEFERRABLE, body text, CONSTRAINT docs_key UNIQUE (id))"
    )
    db.execute("INSERT INTO docs SELECT g, g, 'text ' || g FROM generate_series(1, 6) AS g")
    db.define(key=["id"], target="table")
    db.work()
    db.execute("UPDATE docs SET place = 7 - place")
    assert db.work() == {"embedded": 0, "requests": 0}
    with db.conn.transaction():
        db.execute("UPDATE docs SET id = -1 WHERE id = 1")
        db.execute("UPDATE docs SET id = 1 WHERE id = 2")
        db.execute("UPDATE docs SET id = 2 WHERE id = -1")
    db.work()
    settled(db)


@pytest.mark.parametrize("target", ["column", "table"])
def test_a_table_with_everything_that_a_table_can_have(db: VectorDatabase, target: str) -> None:
    db.execute(
        "CREATE UNLOGGED TABLE docs (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, a text, b int CHECK (b > 0), "
        "body text GENERATED ALWAYS AS (a || ' ' || b) STORED, span int4range, updated_at timestamptz DEFAULT now(), "
        "EXCLUDE USING gist (span WITH &&))"
    )
    db.execute(
        "CREATE FUNCTION tidy() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.a := btrim(NEW.a); NEW.updated_at := clock_timestamp(); RETURN NEW; END'"
    )
    db.execute("CREATE TRIGGER tidy BEFORE INSERT OR UPDATE ON docs FOR EACH ROW EXECUTE FUNCTION tidy()")
    db.execute("CREATE RULE no_notes AS ON INSERT TO docs DO ALSO NOTHING")
    db.execute("INSERT INTO docs (a, b, span) SELECT '  text ', g, int4range(g, g + 1) FROM generate_series(1, 9) AS g")
    db.define(target=target)
    assert db.work()["embedded"] == 9
    settled(db)
    db.execute("UPDATE docs SET a = ' text  '")  # tidied to what it was
    db.execute("UPDATE docs SET b = 100 WHERE id = 2")
    assert db.work()["embedded"] == 1
    settled(db)


@pytest.mark.parametrize("target", ["column", "table"])
@pytest.mark.parametrize("forced", [False, True])
def test_row_security_of_the_source(db: VectorDatabase, target: str, forced: bool) -> None:
    db.execute("CREATE TABLE docs (id int PRIMARY KEY, body text, tenant text)")
    db.execute("INSERT INTO docs SELECT g, 'text ' || g, 'application' FROM generate_series(1, 6) AS g")
    db.execute("ALTER TABLE docs ENABLE ROW LEVEL SECURITY")
    db.execute("CREATE POLICY own ON docs USING (tenant = current_user)")
    if forced:
        db.execute("ALTER TABLE docs FORCE ROW LEVEL SECURITY")
        db.execute("CREATE POLICY engine ON docs TO deployer USING (true)")
    db.execute("GRANT ALL ON docs TO application")
    db.define(target=target)
    assert db.work()["embedded"] == 6
    with db.connect("application") as conn:
        conn.execute("UPDATE docs SET body = 'changed' WHERE id = 2")
        conn.execute("DELETE FROM docs WHERE id = 3")
    db.work()
    settled(db)


def test_several_jobs_on_one_table_are_apart(db: VectorDatabase) -> None:
    db.execute("CREATE TABLE docs (id int PRIMARY KEY, title text, body text)")
    db.execute("INSERT INTO docs SELECT g, 'title ' || g, 'text ' || g FROM generate_series(1, 9) AS g")
    db.define(name="titles", template="{title}", column="title_vector")
    db.define(name="bodies", template="{body}", column="body_vector")
    db.define(name="both", template="{title} {body}", target="table", column="both_vector", type="halfvec")
    db.define(name="side", template="{body}", target="table", column="side_vector")
    db.work()
    db.execute("UPDATE docs SET title = 'other' WHERE id = 1")
    assert db.work()["embedded"] == 2
    db.execute("CALL vectorize.remove('bodies', false)")
    db.execute("UPDATE docs SET body = 'other' WHERE id = 2")
    assert db.work()["embedded"] == 2
    settled(db, job="titles", text="title")
    settled(db, job="side")
    assert db.status("both")["embedded"] == 9
