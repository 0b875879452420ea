# ruff: noqa: E501 - statements read better on one line
"""What a job promises about its rows, for tables with any key, and where it is checked."""

from __future__ import annotations

from tests.postgres.vector_server import VectorDatabase


def wrong(db: VectorDatabase, job: str = "docs", table: str = "docs", text: str = "body") -> list[tuple[object, ...]]:
    """Return texts whose vector is not theirs, and vectors without a row, whatever the target and the key."""
    [(target, side, column, keys)] = db.rows(
        "SELECT target, target_table::regclass::text, quote_ident(target_column), array_to_string(ARRAY(SELECT quote_ident(k) FROM unnest(key_columns) AS k), ', ') "
        "FROM vectorize.job WHERE name = %s", [job]
    )  # fmt: skip
    source = f"(SELECT {keys}, {text} AS t FROM {table}) AS s"
    rows = (
        f"(SELECT {text} AS t, {column} AS v FROM {table}) AS r"
        if target == "column"
        else f"(SELECT t, v FROM {source} LEFT JOIN (SELECT {keys}, {column} AS v FROM {side}) AS e USING ({keys}) "
        f"UNION ALL SELECT NULL, {column} FROM {side} AS e WHERE NOT EXISTS (SELECT FROM {source} JOIN (SELECT e.*) AS x USING ({keys}))) AS r"
    )
    return db.rows(
        f"SELECT t, v::text FROM {rows} WHERE v::real[] IS DISTINCT FROM CASE WHEN t ~ '\\S' THEN azure_openai.vector_of(t, 8)::vector::real[] END LIMIT 5"
    )


def settled(db: VectorDatabase, table: str = "docs", job: str = "docs", text: str = "body") -> None:
    """Hold the engine to its word: nothing to do, every vector that of its text, nothing for a sweep to find."""
    assert wrong(db, job, table, text) == []
    status = db.status(job)
    assert (status["state"], status["pending"], status["leased"], status["changes"], status["quarantined"]) == (
        "active",
        0,
        0,
        0,
        0,
    )
    assert db.value("CALL vectorize.verify(%s)", [job]) == {"missing": 0, "stale": 0, "orphaned": 0}
    assert status["rows"] == db.value(f"SELECT count(*) FROM {table}")
