"""AiAccounts: Azure OpenAI with its model deployments, Language, and the server's right to call them.

Deployments of one account go one after another, for a second one at the same time is refused (azurerm #22607); they
are deleted in the same order backwards. Without keys the server's own identity calls the accounts, and local
authentication is off.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pulumi
from pulumi_azure_native import authorization
from pulumi_azure_native import cognitiveservices as cs

from components.ai_settings import AiSettings, DeploymentSettings
from components.computed import computed, group_and_name, in_preview, name_of
from components.naming import role_assignment_name

# Built-in roles; source: Microsoft Learn, "Azure built-in roles".
OPENAI_USER = "5e0bd9bd-7b93-4f28-af87-19fc36ad61bd"
COGNITIVE_USER = "a97b65f3-24c7-4388-baec-2e87135dc908"


@dataclass(frozen=True, kw_only=True)
class AiAccountsArgs:
    """What the AI accounts are made of.

    Attributes:
        resource_group_name: resource group that holds them.
        location: Azure region.
        openai_name: name and subdomain of the Azure OpenAI account, unique in the world.
        language_name: the same of the Language account.
        settings: kinds, price tiers, and whether keys are used.
        deployments: model deployments by name.
        server_principal_id: object id of the server's identity, which may call the accounts.
        tags: tags of the accounts.
    """

    resource_group_name: pulumi.Input[str]
    location: pulumi.Input[str]
    openai_name: pulumi.Input[str]
    language_name: pulumi.Input[str]
    settings: AiSettings
    deployments: Mapping[str, DeploymentSettings]
    server_principal_id: pulumi.Input[str]
    tags: Mapping[str, str] = field(default_factory=dict)


class AiAccounts(pulumi.ComponentResource):
    """The accounts that `azure_ai` calls. Only the server's identity gets a role; people get none.

    Attributes:
        openai_endpoint: endpoint of the Azure OpenAI account.
        language_endpoint: endpoint of the Language account, or None without one.
        openai_key: a key (a secret), or None with the identity.
        language_key: the same of the Language account.
        ready: resources to wait for before the first call.
        exports: what the stack says about the accounts; no key.
    """

    openai_endpoint: pulumi.Output[str]
    language_endpoint: pulumi.Output[str] | None
    openai_key: pulumi.Output[str] | None
    language_key: pulumi.Output[str] | None
    ready: list[pulumi.Resource]
    exports: dict[str, Any]

    def __init__(self, name: str, args: AiAccountsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("pgai:ai:AiAccounts", name, {}, opts)
        self._name, self._args = name, args
        self._keys = args.settings.authentication == "keys"
        self.ready = []
        openai = self._account("openai", args.openai_name, args.settings.openai.kind, args.settings.openai.sku)
        self._deployments(openai)
        self.openai_endpoint, self.openai_key = self._access("openai", openai, OPENAI_USER)
        self.language_endpoint = self.language_key = language_id = None
        if args.settings.language.enabled:
            language = self._account("language", args.language_name, "TextAnalytics", args.settings.language.sku)
            self.language_endpoint, self.language_key = self._access("language", language, COGNITIVE_USER)
            language_id = language.id
        self.exports = {
            "openaiId": openai.id,
            "languageId": language_id,
            "openaiEndpoint": self.openai_endpoint,
            "languageEndpoint": self.language_endpoint,
            "deployments": {deployment: wanted.model for deployment, wanted in sorted(args.deployments.items())},
        }
        self.register_outputs(self.exports)

    def _account(self, what: str, physical_name: pulumi.Input[str], kind: str, sku: str) -> cs.Account:
        account = cs.Account(
            f"{self._name}-{what}",
            resource_group_name=self._args.resource_group_name,
            account_name=physical_name,
            location=self._args.location,
            tags=dict(self._args.tags),
            kind=kind,
            sku=cs.SkuArgs(name=sku),
            # What an account reads elsewhere, a key of its own for example, it reads with this (Azure Policy fe3fd216).
            identity=cs.IdentityArgs(type="SystemAssigned"),
            properties=cs.AccountPropertiesArgs(
                custom_sub_domain_name=physical_name,
                disable_local_auth=not self._keys,
                public_network_access="Enabled",
            ),
            opts=pulumi.ResourceOptions(
                parent=self,
                # Azure refuses to change either in place; the provider does not know it.
                replace_on_changes=["kind", "properties.customSubDomainName"],
            ),
        )
        self.ready.append(account)
        return account

    def _deployments(self, account: cs.Account) -> None:
        previous: pulumi.Resource = account
        for deployment_name, wanted in sorted(self._args.deployments.items()):
            previous = cs.Deployment(
                f"{self._name}-deployment-{deployment_name}",
                resource_group_name=self._args.resource_group_name,
                account_name=name_of(account),
                deployment_name=deployment_name,
                sku=cs.SkuArgs(name=wanted.sku, capacity=wanted.capacity),
                properties=cs.DeploymentPropertiesArgs(
                    model=cs.DeploymentModelArgs(format="OpenAI", name=wanted.model, version=wanted.model_version),
                    # A new version by itself would mix two vector spaces in one column.
                    version_upgrade_option="NoAutoUpgrade" if wanted.facts.embeds else "OnceCurrentVersionExpired",
                    rai_policy_name="Microsoft.DefaultV2",  # Azure fills it in otherwise, and that reads as drift
                ),
                opts=pulumi.ResourceOptions(
                    parent=self,
                    depends_on=[previous],
                    deleted_with=account,
                    replace_on_changes=["properties.model.name", "properties.model.format", "sku.name"],
                    delete_before_replace=True,
                ),
            )
            self.ready.append(previous)

    def _access(
        self, what: str, account: cs.Account, role: str
    ) -> tuple[pulumi.Output[str], pulumi.Output[str] | None]:
        """Return an account's endpoint and, where keys are used, a key; else give the server its role."""
        endpoint = computed(account, account.properties, "endpoint", _endpoint)
        if self._keys:
            # The provider does not mark keys as secrets (pulumi-azure-native #1693).
            # In a preview of a stack that turns to keys, the account still refuses to list them: then they are unknown.
            return endpoint, pulumi.Output.secret(
                account.id.apply(partial(in_preview, partial(_key, self._args.settings.key_in_use)))
            )
        principal = pulumi.Output.from_input(self._args.server_principal_id)
        assignment = authorization.RoleAssignment(
            f"{self._name}-{what}-role",
            scope=account.id,
            principal_id=principal,
            # Without the type, Azure looks the principal up and fails while the directory lags (PrincipalNotFound).
            principal_type="ServicePrincipal",
            role_definition_id=account.id.apply(lambda scope: role_definition_id(scope, role)),
            role_assignment_name=pulumi.Output.all(account.id, principal).apply(
                lambda known: role_assignment_name(known[0], known[1], role)
            ),
            opts=pulumi.ResourceOptions(
                parent=self,
                deleted_with=account,
                # Azure answers a changed role with RoleAssignmentUpdateNotPermitted (pulumi-azure-native #771).
                replace_on_changes=["roleDefinitionId"],
            ),
        )
        self.ready.append(assignment)
        return endpoint, None


def _endpoint(account_id: str) -> str:
    group, account = group_and_name(account_id)
    found = cs.get_account(account_name=account, resource_group_name=group)
    return str(found.properties.endpoint)


def _key(number: int, account_id: str) -> str:
    """Return the first or the second of an account's keys, both of which are always good."""
    group, account = group_and_name(account_id)
    keys = cs.list_account_keys(account_name=account, resource_group_name=group)
    return str(keys.key1 if number == 1 else keys.key2)


def role_definition_id(scope: str, role: str) -> str:
    """Return the full id of a built-in role, in the subscription that an ARM id names."""
    subscription = scope.split("/")[2]
    return f"/subscriptions/{subscription}/providers/Microsoft.Authorization/roleDefinitions/{role}"
