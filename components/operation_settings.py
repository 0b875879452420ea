"""Settings of a job's operation: what is computed of a row's text, and with which arguments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from components.catalogue.operations import EMBED, OPERATIONS, Operation
from components.section import Listed, Mapped, Section, one_of

KINDS = (EMBED, *OPERATIONS)


class OperationSettings(Section):
    """What a job computes of each text; its kind alone may stand for the whole section."""

    kind: Annotated[str, AfterValidator(one_of(*KINDS))] = Field(
        default=EMBED,
        description=f"{EMBED} (a vector), or an enrichment: {', '.join(OPERATIONS)}; docs/enrichment.md has each.",
    )
    language: str | None = Field(
        default=None,
        min_length=2,
        description="Language of the texts, such as en; the service's default when left out.",
    )
    domain: Literal["none", "phi"] | None = Field(
        default=None, description="Of pii: none, or phi (health information alone)."
    )
    sentences: int | None = Field(default=None, ge=1, le=20, description="Of summary: its sentences; 3 when left out.")
    system: str | None = Field(
        default=None, min_length=1, description="Of generate: the system's prompt; the template is the user's."
    )
    json_schema: Mapped[Any] = Field(
        default={},
        description="Of generate: an answer in JSON by a schema of structured outputs: {name, strict, schema}.",
    )
    labels: Listed[str] = Field(
        default=(), description='Of extract: what to look for, such as "due_date: date - when payment is due".'
    )

    @model_validator(mode="before")
    @classmethod
    def _kind_alone(cls, value: object) -> object:
        return {"kind": value} if isinstance(value, str) and not value.strip().startswith("{") else value

    @property
    def facts(self) -> Operation | None:
        """Return what is known about an enrichment; None where vectors are made."""
        return OPERATIONS.get(self.kind)

    @property
    def arguments(self) -> Mapping[str, Any]:
        """Return the arguments that are set, by the engine's names."""
        given = {
            "language": self.language,
            "domain": self.domain,
            "sentences": self.sentences,
            "system": self.system,
            "json_schema": dict(self.json_schema),
            "labels": list(self.labels),
        }
        return {name: value for name, value in given.items() if value}
