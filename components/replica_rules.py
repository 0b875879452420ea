"""Rules over read replicas and the virtual endpoint.

Source: azure-databases-docs, "Read replicas", "Promote read replicas", "Virtual endpoints for read replicas".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from components.catalogue.server_limits import compute
from components.catalogue.server_sizes import tier_of
from components.mistakes import Findings, nearest
from components.replica_settings import MAXIMUM_REPLICAS
from components.tier_rules import refuse_on_burstable

if TYPE_CHECKING:
    from components.settings import StackSettings


def check(settings: StackSettings, findings: Findings) -> None:
    """Add every mistake of replicas and endpoint."""
    primary, replicas = settings.server, settings.server.replicas
    if replicas:
        refuse_on_burstable(settings, findings, ("server", "replicas"), "are")
    if len(replicas) > MAXIMUM_REPLICAS:
        findings.add(("server", "replicas"), f"has {len(replicas)} replicas; at most {MAXIMUM_REPLICAS}")
    for name, replica in replicas.items():
        here = ("server", "replicas", name)
        if replica.sku is not None:
            _size(replica.sku.name, replica.sku.tier, primary.sku.name, here, findings)
        if replica.storage_gb is not None and replica.storage_gb < primary.storage_gb:
            findings.add(
                (*here, "storageGb"),
                f"{replica.storage_gb} GiB is less than the primary's {primary.storage_gb}",
                reads=[("server", "storageGb")],
            )
    endpoint = settings.server.virtual_endpoint
    if endpoint is not None and endpoint.replica is not None and endpoint.replica not in replicas:
        findings.add(
            ("server", "virtualEndpoint", "replica"),
            f"{endpoint.replica!r} is no replica; {nearest(endpoint.replica, replicas)}",
            reads=[("server", "replicas")],
        )


def _size(name: str, tier: str, primary: str, here: tuple[str, ...], findings: Findings) -> None:
    place = (*here, "sku")
    if tier_of(name) != tier or tier == "Burstable":
        findings.add(place, f"{name} ({tier}) is no size of a replica; such as Standard_D2ds_v5 (GeneralPurpose)")
    elif tier_of(primary) is not None and compute(name).vcores < compute(primary).vcores:
        findings.add(place, f"{name} is smaller than the primary's {primary}", reads=[("server", "sku")])


def notes(settings: StackSettings) -> Iterator[str]:
    """Yield why a replica could not take the primary's place."""
    endpoint, primary = settings.server.virtual_endpoint, settings.server
    replica = primary.replicas.get(endpoint.replica or "") if endpoint else None
    if replica is None:
        return
    if replica.sku not in (None, primary.sku) or replica.storage_gb not in (None, primary.storage_gb):
        yield "server.virtualEndpoint.replica has another size than the primary: Azure refuses to swap them as they are"
