"""Rules over several values of the AI accounts' settings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from components.content_filter_settings import SYSTEM_FILTERS
from components.mistakes import Findings, nearest

if TYPE_CHECKING:
    from components.settings import StackSettings

_FILTER_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{1,63}")


def check(settings: StackSettings, findings: Findings) -> None:
    """Add every mistake of filters, upgrades and what is brought back."""
    for name in settings.ai.content_filters:
        here = ("ai", "contentFilters", name)
        if not _FILTER_NAME.fullmatch(name):
            findings.add(here, "its name must have 2 to 64 letters, digits, _, . or -, a letter or digit first")
        elif name.lower().startswith("microsoft."):
            findings.add(here, "a name that starts with Microsoft. is the service's own and cannot be changed")
    for name, deployment in settings.deployments.items():
        known = (*SYSTEM_FILTERS, *settings.ai.content_filters)
        if deployment.content_filter not in known:
            findings.add(
                ("deployments", name, "contentFilter"),
                f"{deployment.content_filter!r} is no content filter; {nearest(deployment.content_filter, known)}",
                reads=[("ai", "contentFilters")],
            )
        if deployment.upgrade == "OnceNewDefaultVersionAvailable" and deployment.facts.embeds:
            findings.add(
                ("deployments", name, "upgrade"),
                "would let Azure change the version of a model that makes vectors, and mix those of two versions in one"
                " column; allowed: NoAutoUpgrade, OnceCurrentVersionExpired",
                reads=[("deployments", name, "model")],
            )
    if "language" in settings.ai.restore and not settings.ai.language.enabled:
        findings.add(
            ("ai", "restore"),
            "names the Language account, which is not enabled; leave it out, or enable it",
            reads=[("ai", "language", "enabled")],
        )


def notes(settings: StackSettings) -> Iterator[str]:
    """Yield what a reader of the preview should know."""
    for name, deployment in settings.deployments.items():
        if deployment.upgrade == "OnceCurrentVersionExpired" and deployment.facts.embeds:
            yield (
                f"deployments.{name}.upgrade: when the version retires, Azure deploys another one; vectors of before"
                " and after then differ in meaning until their jobs are embedded again"
            )
    if settings.ai.restore:
        yield (
            f"ai.restore: {', '.join(settings.ai.restore)} is brought back from the soft-deleted accounts, without its"
            " deployments; take the setting out after this `up`, for it fails where nothing is soft-deleted"
        )
