"""Host names of the AI accounts, by their kind: what a private zone must answer for.

Source: azure-docs, "Private endpoint DNS zone values".
"""

from __future__ import annotations

from components.ai_settings import AiSettings
from components.cloud import Cloud

LANGUAGE = "TextAnalytics"  # what Azure calls the kind of a Language account


def host_suffixes(kind: str, cloud: Cloud) -> tuple[str, ...]:
    """Return the suffixes of the host names of an account; its private endpoint answers for all of them."""
    if kind == LANGUAGE:
        return (cloud.cognitive_suffix,)
    if kind == "OpenAI":
        return (cloud.openai_suffix,)
    return (cloud.cognitive_suffix, cloud.openai_suffix, cloud.ai_services_suffix)


def all_host_suffixes(settings: AiSettings, cloud: Cloud) -> tuple[str, ...]:
    """Return the suffixes of the host names of all accounts of a stack."""
    kinds = [settings.openai.kind, *([LANGUAGE] if settings.language.enabled else [])]
    return tuple(sorted({suffix for kind in kinds for suffix in host_suffixes(kind, cloud)}))
