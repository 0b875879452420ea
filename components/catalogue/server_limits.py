"""What a flexible server of a given size can take: memory, connections, disk operations.

Sources: MicrosoftDocs/azure-databases-docs, "Compute options" (2026-01: memory and IOPS of each size), "Limits"
(2025-11: connections by size, the 15 that are reserved, when a disk turns read-only), "Storage options" (IOPS of each
performance tier). Where a table has exceptions, the lower number is taken, for what is made of these are alarms.
"""

from __future__ import annotations

import re
from typing import NamedTuple

RESERVED_CONNECTIONS = 15
READ_ONLY_FREE_GIB = 5.0
READ_ONLY_FREE_SHARE = 0.05

_BURSTABLE_MEMORY_GIB = {"1ms": 2, "2s": 4, "2ms": 8, "4ms": 16, "8ms": 32, "12ms": 48, "16ms": 64, "20ms": 80}
_BURSTABLE_IOPS = {"1ms": 640, "2s": 1280, "2ms": 1920, "4ms": 2880}
_LARGE_BURSTABLE_IOPS = 4320
_MEMORY_GIB_PER_VCORE = {"D": 4, "E": 8}
_IOPS_PER_VCORE = {"ads_v6": 1800, "ds_v6": 2083}
_OLDER_IOPS_PER_VCORE = 1600
_MOST_IOPS = 80_000
_CONNECTIONS_BY_MEMORY_GIB = {2: 50, 4: 429, 8: 859, 16: 1718, 32: 3437}
_MOST_CONNECTIONS = 5000

# Size of a Premium SSD in GiB -> its performance tier, and what each tier does.
DEFAULT_TIERS = {
    32: "P4", 64: "P6", 128: "P10", 256: "P15", 512: "P20", 1024: "P30", 2048: "P40", 4095: "P50", 4096: "P50",
    8192: "P60", 16384: "P70", 32767: "P80",
}  # fmt: skip
TIER_IOPS = {
    "P4": 120, "P6": 240, "P10": 500, "P15": 1100, "P20": 2300, "P30": 5000, "P40": 7500, "P50": 7500, "P60": 16000,
    "P70": 18000, "P80": 20000,
}  # fmt: skip
LARGEST_WITH_P50 = 4096  # a disk of up to this size in GiB can be raised to P50; a larger one to P80

_SIZE = re.compile(r"Standard_([BDE])(\d+)(\w*)")


class Compute(NamedTuple):
    """What a machine computes with: processors, and memory in GiB."""

    vcores: int
    memory_gib: int


def compute(sku_name: str) -> Compute:
    """Return a machine size's processors and memory.

    Raises:
        ValueError: it is no size of a flexible server.
    """
    return Compute(_parts(sku_name)[1], _memory_gib(sku_name))


def max_connections(sku_name: str) -> int:
    """Return the default of `max_connections`; of these, RESERVED_CONNECTIONS are not for users."""
    return _CONNECTIONS_BY_MEMORY_GIB.get(_memory_gib(sku_name), _MOST_CONNECTIONS)


def iops(sku_name: str, storage_gb: int, tier: str | None = None, provisioned: int | None = None) -> int:
    """Return the disk operations a second that machine and disk can do together.

    Args:
        sku_name: machine size.
        storage_gb: size of the disk in GiB.
        tier: performance tier of the disk; that of its size when None.
        provisioned: operations of a disk that has no tier.
    """
    return min(_machine_iops(sku_name), provisioned or TIER_IOPS[tier or DEFAULT_TIERS[storage_gb]])


def read_only_free_gib(storage_gb: int) -> float:
    """Return how much of the storage is free when the server turns read-only: 5 % or 5 GiB, whichever is more."""
    return max(READ_ONLY_FREE_GIB, storage_gb * READ_ONLY_FREE_SHARE)


def _parts(sku_name: str) -> tuple[str, int, str]:
    match = _SIZE.fullmatch(sku_name)
    if match is None:
        raise ValueError(f"{sku_name!r} is no size of a flexible server")
    return match[1], int(match[2]), match[3]


def _memory_gib(sku_name: str) -> int:
    family, vcores, rest = _parts(sku_name)
    if family == "B":
        return _BURSTABLE_MEMORY_GIB[f"{vcores}{rest}"]
    return vcores * _MEMORY_GIB_PER_VCORE[family]


def _machine_iops(sku_name: str) -> int:
    family, vcores, rest = _parts(sku_name)
    if family == "B":
        return _BURSTABLE_IOPS.get(f"{vcores}{rest}", _LARGE_BURSTABLE_IOPS)
    return min(_MOST_IOPS, vcores * _IOPS_PER_VCORE.get(rest, _OLDER_IOPS_PER_VCORE))
