"""How AI accounts are reached, and by whom."""

from __future__ import annotations

from collections.abc import Iterator

from policy.plan import UNKNOWN, Plan
from policy.rule import DENY, OFF, WARN, Levels, Rule, Violation
from policy.rules.server_network import PRIVATE_ENDPOINT
from policy.rules.server_protection import DIAGNOSTICS


def local_authentication(plan: Plan) -> Iterator[Violation]:
    """Find accounts that take keys."""
    for account in plan.accounts:
        if account.get("properties", "disableLocalAuth") not in (True, UNKNOWN):
            yield Violation(account, "properties.disableLocalAuth is not true: whoever has a key may call it")


def network(plan: Plan) -> Iterator[Violation]:
    """Find accounts that answer the whole internet."""
    for account in plan.accounts:
        public = account.get("properties", "publicNetworkAccess")
        default = account.get("properties", "networkAcls", "defaultAction")
        if public != "Disabled" and default != "Deny":
            yield Violation(account, "public, and properties.networkAcls.defaultAction is not Deny")


def private_endpoint(plan: Plan) -> Iterator[Violation]:
    """Find accounts without a private way in."""
    for account in plan.accounts:
        if not plan.about(account, PRIVATE_ENDPOINT):
            yield Violation(account, "no private endpoint")


def managed_identity(plan: Plan) -> Iterator[Violation]:
    """Find accounts without an identity."""
    for account in plan.accounts:
        if account.get("identity", "type") in (None, "None"):
            yield Violation(account, "no managed identity: what it reads elsewhere, it could only read with a secret")


def outbound(plan: Plan) -> Iterator[Violation]:
    """Find accounts that may send data anywhere."""
    for account in plan.accounts:
        if account.get("properties", "restrictOutboundNetworkAccess") not in (True, UNKNOWN):
            yield Violation(account, "properties.restrictOutboundNetworkAccess is not true: it may call any address")


def diagnostics(plan: Plan) -> Iterator[Violation]:
    """Find accounts whose logs go nowhere."""
    for account in plan.accounts:
        if not plan.about(account, DIAGNOSTICS):
            yield Violation(account, "no diagnostic setting: nobody can tell who called it")


RULES = (
    Rule(
        id="ai-local-auth-off",
        description="An AI account takes no keys.",
        levels=Levels(DENY, DENY, DENY),
        source="POL 71ef260a; PSR AZR-000282; CKV_AZURE_236; MCSB IM-1",
        remediation="Set ai.authentication to managed-identity.",
        check=local_authentication,
    ),
    Rule(
        id="ai-network-restricted",
        description="An AI account answers chosen networks alone.",
        levels=Levels(WARN, DENY, DENY),
        source="POL 037eea7a; PSR AZR-000280; CKV_AZURE_134",
        remediation="Set ai.network.publicAccess to false, or name who may call under ai.network.ipRules.",
        check=network,
    ),
    Rule(
        id="ai-private-endpoint",
        description="An AI account is reached by a private endpoint.",
        levels=Levels(OFF, WARN, DENY),
        source="POL d6759c02; PSR AZR-000283",
        remediation="Set network.mode to private-endpoint or injected; ai.network.privateEndpoints follows it.",
        check=private_endpoint,
    ),
    Rule(
        id="ai-managed-identity",
        description="An AI account has a managed identity.",
        levels=Levels(DENY, DENY, DENY),
        source="POL fe3fd216; PSR AZR-000281; CKV_AZURE_238",
        remediation="Give the account identity.type SystemAssigned; components/ai_accounts.py does.",
        check=managed_identity,
    ),
    Rule(
        id="ai-outbound-restricted",
        description="An AI account calls no address but those on its list.",
        levels=Levels(OFF, WARN, DENY),
        source="CKV_AZURE_247; MCSB DP-2",
        remediation="Set ai.network.restrictOutbound; ai.network.outboundHosts names what they may call.",
        check=outbound,
    ),
    Rule(
        id="ai-diagnostics",
        description="An AI account's logs are kept in a Log Analytics workspace.",
        levels=Levels(OFF, WARN, DENY),
        source="POL 1b4d1c4e",
        remediation="Set monitoring.enabled.",
        check=diagnostics,
    ),
)
