"""Models that can be deployed, their dimensions, prices and quota.

Sources: azure-ai-docs model retirement table (2026-07-07); Azure OpenAI quota pages (capacity 1 = 1,000 tokens a minute
and 6 requests a minute); prices in USD per million tokens, pay as you go, as published in May 2026 (azure.microsoft.com
pricing page by way of embeddingcost.com). A price is a list price: agreements, regions and currencies differ.
"""

from __future__ import annotations

from dataclasses import dataclass

PRICES_AS_OF = "2026-05"
TOKENS_PER_MINUTE_PER_CAPACITY = 1_000
REQUESTS_PER_MINUTE_PER_CAPACITY = 6
MAX_INPUTS_PER_REQUEST = 2_048
MAX_TOKENS_PER_INPUT = 8_192

# Only the pay-as-you-go kinds: their capacity is tokens a minute, which the engine paces by. Provisioned kinds count
# in PTUs and batch kinds answer in hours; neither fits.
DEPLOYMENT_SKUS = ("Standard", "GlobalStandard", "DataZoneStandard")


@dataclass(frozen=True)
class Model:
    """One model: `dimensions` is 0 for a chat model; an empty `versions` means that none is checked.

    A price of None is one that is not known here.
    """

    name: str
    versions: tuple[str, ...]
    retires: str
    dimensions: int = 0
    reducible: bool = False
    price_per_million_tokens: float | None = None

    @property
    def embeds(self) -> bool:
        """Say whether the model makes vectors."""
        return self.dimensions > 0


MODELS = {
    model.name: model
    for model in (
        Model("text-embedding-3-small", ("1",), "2027-04-15", 1536, True, 0.02),
        Model("text-embedding-3-large", ("1",), "2027-04-15", 3072, True, 0.13),
        Model("text-embedding-ada-002", ("2", "1"), "2027-04-15", 1536, False, 0.10),
        Model("gpt-5", (), "2027-02-06"),
        Model("gpt-5.1", (), "2027-05-15"),
        Model("gpt-5.4", ("2026-03-05",), "2027-03-05"),
        Model("gpt-5.4-mini", (), "2027-03-18"),
        Model("gpt-5.5", (), "2027-04-23"),
    )
}
