"""Tiers, SKU names, storage sizes and versions of flexible servers.

Sources: the validators of terraform-provider-azurerm (postgresql_flexible_server_resource, 2026-08) and the REST
specification Microsoft.DBforPostgreSQL 2025-08-01; azure-databases-docs, "Premium SSD v2" (2026-01). What one region
offers to one subscription is known only there.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

VERSIONS = ("14", "15", "16", "17", "18")

STORAGE_GB = (32, 64, 128, 256, 512, 1024, 2048, 4095, 4096, 8192, 16384, 32767)

STORAGE_TYPES = ("Premium_LRS", "PremiumV2_LRS", "UltraSSD_LRS")


@dataclass(frozen=True)
class Range:
    """Whole numbers from `least` to `most`."""

    least: int
    most: int

    def __str__(self) -> str:
        return f"{self.least} to {self.most}"


@dataclass(frozen=True)
class ProvisionedStorage:
    """What a disk can be whose size (GiB), operations a second and throughput (MB a second) are bought one by one."""

    storage_gb: Range
    iops: Range
    throughput: Range


PROVISIONED_STORAGE = {
    "PremiumV2_LRS": ProvisionedStorage(Range(32, 65536), Range(3000, 80_000), Range(125, 1200)),
    # The limits are those of Azure's Ultra disks; whether a server has them all is unverified.
    "UltraSSD_LRS": ProvisionedStorage(Range(32, 65536), Range(100, 400_000), Range(1, 10_000)),
}

BACKUP_DAYS = (7, 35)

# Which names each tier takes, with an example for the message.
TIERS: dict[str, tuple[re.Pattern[str], str]] = {
    "Burstable": (re.compile(r"^Standard_B(1ms|2s|(2|4|8|12|16|20)ms)$"), "Standard_B2s"),
    "GeneralPurpose": (re.compile(r"^Standard_D\d{1,3}(a?ds|s)_v[3-6]$"), "Standard_D2ds_v5"),
    "MemoryOptimized": (re.compile(r"^Standard_E\d{1,3}(a?ds|s|ids)_v[3-6]$"), "Standard_E2ds_v5"),
}


def tier_of(sku_name: str) -> str | None:
    """Return the tier that a SKU name belongs to, or None when no tier knows it."""
    for tier, (pattern, _) in TIERS.items():
        if pattern.match(sku_name):
            return tier
    return None
