"""Settings that name what is there already: it is used and neither created, changed nor deleted."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from components.section import Listed, Section, matching

_GROUP = r"(?i:/subscriptions/[^/]+/resourceGroups/[^/]+)"
_NETWORK = rf"{_GROUP}(?i:/providers/Microsoft\.Network)"

GroupId = Annotated[str, AfterValidator(matching(_GROUP, "the id of a resource group (`az group show --query id`)"))]
SubnetId = Annotated[
    str,
    AfterValidator(
        matching(
            rf"{_NETWORK}(?i:/virtualNetworks)/[^/]+(?i:/subnets)/[^/]+",
            "the id of a subnet (`az network vnet subnet show --query id`)",
        )
    ),
]
ZoneId = Annotated[
    str,
    AfterValidator(
        matching(
            rf"{_NETWORK}(?i:/privateDnsZones)/[^/]+",
            "the id of a private DNS zone (`az network private-dns zone show --query id`)",
        )
    ),
]
AccountId = Annotated[
    str,
    AfterValidator(
        matching(
            rf"{_GROUP}(?i:/providers/Microsoft\.CognitiveServices/accounts)/[^/]+",
            "the id of an AI account (`az cognitiveservices account show --query id`)",
        )
    ),
]
ServerId = Annotated[
    str,
    AfterValidator(
        matching(
            rf"{_GROUP}(?i:/providers/Microsoft\.DBforPostgreSQL/flexibleServers)/[^/]+",
            "the id of a flexible server (`az postgres flexible-server show --query id`)",
        )
    ),
]


class ExistingSettings(Section):
    """What is there already and is used instead of created. The program never changes or deletes it."""

    resource_group: GroupId | None = Field(
        default=None, description="Resource group for everything, by id; of the subscription that `up` works in."
    )
    server: ServerId | None = Field(
        default=None,
        description="The flexible server, by id; read, never changed. The stack's own is what is inside its database.",
    )
    openai_account: AccountId | None = Field(
        default=None,
        description="The Azure OpenAI account (or AIServices, see ai.openai.kind), by id, of any subscription.",
    )
    language_account: AccountId | None = Field(default=None, description="The Language account, by id.")
    server_subnet: SubnetId | None = Field(
        default=None,
        description="Subnet of the server, by id; delegated to it, in its region. For network.mode injected.",
    )
    endpoint_subnet: SubnetId | None = Field(
        default=None, description="Subnet of private endpoints, by id; not delegated. No network is created then."
    )
    dns_zones: Listed[ZoneId] = Field(
        default=(),
        description="Private DNS zones, by id, that their owner has linked to the network; others are created.",
    )

    @property
    def zone_ids(self) -> dict[str, str]:
        """Return the zones' ids by their names."""
        return {zone.rpartition("/")[2].lower(): zone for zone in self.dns_zones}

    @property
    def any_service(self) -> bool:
        """Say whether a server or an account is given, which the program has to read first."""
        return any((self.server, self.openai_account, self.language_account))

    @property
    def network_id(self) -> str | None:
        """Return the id of the network that the subnets are part of."""
        subnet = self.endpoint_subnet or self.server_subnet
        return subnet.rpartition("/")[0].rpartition("/")[0] if subnet else None
