"""The rule over what the Burstable tier does not have, which several settings ask for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.catalogue.server_sizes import TIERS
from components.mistakes import Findings, Path

if TYPE_CHECKING:
    from components.settings import StackSettings

_BURSTABLE = "Burstable"
_OTHERS = ", ".join(tier for tier in TIERS if tier != _BURSTABLE)


def refuse_on_burstable(settings: StackSettings, findings: Findings, path: Path, what: str = "is") -> None:
    """Add a mistake where the server is Burstable.

    Args:
        settings: the stack's settings.
        findings: takes the mistake.
        path: the setting that asks for what the tier does not have.
        what: what begins the sentence: the verb, or the value with it.
    """
    if settings.server.sku.tier == _BURSTABLE:
        findings.add(path, f"{what} not offered on the Burstable tier; allowed: {_OTHERS}", reads=[("server", "sku")])
