"""Settings of a machine's size."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from components.catalogue.server_sizes import TIERS
from components.section import Section, one_of


class Sku(Section):
    """Size of the server's machine."""

    name: str = Field(default="Standard_B2s", description="Machine size, such as Standard_B2s or Standard_D2ds_v5.")
    tier: Annotated[str, AfterValidator(one_of(*TIERS))] = Field(
        default="Burstable", description=f"Tier that the size belongs to: {', '.join(TIERS)}."
    )
