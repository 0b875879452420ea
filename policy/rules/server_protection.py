"""What guards a server: keys of one's own, logs elsewhere, someone who watches, no deletion by mistake."""

from __future__ import annotations

from collections.abc import Iterator

from policy.plan import AZURE, RESOURCE_GROUP, UNKNOWN, Plan
from policy.rule import DENY, OFF, WARN, Levels, Rule, Violation

DIAGNOSTICS = f"{AZURE}monitor:DiagnosticSetting"
LOCK = f"{AZURE}authorization:ManagementLockByScope"
# azure-native 3.29.0 has no type for a flexible server's, so the program has one of its own.
THREAT_PROTECTION = "pulumi-python:dynamic/postgresql:ThreatProtection"


def own_keys(plan: Plan) -> Iterator[Violation]:
    """Find servers that the service's own keys encrypt."""
    for server in plan.servers:
        if server.get("dataEncryption", "type") not in ("AzureKeyVault", UNKNOWN):
            yield Violation(server, "encrypted with the service's own keys")


def diagnostics(plan: Plan) -> Iterator[Violation]:
    """Find servers whose logs go nowhere."""
    for server in plan.servers:
        if not plan.about(server, DIAGNOSTICS):
            yield Violation(server, "no diagnostic setting: its logs end with it")


def threat_protection(plan: Plan) -> Iterator[Violation]:
    """Find servers that Microsoft Defender does not watch."""
    for server in plan.primaries:
        if not plan.about(server, THREAT_PROTECTION):
            yield Violation(server, "Microsoft Defender does not watch it")


def cannot_be_deleted(plan: Plan) -> Iterator[Violation]:
    """Find servers that one command could delete: the engine's protection stops the program, a lock everybody."""
    for server in plan.primaries:
        if not server.protect:
            yield Violation(server, "not protected: a mistake in the program may delete it")
        guarded = {server.urn, *(group.urn for group in plan.of(RESOURCE_GROUP))}
        if not any(guarded & lock.refers.get("scope", frozenset()) for lock in plan.of(LOCK)):
            yield Violation(server, "no lock on it nor on its resource group: the portal deletes it at once")


RULES = (
    Rule(
        id="pg-cmk",
        description="A server is encrypted with a key of the stack's owner. For stacks that opt in.",
        levels=Levels(OFF, OFF, OFF),
        source="POL 12c74c95; MCSB DP-5",
        remediation="Set server.encryption: {keyUri, identityId}.",
        check=own_keys,
    ),
    Rule(
        id="pg-diagnostics",
        description="A server's logs are kept in a Log Analytics workspace.",
        levels=Levels(OFF, WARN, DENY),
        source="POL 78ed47da, 5fbd326d; MCSB LT-4",
        remediation="Set monitoring.enabled.",
        check=diagnostics,
    ),
    Rule(
        id="pg-threat-protection",
        description="Microsoft Defender watches a server.",
        levels=Levels(OFF, WARN, WARN),
        source="POL 2a6ae02f, d38668f5",
        remediation="Set monitoring.threatProtection.",
        check=threat_protection,
    ),
    Rule(
        id="pg-cannot-delete",
        description="A server is protected in the program, and locked in Azure.",
        levels=Levels(OFF, WARN, DENY),
        source="WAF; the locks of AVM",
        remediation="Set protect and lock.",
        check=cannot_be_deleted,
    ),
)
