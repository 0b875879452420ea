"""Content filters of an account, as Azure calls them: RAI policies."""

from __future__ import annotations

from pulumi_azure_native import cognitiveservices as cs

from components.content_filter_settings import CATEGORIES, MODES, SHIELDS, ContentFilterSettings


def content_filter(wanted: ContentFilterSettings) -> cs.RaiPolicyPropertiesArgs:
    """Return a policy: each category of harm on both sides, then the shields, each on its side."""
    harms = [
        cs.RaiPolicyContentFilterArgs(
            name=name, severity_threshold=getattr(wanted, key), source=source, blocking=True, enabled=True
        )
        for key, name in CATEGORIES.items()
        for source in ("Prompt", "Completion")
    ]
    shields = [
        cs.RaiPolicyContentFilterArgs(name=name, source=source, blocking=True, enabled=True)
        for name, source in SHIELDS.items()
        if name in wanted.shields
    ]
    return cs.RaiPolicyPropertiesArgs(
        base_policy_name=wanted.base, mode=MODES[wanted.mode], content_filters=[*harms, *shields]
    )
