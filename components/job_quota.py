"""What a job calls, and how much of it a minute: a model deployment, or a function of the Language account."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from components.catalogue.models import REQUESTS_PER_MINUTE_PER_CAPACITY, TOKENS_PER_MINUTE_PER_CAPACITY
from database.vectorization import Deployment

if TYPE_CHECKING:
    from components.job_settings import JobSettings
    from components.settings import StackSettings


class JobQuota(Deployment):
    """One bucket of the engine, which all jobs share that call the same deployment or function of Language."""

    def texts_in_request(self, tokens: float) -> int:
        """Return how many texts of so many tokens the engine sends at once, so no worker sits on much of the quota.

        Two seconds' tokens, or what four requests have between them where those are few: sql/vectorize/pace.sql.
        """
        if self.tokens_per_minute is None:
            return sys.maxsize
        most = max(self.tokens_per_minute / 30, 4 * self.tokens_per_minute / self.requests_per_minute)
        return max(1, int(most / max(1, tokens)))

    def to_props(self) -> dict[str, Any]:
        """Return it with the names that the job resource takes, without what is None."""
        names = {
            "tokens_per_minute": "tokensPerMinute",
            "requests_per_minute": "requestsPerMinute",
            "price_per_million_tokens": "pricePerMillionTokens",
        }
        return {names.get(key, key): value for key, value in asdict(self).items() if value is not None}


def quota_of(job: JobSettings, settings: StackSettings) -> JobQuota:
    """Return what a job of valid settings calls."""
    enrichment = job.operation.facts
    if enrichment and enrichment.needs == "language":
        # Language measures the requests of each feature separately ("Service limits"), so each function has its own.
        return JobQuota(enrichment.calls, "language", None, None, settings.ai.language.limit, None)
    name = str(job.deployment)
    deployment = settings.deployments[name]
    return JobQuota(
        name,
        deployment.model,
        deployment.facts.dimensions or None,
        deployment.capacity * TOKENS_PER_MINUTE_PER_CAPACITY,
        deployment.capacity * REQUESTS_PER_MINUTE_PER_CAPACITY,
        deployment.facts.price_per_million_tokens,
    )
