"""Named entities that patterns and short lists can find; no understanding is claimed."""

import re
from dataclasses import dataclass

from emulator.ai.language import personal_data

_PLACES = """
Amsterdam Austria Belgium Berlin Boston Brazil Canada Chicago China Denmark Dublin England Europe Finland
France Germany Hamburg India Ireland Italy Japan London Madrid Mexico Munich Netherlands Norway Oslo Paris
Poland Portland Portugal Rome Scotland Seattle Singapore Spain Stockholm Sweden Switzerland Texas Tokyo Vienna
Zurich
"""
_PLACE = re.compile(rf"\b(?:{'|'.join(_PLACES.split())}|New York|San Francisco|United Kingdom|United States)\b")
_FIRM = r"(?:Inc|Ltd|LLC|GmbH|Corp|Corporation|Company|Group|Labs|Bank|University|Solutions|Systems|Services|Partners)"
_ORGANIZATION = re.compile(rf"\b(?:[A-Z][\w&-]*,? )+{_FIRM}\b\.?")
_MONEY = re.compile(r"[$€£] ?\d[\d,]*(?:\.\d+)?|\b\d[\d,]*(?:\.\d+)? (?:USD|EUR|GBP|dollars|euros|pounds)\b")
_QUANTITY = re.compile(
    r"\b\d[\d,]*(?:\.\d+)? ?(?:%|percent|days?|weeks?|months?|years?|hours?|minutes?|kg|tons?|km|miles|units?)(?!\w)"
)
_NUMBER = re.compile(r"\b\d[\d,]*(?:\.\d+)?\b")


@dataclass(frozen=True)
class Named:
    """An entity; `offset` counts code points."""

    text: str
    category: str
    subcategory: str | None
    offset: int
    score: float


# azure-ai-docs, "Supported Named Entity Recognition (NER) entity categories". In the order in which they win.
_PATTERNS: tuple[tuple[str, str | None, float, re.Pattern[str]], ...] = (
    ("Organization", None, 0.85, _ORGANIZATION),
    ("Location", "GPE", 0.9, _PLACE),
    ("Quantity", "Currency", 0.9, _MONEY),
    ("Quantity", None, 0.8, _QUANTITY),
    ("Quantity", "Number", 0.8, _NUMBER),
)
_SHARED = frozenset({"Person", "DateTime", "Email", "URL", "PhoneNumber", "IPAddress"})


def find(text: str) -> list[Named]:
    """Return the entities of a text in the order of the text; none overlaps another."""
    found = [
        Named(entity.text, entity.category, entity.subcategory, entity.offset, entity.score)
        for entity in personal_data.find(text, _SHARED)
    ]
    for category, subcategory, score, pattern in _PATTERNS:
        for match in pattern.finditer(text):
            if all(match.end() <= other.offset or match.start() >= other.offset + len(other.text) for other in found):
                found.append(Named(match.group(), category, subcategory, match.start(), score))
    return sorted(found, key=lambda entity: entity.offset)
