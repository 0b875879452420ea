# ruff: noqa: E501 - statements read better on one line
"""Triggers of the source that fire when a vector is written into its row."""

from __future__ import annotations

import pytest

from tests.postgres.vector_server import VectorDatabase


def test_a_trigger_of_the_source_that_raises_costs_its_row_and_no_second_call(db: VectorDatabase) -> None:
    db.make_docs(60)
    db.execute(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS "
        "'BEGIN IF NEW.id % 20 = 7 AND NEW.embedding IS NOT NULL THEN RAISE ''not this one''; END IF; RETURN NEW; END'"
    )
    db.execute("CREATE TRIGGER refuse BEFORE UPDATE ON docs FOR EACH ROW EXECUTE FUNCTION refuse()")
    db.work()
    assert db.rows("SELECT key ->> 'id', error FROM vectorize.failures ORDER BY 1") == [
        (i, "not this one") for i in ("27", "47", "7")
    ]
    assert db.calls() == 1
    assert len(db.wrong()) == 3


def test_a_trigger_that_swallows_the_update_costs_its_row_and_is_told(db: VectorDatabase) -> None:
    db.make_docs(20)
    db.execute(
        "CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS "
        "'BEGIN IF NEW.id = 7 THEN RETURN NULL; END IF; RETURN NEW; END'"
    )
    db.execute("CREATE TRIGGER swallow BEFORE UPDATE ON docs FOR EACH ROW EXECUTE FUNCTION swallow()")
    db.work()
    [(key, error)] = db.rows("SELECT key ->> 'id', error FROM vectorize.failures")
    assert key == "7"
    assert "kept the vector from being written" in error
    assert db.status()["embedded"] == 19
    assert db.value("CALL vectorize.verify('docs')")["stale"] == 0
    db.work()
    assert db.calls() == 1


def test_a_trigger_that_cannot_run_at_all_stops_the_job(db: VectorDatabase) -> None:
    db.make_docs(6)
    db.execute(
        "CREATE FUNCTION broken() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO nowhere VALUES (1); RETURN NEW; END'"
    )
    db.execute("CREATE TRIGGER broken BEFORE UPDATE ON docs FOR EACH ROW EXECUTE FUNCTION broken()")
    db.work()
    assert db.status()["state"] == "stopped"
    assert "nowhere" in db.status()["reason"]
    assert db.rows("SELECT * FROM vectorize.failures") == []
    db.execute("DROP TRIGGER broken ON docs")
    db.execute("CALL vectorize.resume('docs')")
    db.work()
    assert db.wrong() == []


def test_triggers_of_the_source_run_as_in_their_owners_sessions(db: VectorDatabase) -> None:
    db.make_docs(3)
    db.execute("CREATE TABLE audit (who text, id bigint)")
    db.execute("CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS "
               "'BEGIN INSERT INTO audit VALUES (current_user, NEW.id); RETURN NEW; END'")  # fmt: skip
    db.execute("CREATE TRIGGER note AFTER UPDATE ON docs FOR EACH ROW EXECUTE FUNCTION note()")
    db.work()
    assert db.rows("SELECT DISTINCT who, count(*) FROM audit GROUP BY who") == [("deployer", 3)]
    db.notices.clear()
    db.execute("CALL vectorize.remove('docs')")
    db.define()
    assert any("these triggers fire: note" in line for line in db.notices)


STAMP = "CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.stamp := clock_timestamp(); RETURN NEW; END'"
STAMP_LATER = "CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN UPDATE docs SET stamp = clock_timestamp() WHERE id = NEW.id; RETURN NULL; END'"


@pytest.mark.parametrize(("function", "fires"), [(STAMP, "BEFORE UPDATE ON docs FOR EACH ROW"),
                                                 (STAMP_LATER, "AFTER UPDATE ON docs FOR EACH ROW WHEN (pg_trigger_depth() = 0)")])  # fmt: skip
def test_a_trigger_that_sets_a_column_of_the_template_stops_the_job(
    db: VectorDatabase, function: str, fires: str
) -> None:
    """Each vector that is written would change the text, which would be paid for again, for ever."""
    db.execute("CREATE TABLE docs (id bigint PRIMARY KEY, body text, stamp timestamptz DEFAULT now())")
    db.execute(function)
    db.execute(f"CREATE TRIGGER stamp {fires} EXECUTE FUNCTION stamp()")
    db.execute("INSERT INTO docs SELECT g, 'text ' || g FROM generate_series(1, 300) AS g")
    db.define(template="{body} ({stamp})")
    db.work(seconds=20)
    status = db.status()
    assert status["state"] == "stopped"
    assert (
        "a trigger of public.docs sets a column of the template; use target kind table, or take the column out"
        in status["reason"]
    )
    assert db.calls() <= 6, "a batch of 100 is paid three times"
    db.define()
    db.work(seconds=20)
    assert db.status()["state"] == "active"
    assert db.wrong() == []


def test_a_trigger_that_tidies_a_text_once_costs_its_row_once_more(db: VectorDatabase) -> None:
    db.make_docs(250)
    db.execute(
        "CREATE FUNCTION tidy() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.body := upper(NEW.body); RETURN NEW; END'"
    )
    db.execute("CREATE TRIGGER tidy BEFORE UPDATE ON docs FOR EACH ROW EXECUTE FUNCTION tidy()")
    db.work()
    assert db.status()["state"] == "active"
    assert db.wrong() == []
    assert set(db.paid().values()) == {1}
    assert len(db.paid()) == 500
