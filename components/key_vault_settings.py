"""Settings of the key vault that applications read the stack's secrets from."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from components.section import Guid, Listed, Section, one_of


class SecretReader(Section):
    """A principal that may read the secrets."""

    object_id: Guid = Field(
        examples=["00000000-0000-0000-0000-000000000000"], description="Object id of the principal (a GUID)."
    )
    type: Annotated[str, AfterValidator(one_of("User", "Group", "ServicePrincipal"))] = Field(
        default="ServicePrincipal", description="User, Group or ServicePrincipal (managed identities are the last)."
    )


class KeyVaultSettings(Section):
    """A vault with the database's password and the keys of the AI accounts, for applications."""

    enabled: bool = Field(default=False, description="Whether it is created; only where there is a secret to keep.")
    readers: Listed[SecretReader] = Field(default=(), description="Who may read the secrets: {objectId, type}.")
    retention_days: int = Field(
        default=90, ge=7, le=90, description="Days that a deleted secret, or the vault, can be brought back; fixed."
    )
    public_access: bool = Field(
        default=True, description="Whether the vault answers on the internet, to those who may read it."
    )
