"""Personal data that patterns can find, and the text without it."""

import re
from collections.abc import Collection
from dataclasses import dataclass


@dataclass(frozen=True)
class Entity:
    """A piece of personal data; `offset` counts code points."""

    text: str
    category: str
    subcategory: str | None
    offset: int
    score: float


# azure-ai-docs, "Supported PII entity categories". In the order in which they win where two overlap.
_PATTERNS: tuple[tuple[str, str | None, float, re.Pattern[str]], ...] = (
    ("Email", None, 0.8, re.compile(r"\b[\w.+-]+@[\w-]+(?:\.[\w-]+)+\b")),
    ("URL", None, 0.8, re.compile(r"\b(?:https?://|www\.)[^\s<>\"']+[^\s<>\"'.,;:!?)]")),
    ("IPAddress", None, 0.8, re.compile(r"\b(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)\b")),
    ("InternationalBankingAccountNumber", None, 0.9, re.compile(
        r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){3,7}(?: ?[A-Z0-9]{1,3})?\b"
    )),
    ("CreditCardNumber", None, 0.9, re.compile(r"\b(?:\d[ -]?){12,18}\d\b")),
    ("USSocialSecurityNumber", None, 0.85, re.compile(r"\b(?!000|666|9)\d{3}-(?!00)\d{2}-(?!0000)\d{4}\b")),
    ("DateTime", "Date", 0.8, re.compile(
        r"\b\d{4}-\d{2}-\d{2}\b|\b\d{1,2}/\d{1,2}/\d{2,4}\b|\b(?:January|February|March|April|May|June|July|August|September|"
        r"October|November|December) \d{1,2}(?:st|nd|rd|th)?(?:,? \d{4})?\b"
    )),
    ("PhoneNumber", None, 0.8, re.compile(
        r"(?<![\w-])(?:\+\d{1,3}[ .-]?)?(?:\(\d{2,4}\)[ .-]?|\d{2,4}[ .-])\d{3,4}[ .-]?\d{3,4}\b"
    )),
    ("Person", None, 0.75, re.compile(
        r"(?<=\bMr\. )[A-Z][a-z]+(?: [A-Z][a-z]+)*|(?<=\bMs\. )[A-Z][a-z]+(?: [A-Z][a-z]+)*|"
        r"(?<=\bMrs\. )[A-Z][a-z]+(?: [A-Z][a-z]+)*|(?<=\bDr\. )[A-Z][a-z]+(?: [A-Z][a-z]+)*|"
        r"(?<=[Nn]ame is )[A-Z][a-z]+(?: [A-Z][a-z]+)*|(?<=I am )[A-Z][a-z]+ [A-Z][a-z]+"
    )),
)  # fmt: skip


def _luhn(digits: str) -> bool:
    """Return whether the check digit of a card number is right (ISO/IEC 7812-1)."""
    total = 0
    for position, digit in enumerate(reversed([int(character) for character in digits if character.isdigit()])):
        doubled = digit * 2 if position % 2 else digit
        total += doubled - 9 if doubled > 9 else doubled
    return total % 10 == 0


def find(text: str, categories: Collection[str] = ()) -> list[Entity]:
    """Return the personal data of a text in the order of the text.

    Args:
        text: The text.
        categories: The categories that are wanted; all where none is named.
    """
    found: list[Entity] = []
    for category, subcategory, score, pattern in _PATTERNS:
        if categories and category not in categories:
            continue
        for match in pattern.finditer(text):
            if category == "CreditCardNumber" and not _luhn(match.group()):
                continue
            if all(
                match.end() <= entity.offset or match.start() >= entity.offset + len(entity.text) for entity in found
            ):
                found.append(Entity(match.group(), category, subcategory, match.start(), score))
    return sorted(found, key=lambda entity: entity.offset)


def redact(text: str, entities: Collection[Entity]) -> str:
    """Return the text with every character of its personal data replaced by a star."""
    characters = list(text)
    for entity in entities:
        characters[entity.offset : entity.offset + len(entity.text)] = "*" * len(entity.text)
    return "".join(characters)
