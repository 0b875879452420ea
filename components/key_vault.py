"""KeyVault: the stack's secrets, where applications read them; for stacks that use a password or keys.

Rights come from Azure roles, never from access policies. What is deleted can be brought back (soft delete), and
nobody can end that early (purge protection). The values are written through Resource Manager, so whoever runs `pulumi
up` needs no right to read secrets.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pulumi
from pulumi_azure_native import keyvault

from components.computed import name_of
from components.key_vault_settings import KeyVaultSettings
from components.role_assignment import role_assignment

# Built-in role "Key Vault Secrets User"; source: Microsoft Learn, "Azure built-in roles".
SECRETS_USER = "4633458b-17de-408a-b874-0445c86b69e6"


@dataclass(frozen=True, kw_only=True)
class KeyVaultArgs:
    """What a key vault is made of.

    Attributes:
        resource_group_name: resource group that holds it.
        location: Azure region.
        vault_name: physical name, unique in the world; at most 24 characters.
        tenant_id: directory of those who read.
        settings: who reads, and from where.
        secrets: values by name (letters, digits and hyphens).
        tags: tags of the vault.
    """

    resource_group_name: pulumi.Input[str]
    location: pulumi.Input[str]
    vault_name: pulumi.Input[str]
    tenant_id: pulumi.Input[str]
    settings: KeyVaultSettings
    secrets: Mapping[str, pulumi.Input[str]]
    tags: Mapping[str, str] = field(default_factory=dict)


class KeyVault(pulumi.ComponentResource):
    """A vault, its secrets, and who may read them. A private endpoint to it is the network's.

    Attributes:
        vault: the vault, for a private endpoint.
        exports: address of the vault and names of its secrets; no value.
    """

    vault: keyvault.Vault
    exports: dict[str, object]

    def __init__(self, name: str, args: KeyVaultArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("pgai:secrets:KeyVault", name, {}, opts)
        self._name, self._args = name, args
        self.vault = self._vault()
        for secret, value in sorted(args.secrets.items()):
            self._secret(secret, value)
        for reader in args.settings.readers:
            self._reader(reader.object_id, reader.type)
        self.exports = {"keyVaultName": name_of(self.vault), "keyVaultSecrets": sorted(args.secrets)}
        self.register_outputs(self.exports)

    def _vault(self) -> keyvault.Vault:
        public = self._args.settings.public_access
        return keyvault.Vault(
            f"{self._name}-vault",
            resource_group_name=self._args.resource_group_name,
            vault_name=self._args.vault_name,
            location=self._args.location,
            properties=keyvault.VaultPropertiesArgs(
                tenant_id=self._args.tenant_id,
                sku=keyvault.SkuArgs(family="A", name="standard"),
                enable_rbac_authorization=True,
                enable_soft_delete=True,
                soft_delete_retention_in_days=self._args.settings.retention_days,
                enable_purge_protection=True,
                public_network_access="Enabled" if public else "Disabled",
                network_acls=keyvault.NetworkRuleSetArgs(
                    # Resource Manager, which writes the secrets, is one of Azure's services that pass.
                    bypass="AzureServices",
                    default_action="Allow" if public else "Deny",
                ),
            ),
            tags=dict(self._args.tags),
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _secret(self, secret: str, value: pulumi.Input[str]) -> None:
        keyvault.Secret(
            f"{self._name}-{secret}",
            resource_group_name=self._args.resource_group_name,
            vault_name=name_of(self.vault),
            secret_name=secret,
            properties=keyvault.SecretPropertiesArgs(value=pulumi.Output.secret(value)),
            # With the vault, for a delete of its own would need a right in the vault itself.
            opts=pulumi.ResourceOptions(parent=self, deleted_with=self.vault),
        )

    def _reader(self, object_id: str, kind: str) -> None:
        options = pulumi.ResourceOptions(parent=self, deleted_with=self.vault)
        name = f"{self._name}-reader-{object_id}"
        role_assignment(name, self.vault.id, object_id, SECRETS_USER, options, principal_type=kind)
