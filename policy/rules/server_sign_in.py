"""Who may sign in to a server, and by what."""

from __future__ import annotations

from collections.abc import Iterator

from policy.plan import AZURE, Plan
from policy.rule import DENY, WARN, Levels, Rule, Violation

ADMINISTRATORS = (
    f"{AZURE}dbforpostgresql:AdministratorsMicrosoftEntra",
    f"{AZURE}dbforpostgresql:Administrator",
)


def entra_administrator(plan: Plan) -> Iterator[Violation]:
    """Find servers that Entra does not administer."""
    for server in plan.primaries:
        if server.get("authConfig", "activeDirectoryAuth") != "Enabled":
            yield Violation(server, "authConfig.activeDirectoryAuth is not Enabled: nobody signs in with Entra")
        elif not plan.about(server, *ADMINISTRATORS):
            yield Violation(server, "no Entra administrator")


def entra_only(plan: Plan) -> Iterator[Violation]:
    """Find servers that take passwords; a server takes them unless it is told not to."""
    for server in plan.primaries:
        if server.get("authConfig", "passwordAuth") != "Disabled":
            yield Violation(server, "authConfig.passwordAuth is not Disabled: passwords are taken")


RULES = (
    Rule(
        id="pg-entra-admin",
        description="A server has an Entra administrator.",
        levels=Levels(DENY, DENY, DENY),
        source="POL ce39a96d; PSR AZR-000389; MCSB IM-1",
        remediation="Set authentication.entra, and authentication.administrators or authentication.deployer.",
        check=entra_administrator,
    ),
    Rule(
        id="pg-entra-only",
        description="A server takes no passwords.",
        levels=Levels(WARN, WARN, DENY),
        source="POL fa498b91 (preview)",
        remediation="Set authentication.password to false.",
        check=entra_only,
    ),
)
