"""Rules over a server that is there: the program uses it and changes nothing of it, so settings that would are refused.

What only the server itself can tell is judged once it was read (found_server.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pydantic.alias_generators import to_camel

from components.mistakes import Findings, Path

if TYPE_CHECKING:
    from components.settings import StackSettings

# Where pg_cron lives has to be known; the program compares it with the server.
CRON_DATABASE = "cron.database_name"
_GIVEN: Path = ("existing", "server")


def check(settings: StackSettings, findings: Findings) -> None:
    """Add every mistake of a server that is there."""
    if settings.existing.server is None:
        if settings.database.existing:
            findings.add(("database", "existing"), "needs existing.server: a server that is made has no database")
        return
    for path, message in (*_of_the_server(settings), *_of_its_surroundings(settings), *_sign_in(settings)):
        findings.add(path, message, reads=[_GIVEN])
    _network(settings, findings)


def _of_the_server(settings: StackSettings) -> Iterator[tuple[Path, str]]:
    for field in sorted(settings.server.model_fields_set):
        yield ("server", to_camel(field)), "describes a server that is made, and existing.server is there; leave it out"
    for name in settings.parameters:
        if name != CRON_DATABASE:
            message = "is not set on a server that is there; leave it out: `az postgres flexible-server parameter set`"
            yield ("parameters", name), message
    owners = "is its owner's to decide, for a server that is there; leave it out"
    for name in settings.firewall.rules:
        yield ("firewall", "rules", name), owners
    if settings.firewall.allow_azure_services:
        yield ("firewall", "allowAzureServices"), owners
    if settings.lock:
        yield ("lock",), owners
    if settings.database.existing:
        for field in sorted(settings.database.model_fields_set & {"charset", "collation"}):
            yield ("database", field), "is chosen where the database is made, and this one is there; leave it out"


def _of_its_surroundings(settings: StackSettings) -> Iterator[tuple[Path, str]]:
    monitoring = settings.monitoring
    if settings.cost.autostop is not None:
        yield ("cost", "autostop"), "would stop a server that others use; leave it out"
    if monitoring.threat_protection:
        yield ("monitoring", "threatProtection"), "would change a server that is there; its owner sets it"
    if monitoring.enabled and monitoring.workspace_id is None:
        message = "is missing: no diagnostic setting is made on a server that is there; give the workspace that its"
        yield ("monitoring", "workspaceId"), f"{message} owner sends its logs to"


def _sign_in(settings: StackSettings) -> Iterator[tuple[Path, str]]:
    access, here = settings.authentication, "authentication"
    if access.password:
        yield (here, "password"), "is made for a server that is made; sign in to one that is there with Entra"
    if not settings.administrators:
        return
    extra = "is made no administrator of a server that is there; name the one alone that the program signs in as"
    if access.deployer is not None and access.deployer.name != settings.database_user:
        yield (here, "deployer"), extra
    for position, administrator in enumerate(access.administrators):
        if administrator.name != settings.database_user:
            yield (here, "administrators", position), extra


def _network(settings: StackSettings, findings: Findings) -> None:
    mode, path = settings.network.mode, ("network", "mode")
    if mode == "private-endpoint":
        findings.add(
            path,
            "makes a private endpoint of a server that is made; for one that is there say public, where this program"
            " reaches it as others do, or injected, where it lies in a subnet",
            reads=[_GIVEN],
        )
    if mode != "injected":
        return
    if not (settings.accounts_have_endpoints or settings.vault_has_endpoint):
        findings.add(
            path,
            "has no use for a server that is there: without private endpoints of the accounts, nothing is made in its"
            " network; say public",
            reads=[("ai", "network"), ("extensions",)],
        )
    elif settings.existing.endpoint_subnet is None:
        findings.add(
            ("existing", "endpointSubnet"),
            "is missing: private endpoints go to a network that the server reaches",
            reads=[path],
        )
