"""Settings of the network: how the server is reached, and the addresses of what is created for that."""

from __future__ import annotations

from ipaddress import IPv4Network
from typing import Literal

from pydantic import Field, field_validator

from components.catalogue.address_ranges import PRIVATE, SHARED
from components.section import Section

# A quarter of the space is a subnet. The smallest that a server takes is a /28 (azure-databases-docs, "Network with
# private access"), the smallest that a Container Apps environment takes a /27 (azure-docs, "Custom virtual networks").
_PREFIXES = range(8, 26)
_ALLOWED = (*PRIVATE, SHARED)

Mode = Literal["public", "private-endpoint", "injected"]


class NetworkSettings(Section):
    """How the server is reached: from inside of a network alone, unless the stack says `public`."""

    mode: Mode = Field(
        default="private-endpoint",
        description="public (firewall), private-endpoint or injected (the server lies in a subnet). A server neither"
        " enters a subnet nor leaves it.",
    )
    address_space: IPv4Network = Field(
        default=IPv4Network("10.40.0.0/22"),
        description="Range of the virtual network: /8 to /25, private, unlike those that it is peered with. Fixed.",
    )

    @field_validator("address_space")
    @classmethod
    def _private(cls, value: IPv4Network) -> IPv4Network:
        if value.prefixlen not in _PREFIXES or not any(value.subnet_of(space) for space in _ALLOWED):
            raise ValueError(
                f"{value} is not allowed; allowed: /{_PREFIXES[0]} to /{_PREFIXES[-1]} within"
                f" {', '.join(map(str, _ALLOWED))}"
            )
        return value

    @property
    def private(self) -> bool:
        """Say whether the server is closed to the internet."""
        return self.mode != "public"

    @property
    def server_range(self) -> IPv4Network:
        """Return the range of the subnet that the server lies in."""
        return self._quarter(0)

    @property
    def endpoint_range(self) -> IPv4Network:
        """Return the range of the subnet that private endpoints lie in."""
        return self._quarter(1)

    @property
    def worker_range(self) -> IPv4Network:
        """Return the range that is kept for workers in containers."""
        return self._quarter(2)

    def _quarter(self, number: int) -> IPv4Network:
        return list(self.address_space.subnets(prefixlen_diff=2))[number]
