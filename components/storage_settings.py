"""Settings of the server's disk: its type, and how fast it is."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from components.catalogue.server_limits import TIER_IOPS
from components.catalogue.server_sizes import STORAGE_TYPES
from components.section import Section, one_of


class StorageSettings(Section):
    """How fast the disk is; `server.storageGb` and `server.autoGrow` say how large."""

    type: Annotated[str, AfterValidator(one_of(*STORAGE_TYPES))] = Field(
        default="Premium_LRS",
        description=f"Type of disk: {', '.join(STORAGE_TYPES)}. Chosen once: Azure refuses to change it later.",
    )
    tier: Annotated[str, AfterValidator(one_of(*TIER_IOPS))] | None = Field(
        default=None,
        description="Performance tier of a Premium_LRS disk, P4 to P80; that of its size when left out."
        " Azure changes it once in 12 hours.",
    )
    iops: int | None = Field(
        default=None, description="Operations a second of a PremiumV2_LRS or UltraSSD_LRS disk, which needs them."
    )
    throughput: int | None = Field(
        default=None, description="MB a second of a PremiumV2_LRS or UltraSSD_LRS disk, which needs them."
    )

    @property
    def provisioned(self) -> bool:
        """Say whether size, operations and throughput are bought one by one."""
        return self.type != "Premium_LRS"
