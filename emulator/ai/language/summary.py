"""A summary: the sentences whose words occur most, in their order (Luhn, "The automatic creation of abstracts")."""

import re
from collections import Counter

from emulator.ai.language.key_phrases import SMALL_WORDS
from emulator.ai.language.sentences import split

_WORD = re.compile(r"[^\W\d_]{3,}")


def summarize(text: str, sentences: int) -> list[str]:
    """Return so many sentences of a text, or all where it has fewer."""
    found = [sentence.text for sentence in split(text)]
    words = [[word for word in _WORD.findall(sentence.lower()) if word not in SMALL_WORDS] for sentence in found]
    often = Counter(word for sentence in words for word in sentence)
    weights = [sum(often[word] for word in set(sentence)) / max(1, len(sentence)) ** 0.5 for sentence in words]
    best = sorted(range(len(found)), key=lambda index: (-weights[index], index))[:sentences]
    return [found[index] for index in sorted(best)]
