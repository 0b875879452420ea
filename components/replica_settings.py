"""Settings of read replicas, and of the virtual endpoint that leads to whichever server has which role."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

from components.availability_settings import Zone
from components.section import Region, Section, decode_json, matching
from components.sku_settings import Sku

MAXIMUM_REPLICAS = 5
_NAME = r"[a-z]([a-z0-9-]{0,10}[a-z0-9])?"  # with the primary's name before it, at most Azure's 63 characters

ReplicaName = Annotated[
    str, AfterValidator(matching(_NAME, "1 to 12 lower-case letters, digits or hyphens, a letter first"))
]


class ReplicaSettings(Section):
    """A server of its own that follows the primary and is read from; what is left out is as the primary has it."""

    location: Region | None = Field(default=None, description="Azure region; a far one takes hours to be made.")
    sku: Sku | None = Field(
        default=None,
        description="Machine size and tier; at least the primary's. To scale up, name the larger size here and run"
        " `up`, then the primary's: Azure refuses a primary that is larger than a replica.",
    )
    storage_gb: int | None = Field(default=None, description="Storage in GiB, at least the primary's; as with sku.")
    zone: Zone | None = Field(default=None, description="Availability zone, when the replica is created: 1, 2 or 3.")


NamedReplicas = Annotated[dict[ReplicaName, ReplicaSettings], BeforeValidator(decode_json)]


class VirtualEndpointSettings(Section):
    """Two host names that stay: <name>.writer leads to the primary, <name>.reader to a replica."""

    name: Annotated[
        str,
        AfterValidator(
            matching(r"(?=.{3,63}$)[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?", "3 to 63 letters, digits or hyphens")
        ),
    ] = Field(examples=["contracts-db"], description="First part of the names; unique in Azure. A change replaces it.")
    replica: str | None = Field(
        default=None, description="The replica that is read from, by its name here; the primary when left out."
    )
