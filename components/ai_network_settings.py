"""Settings of the AI accounts' network: who reaches them, and whom they may reach."""

from __future__ import annotations

from ipaddress import IPv4Network
from typing import Annotated

from pydantic import AfterValidator, Field

from components.catalogue.address_ranges import PRIVATE
from components.section import Listed, Section, matching

# The service refuses private ranges, and /31 (azure-docs, "Configure virtual networks for Azure AI services").
_NARROWEST = 30


def _public(value: IPv4Network) -> IPv4Network:
    if any(value.subnet_of(space) for space in PRIVATE):
        raise ValueError(f"{value} is a private range; the rules are for addresses on the internet")
    if _NARROWEST < value.prefixlen < value.max_prefixlen:
        raise ValueError(f"{value} is too narrow; allowed: one address, or a range up to /{_NARROWEST}")
    return value


Range = Annotated[IPv4Network, AfterValidator(_public)]
HostName = Annotated[
    str, AfterValidator(matching(r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+", "a host name such as example.com"))
]


class AiNetworkSettings(Section):
    """Who reaches the AI accounts. `azure_ai` calls them from the database server."""

    public_access: bool | None = Field(
        default=None,
        description="Whether they answer on the internet; when left out, not with network.mode injected, else yes.",
    )
    private_endpoints: bool | None = Field(
        default=None,
        description="Whether each has an endpoint in the stack's network; when left out, where there is a network.",
    )
    ip_rules: Listed[Range] = Field(
        default=(), description="The only addresses that may call them from the internet, such as 203.0.113.0/24."
    )
    trusted_services: bool = Field(
        default=False,
        description="Whether other Azure AI services, Machine Learning and AI Search pass ipRules. PostgreSQL is none.",
    )
    restrict_outbound: bool = Field(
        default=True, description="Whether the accounts may call out to outboundHosts alone (data loss prevention)."
    )
    outbound_hosts: Listed[HostName] = Field(default=(), description="Host names that the accounts may call.")
