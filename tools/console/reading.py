"""What the page shows of the jobs. No question here grows with the rows of a table: see docs/console.md."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from psycopg.rows import dict_row

from tools.watch.reading import Snapshot, read

if TYPE_CHECKING:
    import psycopg

_QUESTIONS = {
    "minutes": "SELECT deployment, minute, tokens, requests FROM vectorize.quota_minutes ORDER BY deployment, minute",
    "failures": "SELECT job, key, attempts, error, since FROM vectorize.recent_failures(5)",
    "spend": """
        SELECT job, coalesce(sum(cost_usd) FILTER (WHERE day = today), 0)::float8 AS today,
               coalesce(sum(cost_usd) FILTER (WHERE day > today - 30), 0)::float8 AS month,
               sum(cost_usd)::float8 AS ever, sum(tokens)::bigint AS tokens,
               sum(requests)::bigint AS requests
        FROM vectorize.spend, (SELECT (now() AT TIME ZONE 'UTC')::date AS today) AS t GROUP BY job ORDER BY job
    """,
    "declared": """
        SELECT job, generation, standing, deployment, model, dimensions, target, index_state
        FROM vectorize.generations WHERE standing <> 'previous' ORDER BY job, generation
    """,
}


@dataclass(frozen=True)
class Overview:
    """The jobs at one moment, and what is around them.

    Attributes:
        snapshot: the jobs and the quota, as `make status` has them.
        minutes: what each minute of the last hour used of a deployment's quota.
        failures: the newest rows in quarantine of each job.
        spend: what each job spent: today, in 30 days, ever; in US dollars, days in UTC; `ever` is None without a price.
        declared: each job's generations that searches use or that are being filled, with deployment and index.
    """

    snapshot: Snapshot
    minutes: list[dict[str, Any]] = field(default_factory=list)
    failures: list[dict[str, Any]] = field(default_factory=list)
    spend: list[dict[str, Any]] = field(default_factory=list)
    declared: list[dict[str, Any]] = field(default_factory=list)


def overview(connection: psycopg.Connection[Any]) -> Overview:
    """Read everything that the page shows.

    Raises:
        psycopg.Error: the database does not answer, or its engine is older than this console.
    """
    snapshot = read(connection)
    if not snapshot.installed:
        return Overview(snapshot)
    with connection.cursor(row_factory=dict_row) as cursor:
        found = {name: cursor.execute(question.encode()).fetchall() for name, question in _QUESTIONS.items()}
    return Overview(snapshot, **found)
