"""Rules over the disk's settings: sizes, tiers and speeds that a type of disk does not have.

Sources: terraform-provider-azurerm 69697b7 (`storage_mb`, `storage_tier`); azure-databases-docs, "Storage options" and
"Premium SSD v2" (2026-01). UltraSSD_LRS stands in the REST specification 2025-08-01 and in no page: unverified.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from components.catalogue.server_limits import DEFAULT_TIERS, LARGEST_WITH_P50, TIER_IOPS
from components.catalogue.server_sizes import PROVISIONED_STORAGE, STORAGE_GB, Range
from components.mistakes import Findings
from components.tier_rules import refuse_on_burstable

if TYPE_CHECKING:
    from components.settings import StackSettings

_HERE = ("server", "storage")
_SIZE = ("server", "storageGb")


def check(settings: StackSettings, findings: Findings) -> None:
    """Add every mistake of the disk's settings."""
    if settings.server.storage.provisioned:
        _provisioned(settings, findings)
    else:
        _premium(settings, findings)


def _premium(settings: StackSettings, findings: Findings) -> None:
    size, storage = settings.server.storage_gb, settings.server.storage
    if size not in STORAGE_GB:
        findings.add(_SIZE, f"{size} GiB is not offered; allowed: {_listed(STORAGE_GB)}", reads=[_HERE])
    elif storage.tier is not None:
        tiers = tiers_of(size)
        if storage.tier not in tiers:
            findings.add(
                (*_HERE, "tier"), f"{storage.tier} does not fit {size} GiB; allowed: {_listed(tiers)}", reads=[_SIZE]
            )
    for name, value in (("iops", storage.iops), ("throughput", storage.throughput)):
        if value is not None:
            findings.add(
                (*_HERE, name),
                "follows the tier of a Premium_LRS disk; leave it out and raise the tier, or choose another type",
                reads=[(*_HERE, "type")],
            )


def tiers_of(storage_gb: int) -> list[str]:
    """Return the performance tiers that a Premium SSD of this size can have, the one of its size first."""
    tiers = list(TIER_IOPS)
    highest = "P50" if storage_gb <= LARGEST_WITH_P50 else "P80"
    return tiers[tiers.index(DEFAULT_TIERS[storage_gb]) : tiers.index(highest) + 1]


def _provisioned(settings: StackSettings, findings: Findings) -> None:
    server, storage = settings.server, settings.server.storage
    limits, kind = PROVISIONED_STORAGE[storage.type], [(*_HERE, "type")]
    refuse_on_burstable(settings, findings, (*_HERE, "type"), f"{storage.type} is")
    if server.auto_grow:
        findings.add(
            ("server", "autoGrow"),
            f"must be false with {storage.type}: Azure does not enlarge it by itself; watch the alert on free space",
            reads=kind,
        )
    if storage.tier is not None:
        findings.add((*_HERE, "tier"), f"belongs to Premium_LRS; {storage.type} takes iops and throughput", reads=kind)
    if not _within(limits.storage_gb, server.storage_gb):
        findings.add(
            _SIZE,
            f"{server.storage_gb} GiB is not offered with {storage.type}; allowed: {limits.storage_gb}",
            reads=kind,
        )
    for name, value, allowed in (
        ("iops", storage.iops, limits.iops),
        ("throughput", storage.throughput, limits.throughput),
    ):
        if value is None:
            findings.add((*_HERE, name), f"is missing; {storage.type} needs it: {allowed}", reads=kind)
        elif not _within(allowed, value):
            findings.add((*_HERE, name), f"{value} is not possible with {storage.type}; allowed: {allowed}", reads=kind)


def _within(allowed: Range, value: int) -> bool:
    return allowed.least <= value <= allowed.most


def _listed(values: Iterable[object]) -> str:
    return ", ".join(map(str, values))
