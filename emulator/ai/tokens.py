"""Counts tokens as the service bills them: with cl100k, the tokenizer of all three embedding models."""

from collections.abc import Sequence
from functools import cache
from typing import Any


@cache
def _encoding() -> Any:
    # Loading takes 0.4 s, which the emulator's start does not wait for.
    import bpe_openai

    return bpe_openai.get_encoding("cl100k_base")


def count(texts: Sequence[str]) -> list[int]:
    """Return the number of tokens of each text."""
    return [len(tokens) for tokens in _encoding().encode_ordinary_batch(list(texts))]


def decode(tokens: Sequence[int]) -> str:
    """Return the text of cl100k tokens.

    Raises:
        ValueError: One of them is not a token.
    """
    try:
        return str(_encoding().decode(list(tokens)))
    except (KeyError, OverflowError, TypeError, ValueError) as error:
        raise ValueError(f"not cl100k tokens: {error}") from None


def load() -> None:
    """Load the tokenizer now, so that the first request does not wait for it."""
    _encoding()
