"""The names of data that commands print as JSON: camelCase, as in the config and in the stack's outputs."""

from __future__ import annotations

from typing import Any


def camel(value: Any) -> Any:
    """Return data with every key in camelCase, at any depth."""
    if isinstance(value, dict):
        names = ((key.split("_"), inner) for key, inner in value.items())
        return {words[0] + "".join(word.title() for word in words[1:]): camel(inner) for words, inner in names}
    return [camel(inner) for inner in value] if isinstance(value, list) else value
