"""What a job may compute of a row's text, besides a vector: the services' functions, their limits, their values' types.

The engine has the same table in sql/vectorize/operation.sql; a test compares them. Sources: azure-databases-docs,
reference of `azure_ai` (functions, default batches); Azure AI Language, "Service limits" (texts in a request, requests
a minute, which hold for each feature separately).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

EMBED = "embed"
# Requests a minute of each function, by the account's SKU.
LANGUAGE_REQUESTS_PER_MINUTE = {"S": 1_000, "F0": 300}


@dataclass(frozen=True)
class Operation:
    """One operation of an enrichment job.

    Attributes:
        name: as `operation.kind` has it.
        needs: `language`, the account of that name, or `chat`, a deployment of a chat model.
        calls: the function of azure_ai.
        types: types of the column that its value goes to, the usual one first.
        most: texts in one request.
        arguments: what it takes beside the text.
    """

    name: str
    needs: Literal["language", "chat"]
    calls: str
    types: tuple[str, ...]
    most: int
    arguments: tuple[str, ...] = ()


OPERATIONS = {
    operation.name: operation
    for operation in (
        Operation("sentiment", "language", "azure_cognitive.analyze_sentiment", ("text", "jsonb"), 10, ("language",)),
        Operation("language", "language", "azure_cognitive.detect_language", ("text", "jsonb"), 1_000),
        Operation("key_phrases", "language", "azure_cognitive.extract_key_phrases", ("text[]",), 10, ("language",)),
        Operation("entities", "language", "azure_cognitive.recognize_entities", ("jsonb",), 5, ("language",)),
        Operation(
            "pii", "language", "azure_cognitive.recognize_pii_entities", ("text", "jsonb"), 5, ("language", "domain")
        ),
        Operation(
            "summary",
            "language",
            "azure_cognitive.summarize_abstractive",
            ("text", "text[]"),
            25,
            ("language", "sentences"),
        ),
        Operation("generate", "chat", "azure_ai.generate", ("text", "jsonb"), 1, ("system", "json_schema")),
        Operation("extract", "chat", "azure_ai.extract", ("jsonb",), 1, ("labels",)),
        Operation("is_true", "chat", "azure_ai.is_true", ("boolean",), 1),
    )
}
