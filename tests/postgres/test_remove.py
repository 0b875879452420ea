# ruff: noqa: E501 - statements read better on one line
"""Removing jobs: what stays, what goes, and what a job knows that comes back."""

from __future__ import annotations

import psycopg
import pytest

from tests.postgres.vector_server import SUPERUSER, VectorDatabase


def test_remove_keeps_vectors_and_a_new_definition_pays_for_nothing(db: VectorDatabase) -> None:
    db.make_docs(50)
    db.work()
    db.execute("CALL vectorize.remove('docs')")
    assert db.wrong() == []
    db.execute("UPDATE docs SET body = 'changed while nobody watched' WHERE id = 7")
    db.execute("DELETE FROM docs WHERE id = 8")
    assert db.rows("SELECT * FROM vectorize.status") == []
    calls = db.calls()
    db.define()
    assert db.work() == {"embedded": 1, "requests": 1}
    assert db.calls() == calls + 1
    assert db.wrong() == []
    assert db.status()["rows"] == 49


def test_a_column_that_another_job_wrote_meanwhile_is_filled_anew(db: VectorDatabase) -> None:
    db.make_docs(5)
    db.work()
    db.execute("CALL vectorize.remove('docs')")
    db.define(name="shout", template="{body}!", column="embedding")
    assert db.work()["embedded"] == 5
    assert db.wrong(text="body || '!'") == []
    db.execute("CALL vectorize.remove('shout')")
    db.define()
    assert db.work()["embedded"] == 5
    assert db.wrong() == []
    assert db.value("CALL vectorize.verify('docs')") == {"missing": 0, "stale": 0, "orphaned": 0}


def test_two_removed_jobs_of_one_column_know_nothing_of_it(db: VectorDatabase) -> None:
    """As versions before left them: nobody can tell which of them wrote last."""
    db.make_docs(5)
    db.define(name="shout", template="{body}!", column="other")
    db.work()
    db.execute("CALL vectorize.remove('docs')")
    db.execute("CALL vectorize.remove('shout')")
    with db.connect(SUPERUSER) as conn:
        conn.execute("UPDATE vectorize.job SET target_column = 'embedding' WHERE name = 'shout'")
        conn.execute("UPDATE docs SET embedding = other")
    db.define()
    assert db.work()["embedded"] == 5
    assert db.wrong() == []


def test_a_column_with_the_vectors_of_another_model_is_not_taken(db: VectorDatabase) -> None:
    """A search would compare the one model's query with the other's vectors until all are replaced."""
    db.execute("SELECT vectorize.set_deployment('other', 'text-embedding-3-large', 3072, 350000, 2100, 0.13)")
    db.make_docs(5)
    db.work()
    db.execute("CALL vectorize.remove('docs')")
    for name, deployment, found in (("large", "other", "small"), ("docs", "embedding", "large")):
        with pytest.raises(
            psycopg.errors.InvalidParameterValue,
            match=rf"column: public\.docs\.embedding holds vectors of text-embedding-3-{found}.*choose another column, or drop it",
        ):
            db.define(name=name, deployment=deployment)
        db.execute("ALTER TABLE docs DROP COLUMN embedding")
        db.define(name=name, deployment=deployment)
        assert db.work()["embedded"] == 5
        assert db.wrong() == []
        db.execute(f"CALL vectorize.remove('{name}')")


@pytest.mark.parametrize("target", ["column", "table"])
def test_remove_with_the_vectors_leaves_nothing(db: VectorDatabase, target: str) -> None:
    db.make_docs(5, target=target)
    db.work()
    db.execute("CALL vectorize.remove('docs', keep_vectors => false)")
    assert db.value("SELECT count(*) FROM pg_class WHERE relnamespace = 'vectorize_jobs'::regnamespace") == 0
    assert db.value("SELECT count(*) FROM pg_proc WHERE pronamespace = 'vectorize_jobs'::regnamespace") == 0
    assert db.value("SELECT count(*) FROM pg_trigger WHERE tgrelid = 'docs'::regclass") == 0
    assert db.value("SELECT array_agg(attname::text ORDER BY attnum) FROM pg_attribute WHERE attrelid = 'docs'::regclass "
                    "AND attnum > 0 AND NOT attisdropped") == ["id", "body", "n"]  # fmt: skip
    assert db.value("SELECT to_regclass('docs_embedding')") is None


@pytest.mark.parametrize("chunking", [None, {"max_tokens": 40, "overlap": 0}])
@pytest.mark.parametrize("target", ["column", "table"])
def test_remove_with_the_vectors_works_after_the_source_is_gone(
    db: VectorDatabase, target: str, chunking: dict[str, int] | None
) -> None:
    """A dropped table leaves the one beside it, whose owner is the one to ask."""
    db.make_docs(5, target="table" if chunking else target, chunking=chunking)
    db.work()
    db.execute("DROP TABLE docs")
    db.work()
    assert db.status()["state"] == "stopped"
    db.execute("CALL vectorize.remove('docs', keep_vectors => false)")
    assert db.value("SELECT to_regclass('docs_embedding')") is None
    assert db.rows("SELECT name FROM vectorize.job") == []
    assert db.value("SELECT count(*) FROM pg_proc WHERE pronamespace = 'vectorize_jobs'::regnamespace") == 0
    assert not [line for line in db.notices if "NULL" in line]


def test_remove_with_the_vectors_works_after_the_side_table_is_gone(db: VectorDatabase) -> None:
    db.make_docs(5, target="table")
    db.execute("DROP TABLE docs_embedding")
    db.execute("CALL vectorize.remove('docs', keep_vectors => false)")
    assert db.rows("SELECT name FROM vectorize.job") == []


def test_vectors_without_their_source_are_removed_by_none_but_who_can_act_as_their_owner(db: VectorDatabase) -> None:
    db.make_docs(5, target="table")
    db.work()
    db.execute("DROP TABLE docs")
    with (
        db.member("vectorize_admin") as stranger,
        pytest.raises(psycopg.errors.InsufficientPrivilege, match="belong to deployer"),
    ):
        stranger.execute("CALL vectorize.remove('docs', keep_vectors => false)")
    assert db.value("SELECT count(*) FROM docs_embedding") == 5
    db.work()
    assert "is being removed" not in db.status()["reason"]


def test_a_removal_that_is_cut_off_says_so_and_resume_brings_the_job_back(db: VectorDatabase) -> None:
    db.make_docs(5)
    with db.connect() as user, db.connect() as admin, user.transaction():
        user.execute("SELECT * FROM docs")
        admin.execute("SET statement_timeout = '1s'")
        with pytest.raises(psycopg.errors.QueryCanceled):
            admin.execute("CALL vectorize.remove('docs')")
    assert (db.status()["state"], db.status()["reason"]) == ("paused", "it is being removed")
    db.execute("CALL vectorize.resume('docs')")
    assert db.work()["embedded"] == 5
