"""Splits a document into sentences."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

_SENTENCE = re.compile(r"\S.*?(?:[.!?\u3002\uff01\uff1f]+(?=\s|$)|(?=\n)|$)", re.DOTALL)


@dataclass(frozen=True)
class Sentence:
    """A part of a document; `offset` counts code points."""

    text: str
    offset: int


def split(text: str) -> Iterator[Sentence]:
    """Yield the sentences of a text, without the white space between them."""
    for match in _SENTENCE.finditer(text):
        yield Sentence(match.group().rstrip(), match.start())
