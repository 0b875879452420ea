"""Settings of the AI accounts and of the model deployments."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from components.catalogue.models import DEPLOYMENT_SKUS, MODELS, Model
from components.section import Section, one_of


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
    openai: OpenAiSettings = Field(
        default_factory=OpenAiSettings,
        description="The Azure OpenAI account: {kind, sku}.",
    )
    language: LanguageSettings = Field(
        default_factory=LanguageSettings, description="The Language account: {enabled, sku}."
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

    @property
    def facts(self) -> Model:
        """Return what is known about the model."""
        return MODELS[self.model]

    @property
    def model_version(self) -> str | None:
        """Return the version to deploy; None leaves the choice to Azure."""
        return self.version or (self.facts.versions[0] if self.facts.versions else None)
