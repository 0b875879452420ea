"""What the emulator's chat models answer: pieces of the text that they are sent, the same for the same text.

No model is behind it. An answer depends on the text and fits the schema that is asked for, so a program can be tried
against it; whether it is a good answer is no question here.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any

from emulator.ai.language import entities, key_phrases, sentiment, summary
from emulator.ai.language.sentences import split

_DEPTH = 8  # of nested schemas; a recursive one ends there
# Which entity of the text a field asks for, by words of its name and description; the first that fits.
_HINTS: tuple[tuple[str, frozenset[str]], ...] = (
    (r"date|when|day|deadline", frozenset({"DateTime"})),
    (r"e-?mail", frozenset({"Email"})),
    (r"phone|fax", frozenset({"PhoneNumber"})),
    (r"url|link|website", frozenset({"URL"})),
    (r"company|organi[sz]ation|vendor|supplier|customer|party|payer", frozenset({"Organization", "Person"})),
    (r"person|name|who|author", frozenset({"Person", "Organization"})),
    (r"place|city|country|location|where", frozenset({"Location"})),
    (r"amount|price|cost|total|number|count|quantity|rate|percent|sum", frozenset({"Quantity"})),
)
_NUMBER = re.compile(r"-?\d[\d,]*(?:\.\d+)?")


def in_words(text: str) -> str:
    """Return an answer of at most two sentences."""
    found = summary.summarize(text, 2)
    return " ".join(found) or text.strip()


def by_schema(schema: Mapping[str, Any], text: str, about: str = "", depth: int = 0) -> Any:
    """Return a value that a JSON schema allows.

    Args:
        schema: of structured outputs: types, properties, items, enum, anyOf; a `$ref` is answered with null.
        text: what the answer is taken from.
        about: the name of the field, for what to take.
        depth: how deep the field lies.
    """
    about = f"{about} {schema.get('description', '')}"
    kinds = schema.get("type", "string" if "enum" not in schema else "enum")
    kind = next((one for one in kinds if one != "null"), "null") if isinstance(kinds, list) else kinds
    if schema.get("anyOf"):
        return by_schema(schema["anyOf"][0], text, about, depth + 1)
    if "enum" in schema:
        return _choice(list(schema["enum"]), text)
    if kind == "object" and depth < _DEPTH:
        properties = schema.get("properties") or {}
        return {name: by_schema(inner, text, name, depth + 1) for name, inner in properties.items()}
    if kind == "array" and depth < _DEPTH:
        return _several(schema.get("items") or {"type": "string"}, text, about, depth)
    return _single(str(kind), text, about)


def _several(items: Mapping[str, Any], text: str, about: str, depth: int) -> list[Any]:
    if items.get("type", "string") == "string" and "enum" not in items:
        return list(key_phrases.extract(text)[:5])
    return [by_schema(items, text, about, depth + 1)]


def _single(kind: str, text: str, about: str) -> Any:
    if kind in ("number", "integer"):
        found = _NUMBER.search(text)
        number = float(found.group().replace(",", "")) if found else 0.0
        return int(number) if kind == "integer" else number
    if kind == "boolean":
        return _leaning(text) == "positive"
    return _piece(about, text) if kind == "string" else None


def _leaning(text: str) -> str:
    """Return positive or negative: the sentiment, or where that is none a digest of the text."""
    label = sentiment.analyze(text).label
    if label in ("positive", "negative"):
        return label
    return "positive" if hashlib.sha256(text.encode()).digest()[0] % 2 else "negative"


def _choice(choices: list[Any], text: str) -> Any:
    """Return one of the values: of yes and no by the text's leaning, else the first that the text names."""
    words = [str(choice).lower() for choice in choices]
    if {"true", "false"} <= set(words):
        if "?" in text and "unknown" in words:
            return choices[words.index("unknown")]
        return choices[words.index("true" if _leaning(text) == "positive" else "false")]
    for choice, word in zip(choices, words, strict=True):
        if re.search(rf"\b{re.escape(word)}\b", text.lower()):
            return choice
    return choices[hashlib.sha256(text.encode()).digest()[0] % len(choices)] if choices else None


def _piece(about: str, text: str) -> str:
    """Return the piece of a text that a field asks for: an entity, a sentence that names it, or a key phrase."""
    asked = about.lower().replace("_", " ")
    for pattern, categories in _HINTS:
        if re.search(rf"\b(?:{pattern})", asked):
            found = next((entity.text for entity in entities.find(text) if entity.category in categories), None)
            if found:
                return found
    name = asked.split()[0] if asked.split() else ""
    if name in ("summary", "gist"):
        return in_words(text)
    named = next((sentence.text for sentence in split(text) if name and name in sentence.text.lower()), None)
    return named or next(iter(key_phrases.extract(text)), text.strip()[:100])
