"""Who can reach a server at all."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address

from policy.plan import AZURE, UNKNOWN, Plan, PlannedResource
from policy.rule import DENY, OFF, WARN, Levels, Rule, Violation

FIREWALL_RULE = f"{AZURE}dbforpostgresql:FirewallRule"
PRIVATE_ENDPOINT = f"{AZURE}network:PrivateEndpoint"
MOST_RULES = 10
MOST_ADDRESSES = 10
ALLOW_AZURE = ("0.0.0.0", "0.0.0.0")  # noqa: S104 - Azure's mark for "all of Azure"; nothing is bound to it


def _is_public(server: PlannedResource) -> bool:
    """Tell whether a server has a public address: always unless switched off, and never inside a network."""
    return not server.get("network", "delegatedSubnetResourceId") and (
        server.get("network", "publicNetworkAccess") != "Disabled"
    )


def _range(rule: PlannedResource) -> tuple[object, object]:
    return rule.get("startIpAddress"), rule.get("endIpAddress")


def public_access(plan: Plan) -> Iterator[Violation]:
    """Find servers with a public address."""
    for server in plan.servers:
        if _is_public(server):
            yield Violation(server, "network.publicNetworkAccess is not Disabled: the server has a public address")


def allow_azure(plan: Plan) -> Iterator[Violation]:
    """Find the rule that lets everything in that runs in Azure."""
    for rule in plan.of(FIREWALL_RULE):
        if _range(rule) == ALLOW_AZURE:
            yield Violation(rule, "0.0.0.0 to 0.0.0.0 lets in every address of Azure, other customers' too")


def narrow_firewall(plan: Plan) -> Iterator[Violation]:
    """Find too many rules, and rules for too many addresses."""
    for server in plan.servers:
        rules = plan.about(server, FIREWALL_RULE)
        if len(rules) > MOST_RULES:
            yield Violation(server, f"{len(rules)} firewall rules, more than {MOST_RULES}")
    for rule in plan.of(FIREWALL_RULE):
        start, end = _range(rule)
        if UNKNOWN in (start, end) or (start, end) == ALLOW_AZURE:
            continue
        addresses = int(IPv4Address(str(end))) - int(IPv4Address(str(start))) + 1
        if addresses > MOST_ADDRESSES:
            yield Violation(rule, f"{start} to {end} are {addresses} addresses, more than {MOST_ADDRESSES}")


def private(plan: Plan) -> Iterator[Violation]:
    """Find servers without a private way in."""
    for server in plan.servers:
        if not server.get("network", "delegatedSubnetResourceId") and not plan.about(server, PRIVATE_ENDPOINT):
            yield Violation(server, "neither inside a virtual network nor reached by a private endpoint")


RULES = (
    Rule(
        id="pg-public-access-off",
        description="A server has no public address.",
        levels=Levels(WARN, DENY, DENY),
        source="POL 5e1de0e3; MCSB NS-2; CIS 5.2",
        remediation="Give the stack a private network: network.mode private-endpoint or injected.",
        check=public_access,
    ),
    Rule(
        id="pg-no-allow-azure-rule",
        description="No firewall rule lets in all of Azure.",
        levels=Levels(WARN, DENY, DENY),
        source="CIS 5.2; PSR AZR-000150",
        remediation="Take out firewall.allowAzureServices, and name the addresses under firewall.rules.",
        check=allow_azure,
    ),
    Rule(
        id="pg-firewall-narrow",
        description=f"A server has at most {MOST_RULES} firewall rules, each for at most {MOST_ADDRESSES} addresses.",
        levels=Levels(WARN, WARN, WARN),
        source="PSR AZR-000149, AZR-000151",
        remediation="Name single addresses under firewall.rules, or give the stack a private network.",
        check=narrow_firewall,
    ),
    Rule(
        id="pg-private-link-or-injection",
        description="A server is inside a virtual network, or reached by a private endpoint.",
        levels=Levels(OFF, WARN, DENY),
        source="POL 5375a5bb; MCSB NS-1, NS-2",
        remediation="Set network.mode to private-endpoint or injected.",
        check=private,
    ),
)
