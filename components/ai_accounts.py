"""AiAccounts: Azure OpenAI with its model deployments, Language, and the server's right to call them.

What changes an account goes one after another, for a second change at the same time is refused (azurerm #22607):
content filters -> deployments -> private endpoint; deletes go the same way backwards. The endpoint is last because the
network still sees an account as unfinished that says it is done (azurerm #31712, bicep-registry-modules #5957). Without
keys the server's own identity calls the accounts, and local authentication is off. An account that is there is used as
it is; deployments, filters and roles in it are the stack's own, and go with the stack.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pulumi
from pulumi_azure_native import authorization
from pulumi_azure_native import cognitiveservices as cs

from components.account_hosts import LANGUAGE, host_suffixes
from components.ai_network_settings import AiNetworkSettings
from components.cloud import Cloud
from components.content_filters import content_filter
from components.found import Found
from components.found_account import FoundAccount
from components.naming import Names, role_assignment_name
from components.network import Network
from components.overwriting import refuse_to_overwrite
from components.role_assignment import role_assignment
from components.settings import StackSettings
from components.used_account import UsedAccount, account_that_is_made, account_that_is_there

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
        found: accounts that are there, and are used instead of made.
        tags: tags of the accounts, and of what is made in one that is there.
    """

    resource_group_name: pulumi.Input[str]
    location: pulumi.Input[str]
    names: Names
    settings: StackSettings
    server_principal_id: pulumi.Input[str]
    cloud: Cloud
    network: Network | None = None
    found: Found = field(default_factory=Found)
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
        wanted = self._ai.openai
        openai = self._account("openai", args.names.openai, wanted.kind, wanted.sku, args.found.openai)
        last = self._deployments(openai)
        self.openai_endpoint, self.openai_key = self._access("openai", openai, OPENAI_USER)
        last = self._private_endpoint("openai", openai, last)
        self.language_endpoint = self.language_key = language_id = None
        if self._ai.language.enabled:
            sku, found = self._ai.language.sku, args.found.language
            language = self._account("language", args.names.language, LANGUAGE, sku, found)
            self.language_endpoint, self.language_key = self._access("language", language, COGNITIVE_USER)
            # No deployment keeps it back, so it waits for the other account's: the network learns of an account late.
            self._private_endpoint("language", language, [*language.resources, *last])
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

    def _account(
        self, what: str, physical_name: pulumi.Input[str], kind: str, sku: str, found: FoundAccount | None
    ) -> UsedAccount:
        """Return the account that is there, or else make one."""
        if found is not None:
            return account_that_is_there(found)
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
        return account_that_is_made(account, self._args.resource_group_name, kind)

    def _private_endpoint(self, what: str, account: UsedAccount, after: list[pulumi.Resource]) -> list[pulumi.Resource]:
        """Give an account its private endpoint where there is a network; return what comes last of the account."""
        if self._args.network is None or not self._args.settings.accounts_have_endpoints:
            return after
        # In the stack's own group and subscription, wherever the account is.
        options = pulumi.ResourceOptions(parent=self, depends_on=after)
        suffixes = host_suffixes(account.kind, self._args.cloud)
        last = self._args.network.endpoint(
            f"{self._name}-{what}-endpoint", what, account.id, "account", suffixes, options
        )
        self.ready.append(last)
        return [last]

    def _content_filters(self, account: UsedAccount) -> list[pulumi.Resource]:
        """Create the content filters one after another; return what the first deployment waits for."""
        last = account.resources
        for filter_name, wanted in sorted(self._ai.content_filters.items()):
            created = cs.RaiPolicy(
                f"{self._name}-content-filter-{filter_name}",
                resource_group_name=account.group,
                account_name=account.name,
                rai_policy_name=filter_name,
                properties=content_filter(wanted),
                tags=self._marks(account),
                opts=account.child(self, *last),
            )
            ask = partial(cs.get_rai_policy, rai_policy_name=filter_name)
            way_out = "Choose another name under ai.contentFilters"
            self._refuse_to_overwrite(created, f"content filter {filter_name}", ask, way_out)
            last = [created]
        return last

    def _deployments(self, account: UsedAccount) -> list[pulumi.Resource]:
        last = self._content_filters(account)
        for deployment_name, wanted in sorted(self._args.settings.deployments.items()):
            if wanted.existing:
                continue
            created = cs.Deployment(
                f"{self._name}-deployment-{deployment_name}",
                resource_group_name=account.group,
                account_name=account.name,
                deployment_name=deployment_name,
                sku=cs.SkuArgs(name=wanted.sku, capacity=wanted.capacity),
                properties=cs.DeploymentPropertiesArgs(
                    model=cs.DeploymentModelArgs(format="OpenAI", name=wanted.model, version=wanted.model_version),
                    version_upgrade_option=wanted.version_upgrade,
                    rai_policy_name=wanted.content_filter,  # Azure fills it in otherwise, and that reads as drift
                ),
                tags=self._marks(account),
                opts=pulumi.ResourceOptions.merge(
                    account.child(self, *last),
                    pulumi.ResourceOptions(
                        replace_on_changes=["properties.model.name", "properties.model.format", "sku.name"],
                        delete_before_replace=True,
                    ),
                ),
            )
            ask = partial(cs.get_deployment, deployment_name=deployment_name)
            way_out = (
                f"Set deployments.{deployment_name}.existing: true to use it as it is, or choose another name for the"
                " stack's own"
            )
            self._refuse_to_overwrite(created, f"deployment {deployment_name}", ask, way_out)
            self.ready.append(created)
            last = [created]
        return last

    def _marks(self, account: UsedAccount) -> dict[str, str] | None:
        """Return tags that tell the stack's own from others' in an account that others use too."""
        return dict(self._args.tags) if account.made is None else None

    def _refuse_to_overwrite(
        self, created: pulumi.CustomResource, what: str, ask: Callable[..., Any], way_out: str
    ) -> None:
        """Refuse to write over what others made in an account that is there."""
        found = self._args.found.openai
        if found is None:
            return
        marks = {tag: self._args.tags[tag] for tag in ("project", "stack")}
        refuse_to_overwrite(
            created,
            f"{what} of {found.name}",
            partial(ask, account_name=found.name, resource_group_name=found.group, opts=found.asked),
            way_out,
            ours=lambda there: marks.items() <= (there.tags or {}).items(),
        )

    def _access(
        self, what: str, account: UsedAccount, role: str
    ) -> tuple[pulumi.Output[str], pulumi.Output[str] | None]:
        """Return an account's endpoint and, where keys are used, a key; else give the server its role."""
        if self._keys:
            return account.endpoint, account.key(self._ai.key_in_use)
        if self._ai.assign_roles:
            self._right(f"{self._name}-{what}-role", account, self._args.server_principal_id, role)
            for replica, principal_id in self._args.replica_principal_ids.items():
                self._right(f"{self._name}-{what}-role-{replica}", account, principal_id, role)
        return account.endpoint, None

    def _right(self, name: str, account: UsedAccount, principal_id: pulumi.Input[str], role: str) -> None:
        options = pulumi.ResourceOptions(parent=self, deleted_with=account.made)
        given = role_assignment(name, account.id, principal_id, role, options)
        self.ready.append(given)
        if isinstance(account.id, str) and isinstance(principal_id, str):  # account and server were there before
            assignment = role_assignment_name(account.id, principal_id, role)
            refuse_to_overwrite(
                given,
                f"the role of {principal_id} on {account.name}",
                partial(authorization.get_role_assignment, role_assignment_name=assignment, scope=account.id),
                "Set ai.assignRoles: false, since the server's identity may call the account already",
                ours=lambda _: False,
            )


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
