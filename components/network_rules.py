"""Rules over several values of the network's settings: what Azure would refuse, or what would reach nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from components.mistakes import Findings

if TYPE_CHECKING:
    from components.settings import StackSettings

_MODE = ("network", "mode")


def check(settings: StackSettings, findings: Findings) -> None:
    """Add every mistake of the network."""
    _firewall(settings, findings)
    _accounts(settings, findings)
    _replicas(settings, findings)
    _cluster(settings, findings)


def _firewall(settings: StackSettings, findings: Findings) -> None:
    """A server without public access takes no firewall rule: injected, Azure refuses it, else it has no effect."""
    if not settings.network.private:
        return
    mode = settings.network.mode
    said = mode if "mode" in settings.network.model_fields_set else f"{mode}, which is the default,"
    why = f"is for network.mode public; with {said} nothing comes from the internet: leave it out, or set that mode"
    if settings.firewall.rules:
        findings.add(("firewall", "rules"), why, reads=[_MODE])
    if settings.firewall.allow_azure_services:
        findings.add(("firewall", "allowAzureServices"), why, reads=[_MODE])


def _replicas(settings: StackSettings, findings: Findings) -> None:
    """A replica is as closed as its primary: injected, it lies in the primary's subnet, which is in one region."""
    mode, here = settings.network.mode, ("server", "replicas")
    for name, replica in settings.server.replicas.items():
        if mode == "injected" and replica.location not in (None, settings.location):
            findings.add(
                (*here, name, "location"),
                f"is {replica.location}, where the stack's network has no subnet; allowed with network.mode injected:"
                f" {settings.location}",
                reads=[_MODE, ("location",)],
            )


def _cluster(settings: StackSettings, findings: Findings) -> None:
    """An elastic cluster cannot lie in a subnet (azure-databases-docs, limitations of elastic clusters, 2025-11)."""
    if settings.server.cluster is not None and settings.network.mode == "injected":
        findings.add(
            ("server", "cluster"),
            "cannot lie in a subnet; allowed: network.mode public, private-endpoint",
            reads=[_MODE],
        )


def _accounts(settings: StackSettings, findings: Findings) -> None:
    wanted, here = settings.ai.network, ("ai", "network")
    if wanted.private_endpoints and not settings.network.private:
        findings.add(
            (*here, "privateEndpoints"),
            "needs a network; set network.mode to injected or private-endpoint",
            reads=[_MODE],
        )
    if not settings.accounts_are_public and settings.makes_accounts and settings.network.mode != "injected":
        # A private endpoint leads into a network and not out of it: what such a server calls, it calls over the
        # internet, and PostgreSQL is none of the services that an account trusts (azure-docs, "Grant access to trusted
        # Azure services for Azure OpenAI"). Azure SQL is so (Azure-Samples/azure-sql-db-openai #7); that PostgreSQL is
        # so too is unverified.
        findings.add(
            (*here, "publicAccess"),
            f"is off, and with network.mode {settings.network.mode} the server calls the accounts over the internet:"
            " azure_ai would reach nothing. Set network.mode to injected, or leave this out",
            reads=[_MODE],
        )
    if (
        settings.makes_accounts
        and not settings.accounts_are_public
        and settings.network.mode == "injected"
        and not settings.accounts_have_endpoints
    ):
        findings.add(
            (*here, "privateEndpoints"),
            "is off, and so is public access: nobody could reach the accounts; leave one of the two out",
            reads=[(*here, "publicAccess")],
        )
    if wanted.ip_rules and not settings.accounts_are_public:
        findings.add(
            (*here, "ipRules"), "counts only with publicAccess: true; leave it out, or set that", reads=[(*here,)]
        )
    if wanted.trusted_services and not wanted.ip_rules:
        findings.add((*here, "trustedServices"), "counts only with ipRules; leave it out, or give some")
    if wanted.outbound_hosts and not wanted.restrict_outbound:
        findings.add((*here, "outboundHosts"), "counts only with restrictOutbound: true; leave it out, or set that")


def notes(settings: StackSettings) -> Iterator[str]:
    """Yield what a reader of the preview should know."""
    mode = settings.network.mode
    if mode != "public":
        yield (
            f"network.mode {mode}: the server has no public address; whoever runs `pulumi up` must be in its network,"
            " or in one that is peered with it and linked to its DNS zone (docs/networks.md)"
        )
    if settings.uses_ai and settings.ai.network.ip_rules and mode != "injected":
        yield (
            "ai.network.ipRules: the server calls the accounts from an address of Azure's choice, which must be among"
            " the ranges (unverified: it may change)"
        )
