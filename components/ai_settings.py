"""Settings of the AI accounts and of the model deployments."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from components.ai_network_settings import AiNetworkSettings
from components.catalogue.models import DEPLOYMENT_SKUS, MODELS, Model
from components.catalogue.operations import LANGUAGE_REQUESTS_PER_MINUTE
from components.content_filter_settings import ContentFilterSettings
from components.section import Listed, Mapped, Section, one_of

UPGRADES = ("NoAutoUpgrade", "OnceCurrentVersionExpired", "OnceNewDefaultVersionAvailable")


class OpenAiSettings(Section):
    """The Azure OpenAI account."""

    kind: Annotated[str, AfterValidator(one_of("OpenAI", "AIServices"))] = Field(
        default="OpenAI", description="Kind of account: OpenAI or AIServices."
    )
    sku: Annotated[str, AfterValidator(one_of("S0"))] = Field(
        default="S0", description="Price tier: S0 is the only one."
    )


class LanguageSettings(Section):
    """The Language account, for `azure_cognitive` functions."""

    enabled: bool = Field(default=True, description="Whether to create the account.")
    sku: Annotated[str, AfterValidator(one_of("S", "F0"))] = Field(
        default="S", description="S, or F0 (free, one a subscription). S0 is refused by Azure for this kind."
    )
    requests_per_minute: int | None = Field(
        default=None,
        ge=1,
        le=1_000_000,
        description="Requests a minute that jobs may send to each function; the service's limit when left out: "
        + ", ".join(f"{limit:,} ({sku})" for sku, limit in LANGUAGE_REQUESTS_PER_MINUTE.items())
        + ".",
    )

    @property
    def limit(self) -> int:
        """Return the requests a minute of each function."""
        return self.requests_per_minute or LANGUAGE_REQUESTS_PER_MINUTE[self.sku]


class AiSettings(Section):
    """Azure OpenAI and Language, and how the database authenticates to them."""

    authentication: Literal["managed-identity", "keys"] = Field(
        default="managed-identity",
        description="managed-identity (the server's own) or keys (secrets).",
    )
    key_in_use: int = Field(
        default=1,
        ge=1,
        le=2,
        description="Which of an account's two keys the database uses; docs/keys.md rotates them.",
    )
    assign_roles: bool = Field(
        default=True,
        description="Whether the stack lets the server's identity call the accounts; false where it may already.",
    )
    network: AiNetworkSettings = Field(
        default_factory=AiNetworkSettings,
        description="Who reaches the accounts: {publicAccess, privateEndpoints, ipRules, ...}.",
    )
    content_filters: Mapped[ContentFilterSettings] = Field(
        default={}, description="Content filters of the OpenAI account by name, for deployments to use."
    )
    restore: Listed[Literal["openai", "language"]] = Field(
        default=(),
        description="Accounts that `up` brings back from the soft-deleted ones, instead of failing on them.",
    )
    openai: OpenAiSettings = Field(
        default_factory=OpenAiSettings,
        description="The Azure OpenAI account: {kind, sku}.",
    )
    language: LanguageSettings = Field(
        default_factory=LanguageSettings, description="The Language account: {enabled, sku, requestsPerMinute}."
    )


class DeploymentSettings(Section):
    """A model deployment."""

    model: Annotated[str, AfterValidator(one_of(*MODELS))] = Field(
        examples=["text-embedding-3-small"], description=f"Model: {', '.join(MODELS)}."
    )
    version: str | None = Field(default=None, description="Version of the model; the newest known one when left out.")
    sku: Annotated[str, AfterValidator(one_of(*DEPLOYMENT_SKUS))] = Field(
        default="GlobalStandard", description=f"Kind of deployment: {', '.join(DEPLOYMENT_SKUS)}."
    )
    capacity: int = Field(
        default=10, ge=1, le=1_000_000, description="Quota: 1 is 1,000 tokens and 6 requests a minute."
    )

    upgrade: Annotated[str, AfterValidator(one_of(*UPGRADES))] | None = Field(
        default=None,
        description=f"When Azure changes the version: {', '.join(UPGRADES)}. Left out: the first for embeddings, else"
        " the second.",
    )
    content_filter: str = Field(
        default="Microsoft.DefaultV2",
        description="Content filter by name: the service's own (Microsoft.DefaultV2, ...) or one of ai.contentFilters.",
    )
    existing: bool = Field(
        default=False,
        description="Whether it is in existing.openaiAccount already: read, never changed. Its version, sku and"
        " capacity count; where others are declared here, a preview says so.",
    )

    @property
    def version_upgrade(self) -> str:
        """Return when Azure changes the version; not by itself where that would mix vectors of two kinds."""
        return self.upgrade or ("NoAutoUpgrade" if self.facts.embeds else "OnceCurrentVersionExpired")

    @property
    def facts(self) -> Model:
        """Return what is known about the model."""
        return MODELS[self.model]

    @property
    def model_version(self) -> str | None:
        """Return the version to deploy; None leaves the choice to Azure."""
        return self.version or (self.facts.versions[0] if self.facts.versions else None)
