"""Settings of identities that the server is given, and of the keys that encrypt its disks and backups."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from components.section import Section, matching

IdentityId = Annotated[
    str,
    AfterValidator(
        matching(
            r"/subscriptions/[^/]+/resource[gG]roups/[^/]+/providers/Microsoft\.ManagedIdentity"
            r"/userAssignedIdentities/[^/]+",
            "the ARM id of a user-assigned identity (`az identity show --query id`)",
        )
    ),
]
KeyUri = Annotated[
    str,
    AfterValidator(
        matching(
            r"https://[^/]+/keys/[A-Za-z0-9-]+(/[0-9a-f]{32})?",
            "the address of a key, https://<vault>/keys/<name>, with or without a version",
        )
    ),
]


class EncryptionSettings(Section):
    """Keys of your own instead of the service's. Chosen once: Azure refuses to change who manages the keys later.

    Source: azure-databases-docs, "Data encryption at rest". The vault needs purge protection, the identity the role Key
    Vault Crypto Service Encryption User on the key, both before the server is made. Without the key nobody reads the
    data: not you, not Azure.
    """

    key_uri: KeyUri = Field(
        examples=["https://vault/keys/disk"],
        description="Address of the RSA key, in Key Vault or Managed HSM. Without a version, Azure follows the newest.",
    )
    identity_id: IdentityId = Field(
        examples=["/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/i"],
        description="ARM id of the user-assigned identity that may use the key.",
    )
    geo_key_uri: KeyUri | None = Field(
        default=None, description="The same for the geo-redundant backup: a key in the paired region."
    )
    geo_identity_id: IdentityId | None = Field(
        default=None, description="ARM id of the identity that may use that key; it lies in the paired region too."
    )

    @property
    def identities(self) -> tuple[str, ...]:
        """Return the identities that the keys are used with."""
        return tuple(one for one in (self.identity_id, self.geo_identity_id) if one is not None)
