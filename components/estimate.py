"""What a full backfill of a job would cost, from the statistics that the last `up` or `refresh` recorded.

A preview opens no connection, so these are the only numbers that it can know. Tokens are bytes / BYTES_PER_TOKEN: about
four bytes of English prose make one cl100k token (OpenAI, "What are tokens and how to count them?"); code and other
languages need more tokens a byte. After the backfill the job's own status has better numbers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from components.ai_settings import DeploymentSettings
from components.catalogue.models import (
    MAX_TOKENS_PER_INPUT,
    REQUESTS_PER_MINUTE_PER_CAPACITY,
    TOKENS_PER_MINUTE_PER_CAPACITY,
)
from components.job_settings import JobSettings

BYTES_PER_TOKEN = 4.0
NOT_KNOWN = "rows not known: run `make refresh` (the first `make up` records them too)"


@dataclass(frozen=True)
class BackfillEstimate:
    """Rows, tokens, requests, cost (USD) and minutes under the quota, as of an ISO time."""

    rows: int
    tokens: int
    requests: int
    cost_usd: float
    minutes: float
    as_of: str

    def to_props(self) -> dict[str, Any]:
        """Return the estimate with the names that the job resource takes."""
        names = {"cost_usd": "costUsd", "as_of": "asOf"}
        return {names.get(key, key): value for key, value in asdict(self).items()}


def estimate(
    job: JobSettings, deployment: DeploymentSettings, statistics: Mapping[str, Any] | None, as_of: str | None
) -> BackfillEstimate | None:
    """Estimate a full backfill; None when nothing is recorded about the job's table.

    Args:
        job: what is embedded.
        deployment: by which deployment, hence price and quota.
        statistics: recorded tables: {"public.invoices": {"rows": n, "columns": {"notes": average bytes}}}.
        as_of: when they were recorded.
    """
    table = (statistics or {}).get(job.table)
    if not isinstance(table, Mapping) or table.get("rows") is None:
        return None
    rows = int(table["rows"])
    sizes = table.get("columns") or {}
    size = len(job.fixed_text.encode()) + sum(float(sizes.get(column) or 0) for column in job.columns)
    inputs, tokens = _inputs(job, rows, size / BYTES_PER_TOKEN)
    requests = math.ceil(inputs / job.batch_size)
    minutes = max(
        tokens / (deployment.capacity * TOKENS_PER_MINUTE_PER_CAPACITY),
        requests / (deployment.capacity * REQUESTS_PER_MINUTE_PER_CAPACITY),
    )
    cost = tokens * deployment.facts.price_per_million_tokens / 1_000_000
    return BackfillEstimate(rows, tokens, requests, round(cost, 6), round(minutes, 2), as_of or "")


# Chunks end where a paragraph or a sentence does, at two thirds of their limit on average.
_CHUNK_FILL = 2 / 3


def _inputs(job: JobSettings, rows: int, tokens: float) -> tuple[int, int]:
    """Return how many texts are sent, and their tokens, for rows of so many tokens each."""
    if job.chunking is None:
        return rows, rows * min(math.ceil(tokens), MAX_TOKENS_PER_INPUT)
    chunks = max(1.0, tokens / (job.chunking.max_tokens * _CHUNK_FILL - job.chunking.overlap * _CHUNK_FILL))
    return math.ceil(rows * chunks), math.ceil(rows * (tokens + (chunks - 1) * job.chunking.overlap))


def sentence(known: BackfillEstimate | None, job: JobSettings) -> str:
    """Say an estimate in one line for the preview."""
    if known is None:
        return f"{job.table}: {NOT_KNOWN}"
    minutes = "under a minute" if known.minutes < 1 else f"about {known.minutes:,.0f} min"
    late = "; longer than timeoutSeconds, so the rest comes later" if known.minutes * 60 > job.timeout_seconds else ""
    return (
        f"{job.table}: {known.rows:,} rows; embedding all of them is about {known.tokens:,} tokens,"
        f" {_money(known.cost_usd)}, {minutes} under the quota (rows as of {known.as_of or 'an unknown time'}){late}"
    )


def _money(usd: float) -> str:
    return "less than 0.01 USD" if 0 < usd < 0.01 else f"{usd:,.2f} USD"
