"""AiAccounts: Azure OpenAI with its model deployments, Language, and the server's right to call them.

What changes an account goes one after another, for a second change at the same time is refused (azurerm #22607):
content filters -> deployments -> private endpoint; deletes go the same way backwards. The endpoint is last because the
network still sees an account as unfinished that says it is done (azurerm #31712, bicep-registry-modules #5957). Without
keys the server's own identity calls the accounts, and local authentication is off.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pulumi
from pulumi_azure_native import authorization
from pulumi_azure_native import cognitiveservices as cs

from components.account_hosts import LANGUAGE, host_suffixes
from components.ai_network_settings import AiNetworkSettings
from components.cloud import Cloud
from components.computed import computed, group_and_name, in_preview, name_of
from components.content_filters import content_filter
from components.naming import Names
from components.network import Network
from components.role_assignment import role_assignment
from components.settings import StackSettings

# Built-in roles; source: Microsoft Learn, "Azure built-in roles".
OPENAI_USER = "5e0bd9bd-7b93-4f28-af87-19fc36ad61bd"
COGNITIVE_USER = "a97b65f3-24c7-4388-baec-2e87135dc908"


@dataclass(frozen=True, kw_only=True)
class AiAccountsArgs:
    """What the AI accounts are made of.

    Attributes:
        resource_group_name: resource group that holds them.
        location: Azure region.
        names: physical names; an account's is its subdomain too.
        settings: the stack's settings; AI accounts and deployments are read.
        server_principal_id: object id of the server's identity, which may call the accounts.
        replica_principal_ids: the same of its read replicas, by name: a search on one makes the query's vector there.
        cloud: cloud that the accounts are in.
        network: the stack's network, or None.
        tags: tags of the accounts.
    """

    resource_group_name: pulumi.Input[str]
    location: pulumi.Input[str]
    names: Names
    settings: StackSettings
    server_principal_id: pulumi.Input[str]
    cloud: Cloud
    network: Network | None = None
    replica_principal_ids: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)
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
        self._ai = args.settings.ai
        self._keys = self._ai.authentication == "keys"
        self.ready = []
        kind = self._ai.openai.kind
        openai = self._account("openai", args.names.openai, kind, self._ai.openai.sku)
        last = self._deployments(openai)
        self.openai_endpoint, self.openai_key = self._access("openai", openai, OPENAI_USER)
        last = self._private_endpoint("openai", openai, kind, last)
        self.language_endpoint = self.language_key = language_id = None
        if self._ai.language.enabled:
            language = self._account("language", args.names.language, LANGUAGE, self._ai.language.sku)
            self.language_endpoint, self.language_key = self._access("language", language, COGNITIVE_USER)
            # No deployment keeps it back, so it waits for the other account's: the network learns of an account late.
            self._private_endpoint("language", language, LANGUAGE, language, last)
            language_id = language.id
        self.exports = {
            "openaiId": openai.id,
            "languageId": language_id,
            "openaiEndpoint": self.openai_endpoint,
            "languageEndpoint": self.language_endpoint,
            "deployments": {
                deployment: wanted.model for deployment, wanted in sorted(args.settings.deployments.items())
            },
        }
        self.register_outputs(self.exports)

    def _account(self, what: str, physical_name: pulumi.Input[str], kind: str, sku: str) -> cs.Account:
        public = self._args.settings.accounts_are_public
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
                public_network_access="Enabled" if public else "Disabled",
                network_acls=network_rules(self._ai.network, public=public),
                restrict_outbound_network_access=self._ai.network.restrict_outbound,
                allowed_fqdn_list=list(self._ai.network.outbound_hosts),
                restore=True if what in self._ai.restore else None,
            ),
            opts=pulumi.ResourceOptions(
                parent=self,
                # Azure refuses to change either in place; the provider does not know it.
                replace_on_changes=["kind", "properties.customSubDomainName"],
            ),
        )
        self.ready.append(account)
        return account

    def _private_endpoint(self, what: str, account: cs.Account, kind: str, *after: pulumi.Resource) -> pulumi.Resource:
        """Give an account its private endpoint where there is a network; return what comes last of the account."""
        if self._args.network is None or not self._args.settings.accounts_have_endpoints:
            return after[-1]
        options = pulumi.ResourceOptions(parent=self, depends_on=list(after))
        suffixes = host_suffixes(kind, self._args.cloud)
        last = self._args.network.endpoint(
            f"{self._name}-{what}-endpoint", what, account.id, "account", suffixes, options
        )
        self.ready.append(last)
        return last

    def _content_filters(self, account: cs.Account) -> pulumi.Resource:
        """Create the content filters one after another; return what the first deployment waits for."""
        previous: pulumi.Resource = account
        for filter_name, wanted in sorted(self._ai.content_filters.items()):
            previous = cs.RaiPolicy(
                f"{self._name}-content-filter-{filter_name}",
                resource_group_name=self._args.resource_group_name,
                account_name=name_of(account),
                rai_policy_name=filter_name,
                properties=content_filter(wanted),
                opts=pulumi.ResourceOptions(parent=self, depends_on=[previous], deleted_with=account),
            )
        return previous

    def _deployments(self, account: cs.Account) -> pulumi.Resource:
        previous = self._content_filters(account)
        for deployment_name, wanted in sorted(self._args.settings.deployments.items()):
            previous = cs.Deployment(
                f"{self._name}-deployment-{deployment_name}",
                resource_group_name=self._args.resource_group_name,
                account_name=name_of(account),
                deployment_name=deployment_name,
                sku=cs.SkuArgs(name=wanted.sku, capacity=wanted.capacity),
                properties=cs.DeploymentPropertiesArgs(
                    model=cs.DeploymentModelArgs(format="OpenAI", name=wanted.model, version=wanted.model_version),
                    version_upgrade_option=wanted.version_upgrade,
                    rai_policy_name=wanted.content_filter,  # Azure fills it in otherwise, and that reads as drift
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
        return previous

    def _access(
        self, what: str, account: cs.Account, role: str
    ) -> tuple[pulumi.Output[str], pulumi.Output[str] | None]:
        """Return an account's endpoint and, where keys are used, a key; else give the server its role."""
        endpoint = computed(account, account.properties, "endpoint", _endpoint)
        if self._keys:
            # The provider does not mark keys as secrets (pulumi-azure-native #1693).
            # In a preview of a stack that turns to keys, the account still refuses to list them: then they are unknown.
            return endpoint, pulumi.Output.secret(
                account.id.apply(partial(in_preview, partial(_key, self._ai.key_in_use)))
            )
        self.ready.append(self._right(f"{self._name}-{what}-role", account, self._args.server_principal_id, role))
        for replica, principal_id in self._args.replica_principal_ids.items():
            self.ready.append(self._right(f"{self._name}-{what}-role-{replica}", account, principal_id, role))
        return endpoint, None

    def _right(
        self, name: str, account: cs.Account, principal_id: pulumi.Input[str], role: str
    ) -> authorization.RoleAssignment:
        options = pulumi.ResourceOptions(parent=self, deleted_with=account)
        return role_assignment(name, account.id, principal_id, role, options)


def network_rules(wanted: AiNetworkSettings, *, public: bool) -> cs.NetworkRuleSetArgs:
    """Return an account's network rules: whom they do not name is refused, unless the account is open to all."""
    return cs.NetworkRuleSetArgs(
        default_action="Deny" if wanted.ip_rules or not public else "Allow",
        bypass="AzureServices" if wanted.trusted_services else "None",
        ip_rules=[
            # Azure writes one address without its prefix.
            cs.IpRuleArgs(value=str(rule.network_address if rule.prefixlen == rule.max_prefixlen else rule))
            for rule in wanted.ip_rules
        ],
        virtual_network_rules=[],
    )


def _endpoint(account_id: str) -> str:
    group, account = group_and_name(account_id)
    found = cs.get_account(account_name=account, resource_group_name=group)
    return str(found.properties.endpoint)


def _key(number: int, account_id: str) -> str:
    """Return the first or the second of an account's keys, both of which are always good."""
    group, account = group_and_name(account_id)
    keys = cs.list_account_keys(account_name=account, resource_group_name=group)
    return str(keys.key1 if number == 1 else keys.key2)
