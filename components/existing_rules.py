"""Rules over what is there already: the network's mode must have a use for it, and a network is given whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

from components import private_zones
from components.cloud import cloud
from components.mistakes import Findings

if TYPE_CHECKING:
    from components.settings import StackSettings

_MODE = ("network", "mode")


def check(settings: StackSettings, findings: Findings) -> None:
    """Add every mistake of what is there already."""
    _subnets(settings, findings)
    _zones(settings, findings)


def _subnets(settings: StackSettings, findings: Findings) -> None:
    existing, mode = settings.existing, settings.network.mode
    needed = {
        "serverSubnet": mode == "injected" and existing.server is None,
        "endpointSubnet": mode == "private-endpoint" or settings.accounts_have_endpoints,
    }
    useful = {**needed, "endpointSubnet": needed["endpointSubnet"] or settings.vault_has_endpoint}
    given = {"serverSubnet": existing.server_subnet, "endpointSubnet": existing.endpoint_subnet}
    for key, subnet in given.items():
        if subnet and not useful[key]:
            also = " and existing.server" if existing.server is not None else ""
            findings.add(("existing", key), f"has no use with network.mode {mode}{also}; leave it out", reads=[_MODE])
        if needed[key] and not subnet and any(given.values()):
            findings.add(
                ("existing", key),
                "is missing: a network that is there is given with all subnets of its mode",
                reads=[_MODE],
            )


def _zones(settings: StackSettings, findings: Findings) -> None:
    suffix, mode = cloud().postgres_suffix, settings.network.mode
    wanted = [f"{private_zones.PREFIX}{public}" for public in private_zones.endpoint_suffixes(settings, cloud())]
    servers = 0
    for position, zone in enumerate(settings.existing.dns_zones):
        name = zone.rpartition("/")[2].lower()
        is_servers = mode == "injected" and private_zones.is_of_server(name, cloud())
        servers += is_servers
        if not is_servers and name not in wanted:
            also = [f"one that ends with .{suffix}"] if mode == "injected" else []
            allowed = ", ".join([*wanted, *also]) or "none with network.mode public"
            findings.add(
                ("existing", "dnsZones", position), f"{name} serves nothing here; allowed: {allowed}", reads=[_MODE]
            )
    if servers > 1:
        findings.add(("existing", "dnsZones"), "has two zones of servers; a server has one", reads=[_MODE])
