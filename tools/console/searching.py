"""A search as the page shows it: by meaning, by words and by both, side by side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.rows import dict_row

ROWS = 10  # in each column
WAY_SECONDS = 3  # that a column may cost the database; with its indexes it takes milliseconds
LONGEST = 2000  # characters of a query
# What makes a way fast, in a job's settings.
INDEXES = {"Vector": "index", "Text": "fullText", "Hybrid": "index and fullText"}
WAYS = (  # title, what the score means, weights of vectors and of words
    ("Vector", "nearest in meaning; the smaller the distance, the nearer", (1, 0)),
    ("Text", "the query's words, the rarer the more they count; the larger the score, the better", (0, 1)),
    ("Hybrid", "both, by their ranks; the larger the score, the better", (1, 1)),
)


@dataclass(frozen=True)
class Hit:
    """A row that was found.

    Attributes:
        key: the object of its key's columns.
        chunk: the number of the chunk in a job that cuts its texts; else None.
        score: what it was ranked by, with its name.
        text: the text that was embedded, or the part of it with the query's words.
        marked: whether the query's words stand between « and » in it, and nothing else does.
    """

    key: dict[str, Any]
    chunk: int | None
    score: str
    text: str
    marked: bool = False


@dataclass(frozen=True)
class Column:
    """One way to search and what it found, best first.

    Attributes:
        title: the way's name.
        told: what the score means.
        hits: the rows.
        refused: why nothing was looked for, and what to do; empty where something was.
    """

    title: str
    told: str
    hits: list[Hit]
    refused: str = ""


def searchable(jobs: list[dict[str, Any]]) -> list[str]:
    """Return the names of the jobs that make vectors; what others make is not searched."""
    return [job["name"] for job in jobs if job.get("operation", "embed") == "embed"]


def search(connection: psycopg.Connection[Any], job: str, query: str) -> list[Column]:
    """Search in a job's rows in each way; the query is embedded once, since the session remembers its vector.

    The service may take its time with the query; after that a way that reads a large table is broken off, and its
    column says so. What is both is not tried where a half was broken off.

    Raises:
        psycopg.Error: the engine or the service refuses.
    """
    connection.execute("SELECT cardinality(vectorize.embed_query(%s, %s))", [job, query])
    connection.execute(f"SET LOCAL statement_timeout = '{WAY_SECONDS}s'".encode())
    columns: list[Column] = []
    for title, told, weights in WAYS:
        if title == "Hybrid" and any(column.refused for column in columns):
            refused = "Not asked, since one of its halves takes too long."
            columns.append(Column(title, told, [], refused))
        else:
            columns.append(_column(connection, job, query, title, told, weights))
    return columns


def _column(
    connection: psycopg.Connection[Any], job: str, query: str, title: str, told: str, weights: tuple[int, int]
) -> Column:
    try:
        with connection.transaction():  # a savepoint, so that what is broken off takes nothing else with it
            return Column(title, told, [_hit(row, title) for row in _fused(connection, job, query, *weights)])
    except psycopg.errors.QueryCanceled:
        return Column(
            title,
            told,
            [],
            f"Broken off after {WAY_SECONDS} s, to spare the database. What makes it fast in a large table: "
            f"{INDEXES[title]} in the job's settings.",
        )


def _fused(connection: psycopg.Connection[Any], job: str, query: str, vector: int, text: int) -> list[dict[str, Any]]:
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(
            "SELECT key, chunk, content, snippet, score, distance, vector_rank, text_score, text_rank "
            "FROM vectorize.hybrid_search(%s, %s, %s, vector_weight => %s, text_weight => %s, snippets => true)",
            [job, query, ROWS, vector, text],
        ).fetchall()


def _hit(row: dict[str, Any], title: str) -> Hit:
    if title == "Vector":
        score = f"distance {row['distance']:.4f}"
    elif title == "Text":
        score = f"score {row['text_score']:.4f}"
    else:
        ranks = [
            f"{name} {row[rank]}" for name, rank in (("vector", "vector_rank"), ("text", "text_rank")) if row[rank]
        ]
        score = f"score {row['score']:.4f}, rank by {' and by '.join(ranks)}"
    return Hit(row["key"], row["chunk"], score, row["snippet"] or row["content"] or "", marked=bool(row["snippet"]))
