# ruff: noqa: E501 - statements read better on one line
"""Ten jobs over a table of 100,000 rows in the middle of a backfill: put there by statements, as embedding would take minutes."""

from __future__ import annotations

from tests.postgres.vector_server import DIMENSIONS, SUPERUSER, VectorDatabase
from tests.unit.console_site import HOSTILE

ROWS = 100_000
JOBS = 10
EMBEDDED = 60_000
FAILED = 500
SEARCHED = 50  # rows of the first job that have a vector


def fill(db: VectorDatabase) -> None:
    """Make the table and the jobs, with queues, counters, failures, an hour of use, and vectors for the first rows."""
    db.execute("CREATE TABLE public.docs (id bigint PRIMARY KEY, body text, n integer NOT NULL DEFAULT 0)")
    db.execute(
        "INSERT INTO docs SELECT g, CASE g WHEN %s THEN %s ELSE 'text ' || g END FROM generate_series(1, %s) AS g",
        [SEARCHED, HOSTILE, ROWS],
    )
    db.execute("SELECT vectorize.set_deployment('spare', 'text-embedding-3-large', 3072, 120000, 720, 0.13)")
    for number in range(1, JOBS + 1):
        db.define(name=f"job-{number}", column=f"v{number}", deployment="spare" if number > 7 else "embedding")
    db.execute("UPDATE docs SET v1 = azure_openai.vector_of(body, %s)::vector WHERE id <= %s", [DIMENSIONS, SEARCHED])
    with db.connect(SUPERUSER) as conn:
        for (job,) in conn.execute("SELECT id FROM vectorize.job ORDER BY id").fetchall():
            conn.execute(
                f"INSERT INTO vectorize_jobs.item_{job} (k1, version) SELECT g, nextval('vectorize.version') FROM generate_series({EMBEDDED + FAILED + 1}, {ROWS}) AS g".encode()
            )
            conn.execute(
                f"INSERT INTO vectorize_jobs.failure_{job} (k1, attempts, error) SELECT g, 1, 'azure_openai.create_embeddings: 400: too long: ' || %s FROM generate_series({EMBEDDED + 1}, {EMBEDDED + FAILED}) AS g".encode(),
                [HOSTILE],
            )
            conn.execute(f"UPDATE vectorize_jobs.sweep_{job} SET phase = 'done'".encode())
        conn.execute(
            "UPDATE vectorize.counter SET embedded = %s, quarantined = %s, queued = %s, tokens = 6000000, requests = 600",
            [EMBEDDED, FAILED, ROWS - EMBEDDED - FAILED],
        )
        conn.execute("DELETE FROM vectorize.delta")
        conn.execute(
            "INSERT INTO vectorize.delta (job, at, embedded, written, queued, tokens, requests) SELECT j.id, clock_timestamp() - make_interval(secs => g), 0, 100, 0, 1000, 1 FROM vectorize.job AS j, generate_series(0, 50) AS g"
        )
        conn.execute(
            "INSERT INTO vectorize.used_minute SELECT d.name, date_trunc('minute', now()) - make_interval(mins => g), d.tokens_per_minute * (0.5 + 0.4 * sin(g / 5.0)), d.requests_per_minute / 3 FROM vectorize.deployment AS d, generate_series(2, 58) AS g"
        )
        conn.execute(
            "INSERT INTO vectorize.spent SELECT 'job-' || n, (now() AT TIME ZONE 'UTC')::date - g, 100, 1000000, 0.02 FROM generate_series(1, 10) AS n, generate_series(0, 365) AS g"
        )
        conn.execute("UPDATE vectorize.job SET state = 'paused' WHERE name = 'job-3'")
        conn.execute(
            "UPDATE vectorize.job SET state = 'stopped', reason = %s, last_error = %s, last_error_at = clock_timestamp() WHERE name = 'job-4'",
            [f"the trigger says: {HOSTILE}", HOSTILE],
        )
        conn.execute("ANALYZE")
