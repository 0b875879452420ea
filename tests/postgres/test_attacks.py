# ruff: noqa: E501 - statements read better on one line
"""The owner of a source turns everything that a user can define against the engine: nothing of it runs with another's rights."""

from __future__ import annotations

import shutil
from pathlib import Path

import psycopg
import pytest
from psycopg.types.json import Jsonb

from database import migrations
from tests.postgres.attacker import DENIED, others
from tests.postgres.vector_server import SUPERUSER, Connection, VectorDatabase


def test_a_cast_of_the_keys_type_does_not_run_for_who_looks_at_failures_or_searches(
    db: VectorDatabase, attacker: Connection
) -> None:
    attacker.execute("CREATE CAST (app.mood AS json) WITH FUNCTION app.to_json(app.mood)")
    attacker.execute("CREATE TABLE app.docs (id app.mood PRIMARY KEY, body text)")
    attacker.execute("INSERT INTO app.docs VALUES ('a', 'good'), ('b', 'bad')")
    attacker.execute("GRANT SELECT ON app.docs TO deployer")
    db.define("app.docs")
    db.fault("error", "azure_openai.create_embeddings: 400: no", pattern="bad")
    db.work()
    assert db.rows("SELECT key FROM vectorize.failures") == [({"id": "b"},)]
    assert db.rows("SELECT key FROM vectorize.search('docs', 'good', 1)") == [({"id": "a"},)]
    assert others(db) == []


@pytest.mark.parametrize(("column", "cast"), [("id", "bigint"), ("flag", "text")])
def test_a_column_that_gets_a_type_with_a_cast_does_not_bring_its_function_into_the_trigger(
    db: VectorDatabase, attacker: Connection, column: str, cast: str
) -> None:
    attacker.execute("CREATE TABLE app.docs (id bigint PRIMARY KEY, flag boolean)")
    attacker.execute("INSERT INTO app.docs VALUES (1, true)")
    db.define("app.docs", template="{flag}")
    db.work()
    attacker.execute(f"CREATE CAST (app.mood AS {cast}) WITH FUNCTION app.to_{cast}(app.mood) AS IMPLICIT".encode())
    attacker.execute(f"ALTER TABLE app.docs ALTER COLUMN {column} TYPE app.mood USING 'b'::app.mood".encode())
    attacker.execute(f"UPDATE app.docs SET {column} = 'c'".encode())
    attacker.execute("DELETE FROM app.docs")
    db.work()
    assert others(db) == []


def test_another_type_under_the_name_of_the_keys_does_not_bring_its_cast_into_the_trigger(
    db: VectorDatabase, attacker: Connection
) -> None:
    attacker.execute("CREATE TABLE app.docs (id app.mood PRIMARY KEY, body text)")
    attacker.execute("INSERT INTO app.docs VALUES ('a', 'x')")
    db.define("app.docs")
    db.work()
    attacker.execute("ALTER TYPE app.mood RENAME TO was")
    attacker.execute("CREATE TYPE app.mood AS ENUM ('a', 'b', 'c')")
    attacker.execute(
        "CREATE FUNCTION app.back(app.mood) RETURNS app.was LANGUAGE plpgsql AS $$BEGIN INSERT INTO app.seen VALUES (current_user, 'was'); RETURN 'a'; END$$"
    )
    attacker.execute("CREATE CAST (app.mood AS app.was) WITH FUNCTION app.back(app.mood) AS IMPLICIT")
    attacker.execute("ALTER TABLE app.docs ALTER COLUMN id TYPE app.mood USING 'b'::app.mood")
    attacker.execute("UPDATE app.docs SET id = 'c'")
    attacker.execute("DELETE FROM app.docs")
    assert others(db) == []


def test_a_key_that_gets_another_type_does_not_bring_that_type_s_operator_into_the_trigger(
    db: VectorDatabase, attacker: Connection
) -> None:
    """The operator of the key's first type is an extension's: the schema in which it is found is one where users make theirs."""
    with db.connect(SUPERUSER) as conn:
        conn.execute("GRANT CREATE ON SCHEMA public TO application")
    attacker.execute("CREATE TABLE app.docs (id vector(2) PRIMARY KEY, body text)")
    attacker.execute("INSERT INTO app.docs VALUES ('[1,2]', 'x')")
    db.define("app.docs")
    db.work()
    attacker.execute(
        "CREATE FUNCTION app.equal(app.mood, app.mood) RETURNS boolean LANGUAGE plpgsql AS $$BEGIN INSERT INTO app.seen VALUES (current_user, 'equal'); RETURN true; END$$"
    )
    attacker.execute("CREATE OPERATOR public.= (LEFTARG = app.mood, RIGHTARG = app.mood, FUNCTION = app.equal)")
    attacker.execute("ALTER TABLE app.docs ALTER COLUMN id TYPE app.mood USING 'b'::app.mood")
    attacker.execute("UPDATE app.docs SET id = 'c'")
    attacker.execute("DELETE FROM app.docs")
    db.work()
    assert others(db) == []


def test_functions_and_operators_beside_the_keys_type_do_not_come_before_the_catalogs(
    db: VectorDatabase, attacker: Connection
) -> None:
    """The key's type is the administrator's, in a schema in which the attacker may create."""
    with db.connect(SUPERUSER) as conn:
        conn.execute("CREATE SCHEMA shared")
        conn.execute("GRANT USAGE, CREATE ON SCHEMA shared TO PUBLIC")
    db.execute("CREATE TYPE shared.kind AS ENUM ('a', 'b', 'c')")
    db.execute("CREATE TABLE docs (id shared.kind PRIMARY KEY, body text)")
    db.execute("INSERT INTO docs VALUES ('a', 'x'), ('b', 'y')")
    attacker.execute(
        "CREATE FUNCTION shared.unnest(shared.kind[]) RETURNS SETOF shared.kind LANGUAGE plpgsql AS $$BEGIN INSERT INTO app.seen VALUES (current_user, 'unnest'); RETURN QUERY SELECT 'a'::shared.kind; END$$"
    )
    attacker.execute(
        "CREATE FUNCTION shared.later(shared.kind, shared.kind) RETURNS boolean LANGUAGE plpgsql AS $$BEGIN INSERT INTO app.seen VALUES (current_user, 'later'); RETURN true; END$$"
    )
    for operator in (">", "=", "<"):
        attacker.execute(
            f"CREATE OPERATOR shared.{operator} (FUNCTION = shared.later, LEFTARG = shared.kind, RIGHTARG = shared.kind)".encode()
        )
    attacker.execute(
        "CREATE FUNCTION shared.concat(shared.kind, text) RETURNS text LANGUAGE plpgsql AS $$BEGIN INSERT INTO app.seen VALUES (current_user, 'concat'); RETURN ''; END$$"
    )
    for target in ("column", "table"):
        db.define(name=target, target=target, template="{id}{body}")
    with db.connect(SUPERUSER) as conn:
        conn.execute("SELECT vectorize.ensure_steps(id) FROM vectorize.job")
        conn.execute(
            "SELECT vectorize.feed(id, 1) FROM vectorize.job"
        )  # pages of one row, so that a page begins after a key
    db.work()
    db.execute("UPDATE docs SET id = 'c', body = 'z' WHERE id = 'b'")
    db.work()
    for target in ("column", "table"):
        assert db.value("CALL vectorize.verify(%s)", [target]) == {"missing": 0, "stale": 0, "orphaned": 0}
        assert len(db.rows('SELECT * FROM vectorize.search(%s, \'x\', 9, \'{"id": {">=": "a"}}\')', [target])) == 2
    assert others(db) == []


@pytest.mark.parametrize(
    ("key", "one", "two"), [("bigint", "1", "2"), ("app.code", "1", "2"), ("public.vector(2)", "[1,2]", "[3,4]")]
)
@pytest.mark.parametrize(("target", "template"), [("column", "{body}{flag}"), ("table", "{body}")])
def test_what_comes_before_the_catalog_in_a_search_path_does_not_come_into_the_trigger(
    db: VectorDatabase, attacker: Connection, target: str, template: str, key: str, one: str, two: str
) -> None:
    """The trigger runs as the engine's owner, in statements of whoever writes."""
    attacker.execute("CREATE DOMAIN app.code AS bigint")
    attacker.execute(f"CREATE TABLE app.docs (id {key} PRIMARY KEY, body text, flag boolean, n integer)".encode())
    db.define("app.docs", target=target, template=template)
    evil = "RETURNS {} LANGUAGE plpgsql AS $$BEGIN INSERT INTO app.seen VALUES (current_user, '{}'); RETURN {}; END$$"
    for type_name in ("text", "bigint", "boolean", "oid", "regtype", "record", "public.vector"):
        name = type_name.removeprefix("public.")
        for operator, word in (("=", "equal"), ("<>", "unequal")):
            function = f"app.{word}_{name}"
            attacker.execute(
                f"CREATE FUNCTION {function}({type_name}, {type_name}) {evil.format('boolean', word, 'true')}".encode()
            )
            attacker.execute(
                f"CREATE OPERATOR app.{operator} (FUNCTION = {function}, LEFTARG = {type_name}, RIGHTARG = {type_name})".encode()
            )
    for arguments, returns, value in (
        ("concat(text)", "text", "''"),
        ("concat(text, text)", "text", "''"),
        ("concat_ws(text, bigint)", "text", "''"),
        ("current_setting(text, boolean)", "text", "''"),
        ("pg_typeof(anyelement)", "regtype", "0"),
        ("record_image_eq(record, record)", "boolean", "true"),
    ):
        attacker.execute(
            f"CREATE FUNCTION app.{arguments} {evil.format(returns, arguments.split('(')[0], value)}".encode()
        )
    for schema in ("app", "pg_temp"):
        attacker.execute(f"CREATE DOMAIN {schema}.regtype AS text".encode())
        attacker.execute(f"CREATE DOMAIN {schema}.text AS pg_catalog.text CHECK (app.visible(VALUE))".encode())
    attacker.execute("SET search_path = app, pg_temp, pg_catalog")
    notes = [
        (f"INSERT INTO app.docs VALUES ('{one}', 'x', true)", [one]),
        ("UPDATE app.docs SET n = 1", []),
        ("UPDATE app.docs SET body = 'X'", [one]),
        ("UPDATE app.docs SET flag = false", [one] if "{flag}" in template else []),
        (f"UPDATE app.docs SET id = '{two}'", [one, two]),
        ("DELETE FROM app.docs", [two]),
    ]
    job = db.value("SELECT id FROM vectorize.job")
    for statement, noted in notes:
        attacker.execute(statement.encode())
        assert db.rows(f"SELECT k1::text FROM vectorize_jobs.change_{job} ORDER BY 1") == [(k,) for k in noted], (
            statement
        )
        db.work()
    assert others(db) == []


@pytest.mark.parametrize("target", ["column", "table"])
def test_what_a_trigger_puts_off_runs_as_its_owner_and_not_at_the_workers_commit(
    db: VectorDatabase, attacker: Connection, target: str
) -> None:
    attacker.execute("CREATE TABLE app.docs (id bigint PRIMARY KEY, body text)")
    attacker.execute("INSERT INTO app.docs VALUES (1, 'x')")
    db.define("app.docs", target=target)
    on = "app.docs" if target == "column" else "app.docs_embedding"
    attacker.execute(
        f"CREATE CONSTRAINT TRIGGER late AFTER INSERT OR UPDATE ON {on} DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION app.fired()".encode()
    )
    assert db.work()["embedded"] == 1
    assert attacker.execute("SELECT * FROM app.seen").fetchall() == [("application", "late")]


def test_a_check_at_commit_costs_its_row_and_not_the_worker(db: VectorDatabase) -> None:
    db.make_docs(20)
    db.execute(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN IF NEW.id = 3 AND NEW.embedding IS NOT NULL THEN RAISE ''not at commit''; END IF; RETURN NULL; END'"
    )
    db.execute(
        "CREATE CONSTRAINT TRIGGER late AFTER UPDATE ON docs DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse()"
    )
    assert db.work()["embedded"] == 19
    assert db.rows("SELECT key, error FROM vectorize.failures") == [({"id": 3}, "not at commit")]
    assert db.calls() == 1


def test_a_policy_of_the_source_runs_as_its_owner(db: VectorDatabase, attacker: Connection) -> None:
    attacker.execute("CREATE TABLE app.docs (id bigint PRIMARY KEY, body text)")
    attacker.execute("INSERT INTO app.docs VALUES (1, 'x')")
    attacker.execute("ALTER TABLE app.docs ENABLE ROW LEVEL SECURITY")
    attacker.execute("ALTER TABLE app.docs FORCE ROW LEVEL SECURITY")
    attacker.execute("CREATE POLICY all_rows ON app.docs USING (app.visible(body))")
    db.define("app.docs")
    assert db.work()["embedded"] == 1
    db.execute("CALL vectorize.verify('docs')")
    assert db.rows("SELECT rows FROM vectorize.estimate('docs')") == [(0,)]
    assert others(db) == []


def test_a_view_or_another_table_under_the_name_of_the_source_or_the_target_is_not_touched(
    db: VectorDatabase, attacker: Connection
) -> None:
    attacker.execute("CREATE TABLE app.docs (id bigint PRIMARY KEY, body text)")
    attacker.execute("INSERT INTO app.docs VALUES (1, 'x')")
    db.execute("CREATE TABLE secret (id bigint PRIMARY KEY, body text)")
    db.execute("INSERT INTO secret VALUES (1, 'for the administrator only')")
    db.execute("GRANT SELECT ON secret TO application")
    db.define("app.docs", target="table")
    db.work()
    attacker.execute("ALTER TABLE app.docs RENAME TO other; CREATE VIEW app.docs AS SELECT * FROM public.secret")
    attacker.execute(
        "ALTER TABLE app.docs_embedding RENAME TO aside; CREATE VIEW app.docs_embedding AS SELECT * FROM public.secret"
    )
    attacker.execute("INSERT INTO app.other VALUES (2, 'y')")
    db.work()
    assert db.paid().total() == 1  # nothing more was read: neither the view nor, until it is defined again, the table
    with pytest.raises(psycopg.errors.InvalidParameterValue, match=r"app\.docs is not a table"):
        db.define("app.docs", name="second")


def test_steps_called_with_forged_arguments_open_nothing(db: VectorDatabase) -> None:
    db.make_docs(3)
    spec = {
        "name": "evil",
        "table": "public.docs",
        "template": "{body}",
        "deployment": "embedding",
        "dimensions": 8,
        "target": "column",
        "column": "embedding",
        "index": "hnsw",
    }
    with db.member("vectorize_admin") as conn:
        me = conn.info.user
        forged = spec | {"index_options": {"m": "16); DROP TABLE docs; --"}}
        with pytest.raises(psycopg.errors.CheckViolation):
            conn.execute(
                "SELECT vectorize.record_generation(vectorize.spec_defaults() || %s, 'public.docs', 'public.docs')",
                [Jsonb(forged)],
            )
        for owner in ("deployer", me, "vectorize_owner"):
            with pytest.raises(DENIED):
                conn.execute(
                    f"DO $$ DECLARE j vectorize.job; BEGIN SELECT * INTO j FROM vectorize.job; PERFORM vectorize.open_schema(j, '{owner}'); END $$".encode()
                )
        with pytest.raises(DENIED):
            conn.execute("CREATE TABLE vectorize_jobs.item_2 ()")


def test_a_worker_that_lies_harms_the_vectors_it_was_given_and_nothing_else(db: VectorDatabase) -> None:
    db.make_docs(10)
    db.work()
    db.execute("UPDATE docs SET body = 'new' WHERE id <= 2")
    db.execute("CREATE TABLE secret (id bigint PRIMARY KEY, body text)")
    db.execute("INSERT INTO secret VALUES (1, 'nobody has queued this')")
    db.define(name="secret", table="public.secret", state="paused")
    with db.connect(SUPERUSER) as conn:
        conn.execute("SELECT vectorize.fold(1, 0, NULL, 1000, NULL)")
        versions = [version for (version,) in conn.execute("SELECT version FROM vectorize_jobs.item_1 ORDER BY k1")]
    with db.member("vectorize_worker") as conn:
        read = "SELECT (vectorize.prepare(j, d, %s)).texts FROM vectorize.job AS j JOIN vectorize.deployment AS d ON true WHERE j.name = %s"
        assert conn.execute(read, [versions, "docs"]).fetchall() == [(["new"],)]
        assert conn.execute(read, [list(range(1000)), "secret"]).fetchall() == [(None,)]  # nothing of it is queued
        digest = conn.execute("SELECT sha256(fingerprint || 'new') FROM vectorize.job WHERE name = 'docs'").fetchone()
        assert digest is not None
        lie = (
            "SELECT vectorize.settle(j, ARRAY[ROW(%s, 'embed', %s, array_fill(0.5::real, ARRAY[8]), NULL, NULL, NULL, NULL)::vectorize.result], '{}') "
            "FROM vectorize.job AS j WHERE j.name = 'docs'"
        )
        conn.execute(lie, [versions[0], digest[0]])  # of a row that is queued, and its present text: believed
        conn.execute(lie, [versions[1], b"another text"])  # of another text than the present one: not
        conn.execute(lie, [10**9, digest[0]])  # of a row that is not queued: no such item
    assert [row[0] for row in db.wrong()] == [1, 2]
    assert db.value("SELECT count(*) FROM secret WHERE embedding IS NOT NULL") == 0
    db.execute("CALL vectorize.reembed('docs')")
    db.work(job="docs")
    assert db.wrong() == []


def test_an_upgrade_brings_the_trigger_functions_that_are_there_up_to_date(db: VectorDatabase, tmp_path: Path) -> None:
    db.make_docs(3)
    db.define(name="gone", column="gone")
    present = "SELECT prosrc FROM pg_proc WHERE oid = 'vectorize_jobs.sync_1'::regproc"
    wanted = db.value(present)
    with db.connect(SUPERUSER) as conn:
        conn.execute(
            "CREATE OR REPLACE FUNCTION vectorize_jobs.sync_1() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'"
        )
    db.execute("CALL vectorize.remove('gone')")
    shutil.copytree(migrations.ROOT / "vectorize", tmp_path / "vectorize")
    changed = tmp_path / "vectorize" / "spec.sql"
    changed.write_text(changed.read_text() + "-- of the next version\n")
    assert migrations.apply(db.conn, "vectorize", root=tmp_path, say=lambda _: None) == [
        "spec.sql",
        "after_rights.sql",
        "after_sync.sql",
    ]
    assert db.value(present) == wanted
