"""What a full backfill of a job would cost, from the statistics that the last `up` or `refresh` recorded.

A preview opens no connection, so these are the only numbers that it can know. Tokens are bytes / BYTES_PER_TOKEN: about
four bytes of English prose make one cl100k token (OpenAI, "What are tokens and how to count them?"); code and other
languages need more tokens a byte. After the backfill the job's own status has better numbers.
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from components.catalogue.models import MAX_TOKENS_PER_INPUT
from components.job_quota import JobQuota
from components.job_settings import JobSettings

BYTES_PER_TOKEN = 4.0
NOT_KNOWN = "rows not known yet: the first `make up` records them, and so does `make refresh`"
# Tokens of a chat model's answer, of extract for each label: assumptions, as in sql/vectorize/enrich.sql.
_ANSWER_TOKENS = {"generate": 200, "extract": 30, "is_true": 5}
# Azure AI Language bills by text records of up to 1,000 characters ("Service limits").
_RECORD_CHARACTERS = 1_000


@dataclass(frozen=True)
class BackfillEstimate:
    """Rows, tokens, requests, cost (USD, None where no price is known) and minutes under the quota, as of an ISO time.

    `records` are what Language bills, and None elsewhere.
    """

    rows: int
    tokens: int
    requests: int
    cost_usd: float | None
    minutes: float
    as_of: str
    records: int | None = None

    def to_props(self) -> dict[str, Any]:
        """Return the estimate with the names that the job resource takes, without what is None."""
        names = {"cost_usd": "costUsd", "as_of": "asOf"}
        return {names.get(key, key): value for key, value in asdict(self).items() if value is not None}


def estimate(
    job: JobSettings, quota: JobQuota, statistics: Mapping[str, Any] | None, as_of: str | None
) -> BackfillEstimate | None:
    """Estimate a full backfill; None when nothing is recorded about the job's table.

    Args:
        job: what is done.
        quota: what it calls, hence price and quota.
        statistics: recorded tables: {"public.invoices": {"rows": n, "columns": {"notes": average bytes}}}.
        as_of: when they were recorded.
    """
    table = (statistics or {}).get(job.table.lower())
    if not isinstance(table, Mapping) or table.get("rows") is None:
        return None
    rows = int(table["rows"])
    sizes = table.get("columns") or {}
    size = len(job.fixed_text.encode()) + sum(float(sizes.get(column) or 0) for column in job.columns)
    inputs, tokens = _inputs(job, rows, size / BYTES_PER_TOKEN)
    requests = math.ceil(inputs / min(job.texts_in_request, quota.texts_in_request(tokens / max(1, inputs))))
    minutes = requests / quota.requests_per_minute
    if quota.tokens_per_minute is None:
        records = rows * max(1, math.ceil(size / _RECORD_CHARACTERS))
        return BackfillEstimate(rows, 0, requests, None, round(minutes, 2), as_of or "", records)
    minutes = max(minutes, tokens / quota.tokens_per_minute)
    price = quota.price_per_million_tokens
    cost = None if price is None else round(tokens * price / 1_000_000, 6)
    return BackfillEstimate(rows, tokens, requests, cost, round(minutes, 2), as_of or "")


# Chunks end where a paragraph or a sentence does, at two thirds of their limit on average.
_CHUNK_FILL = 2 / 3


def _inputs(job: JobSettings, rows: int, tokens: float) -> tuple[int, int]:
    """Return how many texts are sent, and their tokens, for rows of so many tokens each."""
    if job.chunking is None:
        return rows, rows * (min(math.ceil(tokens), MAX_TOKENS_PER_INPUT) + _tokens_around(job))
    chunks = max(1.0, tokens / (job.chunking.max_tokens * _CHUNK_FILL - job.chunking.overlap * _CHUNK_FILL))
    return math.ceil(rows * chunks), math.ceil(rows * (tokens + (chunks - 1) * job.chunking.overlap))


def _tokens_around(job: JobSettings) -> int:
    """Return the tokens that a chat model is sent around each text, and those of its answer."""
    answer = _ANSWER_TOKENS.get(job.operation.kind, 0) * max(1, len(job.operation.labels))
    return answer and answer + math.ceil(len(json.dumps(dict(job.operation.arguments))) / BYTES_PER_TOKEN)


def sentence(known: BackfillEstimate | None, job: JobSettings, *, done: int = 0) -> str:
    """Say an estimate in one line for the preview.

    Args:
        known: the estimate, or None where nothing is recorded.
        job: what is computed.
        done: how many rows have it, as recorded; what is done is not to be paid again.
    """
    if known is None:
        return f"{job.table}: {NOT_KNOWN}"
    minutes = "under a minute" if known.minutes < 1 else f"about {known.minutes:,.0f} min"
    late = "; longer than timeoutSeconds, so the rest comes later" if known.minutes * 60 > job.timeout_seconds else ""
    what = "embedding all of them" if job.operation.facts is None else f"{job.operation.kind} of all of them"
    when = f", {done:,} done; {what} anew would be" if done else f"; {what} is"
    much = f"{known.tokens:,} tokens" if known.records is None else f"{known.records:,} text records"
    much += f" in {known.requests:,} requests" if job.operation.facts else ""
    return (
        f"{job.table}: {known.rows:,} rows{when} about {much},"
        f" {_money(known.cost_usd)}, {minutes} under the quota (rows as of {known.as_of or 'an unknown time'}){late}"
    )


def absence(
    name: str, job: JobSettings, statistics: Mapping[str, Any] | None, as_of: str | None, made: Collection[str]
) -> str:
    """Say that a job's table is not among those that are recorded, and what to do; "" where it is, or none are.

    Args:
        name: the job's name.
        job: the job.
        statistics: recorded tables; those that the user may not read, and single partitions, are not among them.
        as_of: when they were recorded.
        made: tables that `up` makes before the jobs.
    """
    table = job.table.lower()
    if statistics is None or table in statistics or table in made:
        return ""
    return (
        f"jobs.{name}.table: the database had no table {job.table} that could be read, as of {as_of}. Create it before"
        " `up`, or correct its name. Where it is there by now, `make refresh` records it."
    )


def _money(usd: float | None) -> str:
    if usd is None:
        return "at a price that is not known here"
    return "less than 0.01 USD" if 0 < usd < 0.01 else f"{usd:,.2f} USD"
