"""The embedding models that the emulator serves."""

from dataclasses import dataclass

MAX_INPUTS = 2_048  # azure-ai-docs, "Azure OpenAI quotas and limits": inputs in an array
MAX_INPUT_TOKENS = 8_192  # same page: tokens of one input
MAX_REQUEST_TOKENS = 300_000  # OpenAI API reference, "Create embeddings": tokens of all inputs together


@dataclass(frozen=True)
class EmbeddingModel:
    """What a model gives.

    Attributes:
        name: For example `text-embedding-3-small`.
        dimensions: Numbers in a vector when the caller asks for no other count.
        reducible: Whether callers may ask for fewer.
    """

    name: str
    dimensions: int
    reducible: bool


# azure-ai-docs, "Azure OpenAI models", embeddings.
EMBEDDING_MODELS = {
    model.name: model
    for model in (
        EmbeddingModel("text-embedding-3-small", 1536, reducible=True),
        EmbeddingModel("text-embedding-3-large", 3072, reducible=True),
        EmbeddingModel("text-embedding-ada-002", 1536, reducible=False),
    )
}
