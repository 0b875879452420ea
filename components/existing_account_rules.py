"""Rules over AI accounts that are there: what would change one has no use, and a deployment needs its account.

What only the account itself can tell is judged once it was read (found_account.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pydantic.alias_generators import to_camel

from components.mistakes import Findings, Path

if TYPE_CHECKING:
    from components.settings import StackSettings

_OWNERS = "is what the account that is there has; leave it out"


def check(settings: StackSettings, findings: Findings) -> None:
    """Add every mistake of accounts that are there."""
    for path, message, reads in _mistakes(settings):
        findings.add(path, message, reads=[reads])


def _mistakes(settings: StackSettings) -> Iterator[tuple[Path, str, Path]]:
    existing, ai = settings.existing, settings.ai
    accounts = {"openai": existing.openai_account, "language": existing.language_account}
    for name, account in accounts.items():
        given: Path = ("existing", f"{name}Account")
        if account is None:
            continue
        if not settings.uses_ai:
            yield given, "has no use without azure_ai among the extensions; leave it out", ("extensions",)
        if "sku" in getattr(ai, name).model_fields_set:
            yield ("ai", name, "sku"), _OWNERS, given
        if name in ai.restore:
            yield ("ai", "restore"), f"names the account of existing.{name}Account; leave it out", given
    if existing.language_account is not None and not ai.language.enabled:
        yield ("existing", "languageAccount"), "has no use: ai.language.enabled is false", ("ai", "language", "enabled")
    if any(accounts.values()) and not settings.makes_accounts:
        for field in sorted(ai.network.model_fields_set - {"private_endpoints"}):
            message = "is for accounts that are made; who reaches those that are there, their owner decides"
            yield ("ai", "network", to_camel(field)), f"{message}: leave it out", ("existing",)
    if not ai.assign_roles and (ai.authentication == "keys" or not any(accounts.values())):
        message = "counts only with existing accounts and without keys; leave it out"
        yield ("ai", "assignRoles"), message, ("ai", "authentication")
    yield from _deployments(settings)


def _deployments(settings: StackSettings) -> Iterator[tuple[Path, str, Path]]:
    for name, deployment in settings.deployments.items():
        here: Path = ("deployments", name)
        if not deployment.existing:
            continue
        if settings.existing.openai_account is None:
            message = "needs existing.openaiAccount: an account that is made has no deployment"
            yield (*here, "existing"), message, ("existing",)
        for field in sorted(deployment.model_fields_set & {"content_filter", "upgrade"}):
            message = "is set where the deployment is made, and this one is there; leave it out"
            yield (*here, to_camel(field)), message, (*here, "existing")
