"""An AI account that is there: what was read of it, and what stands in the way of using it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial

import pulumi
from pulumi_azure_native import cognitiveservices as cs

from components.account_hosts import LANGUAGE
from components.ai_settings import DeploymentSettings
from components.asking import read, read_if_there
from components.catalogue.models import DEPLOYMENT_SKUS
from components.computed import group_and_name
from components.mistakes import Mistake
from components.settings import StackSettings

_OPENAI_KINDS = ("OpenAI", "AIServices")
_COMPARED = ("version", "sku", "capacity")


@dataclass(frozen=True, kw_only=True)
class FoundDeployment:
    """A deployment that is there; `capacity` is in thousands of tokens a minute."""

    model: str
    version: str
    sku: str
    capacity: int


@dataclass(frozen=True, kw_only=True)
class FoundAccount:
    """An account as it is.

    Attributes:
        setting: config path that names it.
        id: its ARM id as the service spells it.
        kind: OpenAI, AIServices, TextAnalytics, ...
        location: its region.
        endpoint: where it answers.
        subdomain: its own host name's first part, or None where it has the region's endpoint alone.
        takes_keys: whether local authentication is on.
        public: whether it answers on the internet.
        deployments: of those that the settings call existing, the ones that are there.
        provider: provider for its subscription, or None for the default one.
    """

    setting: str
    id: str
    kind: str
    location: str
    endpoint: str
    subdomain: str | None
    takes_keys: bool
    public: bool
    deployments: Mapping[str, FoundDeployment] = field(default_factory=dict)
    provider: pulumi.ProviderResource | None = None

    @property
    def group(self) -> str:
        """Return the name of its resource group."""
        return group_and_name(self.id)[0]

    @property
    def name(self) -> str:
        """Return its name."""
        return group_and_name(self.id)[1]

    @property
    def asked(self) -> pulumi.InvokeOptions:
        """Return the options of a question about it."""
        return pulumi.InvokeOptions(provider=self.provider)

    def key(self, number: int) -> str:
        """Ask for the first or the second of its keys, both of which are always good."""
        keys = cs.list_account_keys(account_name=self.name, resource_group_name=self.group, opts=self.asked)
        return str(keys.key1 if number == 1 else keys.key2)

    def mistakes(self, settings: StackSettings) -> Iterator[Mistake]:
        """Yield what stands in the way, each with the way out."""
        if self.setting.endswith("openaiAccount"):
            yield from self._openai_kind(settings)
            yield from self._deployments(settings)
        elif self.kind != LANGUAGE:
            yield self._mistake(f"is an account of kind {self.kind}; allowed: {LANGUAGE}")
        if self.subdomain is None:
            yield self._mistake(
                "has no custom subdomain, without which it takes no token and no private endpoint:"
                f" `{self._set('customSubDomainName', self.name)}`"
            )
        if settings.ai.authentication == "keys" and not self.takes_keys:
            yield self._mistake(
                "takes no keys; leave ai.authentication at managed-identity, or"
                f" `{self._set('disableLocalAuth', 'false')}`"
            )
        if not (self.public or (settings.network.mode == "injected" and settings.accounts_have_endpoints)):
            yield self._mistake(
                "answers nobody on the internet, where the server would call it: the server must lie in a subnet"
                " (network.mode injected), with ai.network.privateEndpoints"
            )

    def remarks(self, settings: StackSettings) -> Iterator[str]:
        """Yield what is no mistake, and should be known."""
        if self.location != settings.location:
            yield (
                f"{self.setting}: {self.name} lies in {self.location} and the stack in {settings.location}: texts and"
                " vectors travel between the two, and quota is that of the account's region"
            )
        for name, found in sorted(self.deployments.items()):
            declared = settings.deployments[name]
            for what in _COMPARED:
                if what in declared.model_fields_set and getattr(declared, what) != getattr(found, what):
                    yield (
                        f"deployments.{name}.{what}: is {getattr(declared, what)} here and {getattr(found, what)} in"
                        f" {self.name}, which is what counts; it is not changed"
                    )

    def as_deployed(self, name: str, declared: DeploymentSettings) -> DeploymentSettings:
        """Return a deployment with what is there in place of what is declared."""
        found = self.deployments.get(name)
        if found is None:
            return declared
        return declared.model_copy(update={what: getattr(found, what) for what in _COMPARED})

    def _openai_kind(self, settings: StackSettings) -> Iterator[Mistake]:
        declared = settings.ai.openai.kind
        if self.kind not in _OPENAI_KINDS:
            yield self._mistake(f"is an account of kind {self.kind}; allowed: {', '.join(_OPENAI_KINDS)}")
        elif self.kind != declared:
            yield Mistake("ai.openai.kind", f"is {declared}, and the account {self.name} is of kind {self.kind}")

    def _deployments(self, settings: StackSettings) -> Iterator[Mistake]:
        for name, declared in settings.deployments.items():
            found, path = self.deployments.get(name), f"deployments.{name}"
            if found is None and declared.existing:
                yield Mistake(
                    f"{path}.existing",
                    f"{self.name} has no deployment {name}: `az cognitiveservices account deployment list"
                    f" --subscription {self.id.split('/')[2]} --resource-group {self.group} --name {self.name}`",
                )
                continue
            if found is None:
                continue
            if found.model != declared.model:
                yield Mistake(f"{path}.model", f"is {declared.model}, and {name} in {self.name} is {found.model}")
            if found.sku not in DEPLOYMENT_SKUS:
                yield Mistake(
                    f"{path}.existing",
                    f"{name} in {self.name} is of kind {found.sku}, whose capacity is no number of tokens a minute;"
                    f" allowed: {', '.join(DEPLOYMENT_SKUS)}",
                )

    def _mistake(self, message: str) -> Mistake:
        return Mistake(self.setting, f"{self.name} {message}")

    def _set(self, name: str, value: str) -> str:
        return f"az resource update --ids {self.id} --set properties.{name}={value}"


def read_account(
    setting: str, account_id: str, settings: StackSettings, provider: pulumi.ProviderResource | None
) -> FoundAccount:
    """Read an account and the deployments that the settings say it has.

    Raises:
        UnreadError: it is not there, or may not be read.
    """
    group, name = group_and_name(account_id)
    options = pulumi.InvokeOptions(provider=provider)
    ask = partial(cs.get_account, account_name=name, resource_group_name=group, opts=options)
    found = read(setting, account_id, ask)
    properties = found.properties
    deployments: dict[str, FoundDeployment] = {}
    for deployment, declared in settings.deployments.items():
        if declared.existing and setting.endswith("openaiAccount"):
            there = _deployment(deployment, name, group, options)
            deployments |= {deployment: there} if there is not None else {}
    return FoundAccount(
        setting=setting,
        id=str(found.id),
        kind=str(found.kind),
        location=str(found.location).lower().replace(" ", ""),
        endpoint=str(properties.endpoint),
        subdomain=properties.custom_sub_domain_name or None,
        takes_keys=not properties.disable_local_auth,
        public=properties.public_network_access != "Disabled",
        deployments=deployments,
        provider=provider,
    )


def _deployment(deployment: str, account: str, group: str, options: pulumi.InvokeOptions) -> FoundDeployment | None:
    ask = partial(
        cs.get_deployment,
        deployment_name=deployment,
        account_name=account,
        resource_group_name=group,
        opts=options,
    )
    found = read_if_there(f"deployments.{deployment}.existing", f"{account}/{deployment}", ask)
    if found is None:
        return None
    model = found.properties.model
    return FoundDeployment(
        model=str(model.name), version=str(model.version), sku=str(found.sku.name), capacity=int(found.sku.capacity)
    )
