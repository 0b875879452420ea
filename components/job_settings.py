"""Settings of a job: what is computed of each row's text, by which deployment, and where it goes."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, field_validator

from components.catalogue.models import MAX_INPUTS_PER_REQUEST
from components.operation_settings import KINDS, OperationSettings
from components.section import IDENTIFIER, Identifier, Listed, Mapped, Section, TableName, matching

TextConfiguration = Annotated[
    str,
    AfterValidator(
        matching(rf"({IDENTIFIER}\.)?{IDENTIFIER}", "english, simple and the like, or schema.name for one of your own")
    ),
]

# A doubled brace stands for the brace itself; the first alternative takes it before it can begin a column.
_PART = re.compile(r"\{\{|\}\}|\{([A-Za-z_][A-Za-z0-9_]{0,62})\}")


class Target(Section):
    """Where the vectors, or the values of another operation, go."""

    kind: Literal["column", "table"] = Field(
        default="column",
        description="column (in the source table) or table (a side table, which spares unrelated writes).",
    )
    column: Identifier = Field(
        default="embedding", description="Name of the column; of an enrichment its operation's when left out."
    )
    type: Literal["vector", "halfvec", "text", "text[]", "jsonb", "boolean"] = Field(
        default="vector",
        description="vector (4 bytes a number) or halfvec (2); of an enrichment the usual type when left out.",
    )


class Index(Section):
    """Index over the vectors, built when the backfill is done."""

    kind: Literal["none", "hnsw", "ivfflat", "diskann"] = Field(
        default="none", description="none, hnsw, ivfflat or diskann."
    )
    options: Mapped[int] = Field(
        default={}, description="Options of the index by name, such as {m: 16, ef_construction: 64}."
    )
    coverage: float = Field(
        default=0.95, ge=0, le=1, description="Share of the rows that are embedded when the index is built, 0 to 1."
    )


class Chunking(Section):
    """How a long text is cut: at paragraphs where there are any, else at sentences or lines, else between words."""

    max_tokens: int = Field(ge=16, le=8192, examples=[512], description="Most tokens in a chunk, by estimate.")
    overlap: int = Field(
        default=0,
        ge=0,
        le=4096,
        description="Tokens that a chunk repeats of the one before; at most half of maxTokens.",
    )


class FullText(Section):
    """The index on the words of the texts, for `vectorize.hybrid_search`."""

    language: TextConfiguration = Field(
        examples=["english"],
        description="Language of the texts: a text search configuration of PostgreSQL, or one of your own as"
        " schema.name; simple knows no language.",
    )


def _or_a_kind(schema: dict[str, Any]) -> None:
    """Let editors accept an operation's kind alone."""
    schema["anyOf"] = [{"$ref": schema.pop("$ref")}, {"enum": list(KINDS)}]


class JobSettings(Section):
    """A declared vectorization, or an enrichment by another operation."""

    table: TableName = Field(examples=["public.invoices"], description="Source table with its schema.")
    template: str = Field(
        examples=["{notes}"],
        description='How a row becomes text: columns in braces, such as "{title}\\n{body}"; {{ and }} are braces.',
    )
    operation: OperationSettings = Field(
        default_factory=OperationSettings,
        description=f"What is computed: {', '.join(KINDS)}; or {{kind, ...}} with its arguments.",
        json_schema_extra=_or_a_kind,
    )
    deployment: str | None = Field(
        default=None,
        description="Name of the model deployment that embeds, or answers; not for operations of the Language account.",
    )
    key: Listed[Identifier] = Field(default=(), description="Key columns; the primary key when left out.")
    target: Target = Field(default_factory=Target, description="Where they go: {kind, column, type}.")
    dimensions: int | None = Field(
        default=None, ge=1, le=16000, description="Numbers in a vector; the model's own when left out."
    )
    distance: Literal["cosine", "l2", "inner_product"] = Field(
        default="cosine", description="Distance that searches use."
    )
    index: Index = Field(default_factory=Index, description="Index: {kind, options, coverage}.")
    chunking: Chunking | None = Field(
        default=None,
        description="Cuts long texts into chunks with a vector each: {maxTokens, overlap}; the target is a table then.",
    )
    full_text: FullText | None = Field(
        default=None,
        description="Builds an index on the words of the texts, which hybrid searches need to be fast: {language}.",
    )
    batch_size: int = Field(
        default=100,
        ge=1,
        le=MAX_INPUTS_PER_REQUEST,
        description=f"Texts in one request: 1 to {MAX_INPUTS_PER_REQUEST}; of an enrichment as many as it takes when"
        " left out.",
    )
    workers: int = Field(
        default=4,
        ge=1,
        le=16,
        description="Connections that work at the same time during `pulumi up`, at most: fewer where the quota feeds no"
        " more.",
    )
    timeout_seconds: int = Field(
        default=3600,
        ge=10,
        le=86400,
        description="Longest backfill inside one `pulumi up`, in seconds; the rest is done later.",
    )
    revision: int = Field(
        default=1, ge=1, description="Raise it by one to run the backfill again without another change."
    )

    @field_validator("template")
    @classmethod
    def _template(cls, value: str) -> str:
        if not value.strip():
            raise ValueError('is empty; allowed: text with at least one column in braces, such as "{title}"')
        rest = _PART.sub("", value)
        if "{" in rest or "}" in rest:
            raise ValueError(
                f"{value!r} has a brace that holds no column name; allowed: one column in braces, such as"
                " {title}, and {{ or }} for a brace itself"
            )
        if not any(_PART.findall(value)):
            raise ValueError(
                f"{value!r} names no column, so every row would get the same text; name at least one, such as {{title}}"
            )
        return value

    @property
    def column(self) -> str:
        """Return the column that the job writes."""
        enrichment = None if "column" in self.target.model_fields_set else self.operation.facts
        return enrichment.name if enrichment else self.target.column

    @property
    def value_type(self) -> str:
        """Return the type of that column, without dimensions."""
        enrichment = None if "type" in self.target.model_fields_set else self.operation.facts
        if enrichment is None:
            return self.target.type
        return "jsonb" if self.operation.json_schema else enrichment.types[0]

    @property
    def texts_in_request(self) -> int:
        """Return how many texts one request has."""
        enrichment = None if "batch_size" in self.model_fields_set else self.operation.facts
        return enrichment.most if enrichment else self.batch_size

    @property
    def target_kind(self) -> str:
        """Return where the vectors go: chunks are rows of their own, so those of a chunked job go to a table."""
        return "table" if self.chunking else self.target.kind

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the columns that the template names, each once, in order."""
        return tuple(dict.fromkeys(column for column in _PART.findall(self.template) if column))

    @property
    def fixed_text(self) -> str:
        """Return the template's text around its columns."""
        return _PART.sub(lambda part: "" if part[1] else part[0][0], self.template)
