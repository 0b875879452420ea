"""What a stack asks of Azure, as far as a preflight can check it: from its settings, and from its state."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from components.settings import StackSettings

_SUFFIX = "random:index/randomString:RandomString"
_SERVER = "azure-native:dbforpostgresql:Server"
_ACCOUNT = "azure-native:cognitiveservices:Account"
_DEPLOYMENT = "azure-native:cognitiveservices:Deployment"
_GROUP = "azure-native:resources:ResourceGroup"
_VAULT = "azure-native:keyvault:Vault"
_EXTENSION = "pulumi-python:dynamic/postgresql:Extension"
SERVERS = "Microsoft.DBforPostgreSQL/flexibleServers"
ACCOUNTS = "Microsoft.CognitiveServices/accounts"
ASSIGNMENTS = "Microsoft.Authorization/roleAssignments"
VAULTS = "Microsoft.KeyVault/vaults"
NETWORKS = "Microsoft.Network/virtualNetworks"
ZONES = "Microsoft.Network/privateDnsZones"
ENDPOINTS = "Microsoft.Network/privateEndpoints"
IDENTITIES = "Microsoft.ManagedIdentity/userAssignedIdentities"


@dataclass(frozen=True, kw_only=True)
class WantedDeployment:
    """A model deployment; `capacity` is in thousands of tokens a minute."""

    name: str
    model: str
    version: str | None
    sku: str
    capacity: int

    @property
    def quota(self) -> str:
        """The quota that it counts against, as `usages` names it."""
        return f"OpenAI.{self.sku}.{self.model}"


@dataclass(frozen=True, kw_only=True)
class WantedAccount:
    """An AI account; its name is its subdomain too. The name is None before the first `up` draws the suffix."""

    kind: str
    sku: str
    name: str | None
    exists: bool = False


@dataclass(frozen=True, kw_only=True)
class WantedVault:
    """A key vault. The name is None before the first `up` draws the suffix."""

    name: str | None
    exists: bool = False


@dataclass(frozen=True, kw_only=True)
class Given:
    """Something that is there and is used: the setting that names it, its id, and what must be allowed on it."""

    setting: str
    id: str
    actions: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class WantedServer:
    """A flexible server.

    Attributes:
        name: None before the first `up` draws the suffix.
        exists: whether the stack has made it.
        given: its ARM id where it was there before, and is not made.
        high_availability: Disabled, SameZone or ZoneRedundant.
        zones: the zones that the settings name.
    """

    name: str | None
    exists: bool = False
    given: str | None = None
    sku: str
    tier: str
    version: str
    storage_gb: int
    auto_grow: bool = False
    high_availability: str = "Disabled"
    geo_backup: bool = False
    zones: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """All that a stack asks for.

    Attributes:
        base: prefix and stack, the middle of every name.
        group: the resource group's name.
        group_exists: whether the stack has made it, or it is given.
        given: what is there and is used.
        openai_id: ARM id of the account that the deployments go to, where it was there before.
        providers: namespaces of the resource providers that it needs.
        actions: what whoever runs `pulumi up` must be allowed to do.
        tenant: the directory that the settings name, or None.
        held: thousands of tokens a minute that the stack's own deployments hold by now, by quota.
        private_zones: names of the private DNS zones, to be made where they are not there.
        installed: versions of the extensions in the stack's database by now, by name.
    """

    location: str
    base: str
    group: str
    group_exists: bool
    server: WantedServer
    accounts: tuple[WantedAccount, ...]
    vault: WantedVault | None = None
    deployments: tuple[WantedDeployment, ...]
    extensions: tuple[str, ...]
    providers: tuple[str, ...]
    actions: tuple[str, ...]
    tenant: str | None = None
    held: Mapping[str, int] = field(default_factory=dict)
    given: tuple[Given, ...] = ()
    openai_id: str | None = None
    private_zones: tuple[str, ...] = ()
    installed: Mapping[str, str] = field(default_factory=dict)


def wanted_of(settings: StackSettings, stack: str, resources: Sequence[Mapping[str, Any]]) -> Wanted:
    """Return what a stack asks for.

    Args:
        settings: its settings.
        stack: its name.
        resources: its state's resources; empty before the first `up`.
    """
    from components.naming import short_stack

    made = _Made(resources)
    base = f"{settings.name_prefix}-{short_stack(stack)}"
    server = settings.server
    accounts = _accounts(settings, made, base)
    zones = tuple(_private_zones(settings, stack))
    types = tuple(dict.fromkeys(_types(settings, zones)))
    vault = made.name("kv", settings.name_prefix)
    existing = settings.existing
    group = existing.resource_group.rpartition("/")[2] if existing.resource_group else f"rg-{base}"
    return Wanted(
        location=settings.location,
        base=base,
        group=group,
        group_exists=existing.resource_group is not None or made.has(_GROUP, group),
        given=tuple(_given(settings)),
        openai_id=existing.openai_account,
        server=WantedServer(
            name=made.name("psql", base),
            exists=made.has(_SERVER, made.name("psql", base)),
            given=existing.server,
            sku=server.sku.name,
            tier=server.sku.tier,
            version=server.version,
            storage_gb=server.storage_gb,
            auto_grow=server.auto_grow,
            high_availability=server.high_availability.mode,
            geo_backup=server.geo_redundant_backup,
            zones=tuple(zone for zone in (server.zone, server.high_availability.standby_zone) if zone is not None),
        ),
        accounts=accounts,
        vault=WantedVault(name=vault, exists=made.has(_VAULT, vault)) if settings.key_vault.enabled else None,
        deployments=tuple(
            WantedDeployment(
                name=name,
                model=deployment.model,
                version=deployment.model_version,
                sku=deployment.sku,
                capacity=deployment.capacity,
            )
            for name, deployment in sorted(settings.deployments.items())
            if settings.uses_ai and not deployment.existing
        ),
        extensions=settings.enabled_extensions,
        providers=_providers(types),
        actions=_actions(settings, types),
        tenant=settings.authentication.tenant_id,
        held=made.held(),
        private_zones=zones,
        installed=made.installed(),
    )


class _Made:
    """What is in the state."""

    def __init__(self, resources: Sequence[Mapping[str, Any]]) -> None:
        self._resources = resources
        drawn = [
            str((item.get("outputs") or {}).get("result") or "")
            for item in resources
            if item.get("type") == _SUFFIX and str(item.get("urn")).endswith("::suffix")
        ]
        self._suffix = drawn[0] if drawn else ""

    def name(self, kind: str, base: str) -> str | None:
        """Return a name that ends with the suffix, or None where there is no suffix yet."""
        return f"{kind}-{base}-{self._suffix}" if self._suffix else None

    def has(self, kind: str, name: str | None) -> bool:
        """Tell whether a resource of a type has this name."""
        return name is not None and any(
            item.get("type") == kind and str(item.get("id")).rpartition("/")[2].lower() == name.lower()
            for item in self._resources
        )

    def held(self) -> dict[str, int]:
        """Return the capacity of the deployments by quota."""
        sums: dict[str, int] = {}
        for item in self._resources:
            inputs = item.get("inputs") or {}
            if item.get("type") != _DEPLOYMENT or not item.get("id"):
                continue
            model, sku = (inputs.get("properties") or {}).get("model") or {}, inputs.get("sku") or {}
            quota = f"OpenAI.{sku.get('name')}.{model.get('name')}"
            sums[quota] = sums.get(quota, 0) + int(sku.get("capacity") or 0)
        return sums

    def installed(self) -> dict[str, str]:
        """Return the versions of the extensions by name."""
        return {
            str(item["inputs"]["extension"]): str(item["outputs"]["installedVersion"])
            for item in self._resources
            if item.get("type") == _EXTENSION and (item.get("outputs") or {}).get("installedVersion")
        }


def _accounts(settings: StackSettings, made: _Made, base: str) -> tuple[WantedAccount, ...]:
    if not settings.uses_ai:
        return ()
    kinds = []
    if settings.existing.openai_account is None:
        kinds.append(("oai", settings.ai.openai.kind, settings.ai.openai.sku))
    if settings.ai.language.enabled and settings.existing.language_account is None:
        kinds.append(("lang", "TextAnalytics", settings.ai.language.sku))
    return tuple(
        WantedAccount(kind=kind, sku=sku, name=(name := made.name(short, base)), exists=made.has(_ACCOUNT, name))
        for short, kind, sku in kinds
    )


def _private_zones(settings: StackSettings, stack: str) -> Iterator[str]:
    """Yield the names of the private DNS zones that the stack makes."""
    from components import private_zones
    from components.cloud import cloud
    from components.naming import Names

    given = settings.existing.zone_ids
    for suffix in private_zones.endpoint_suffixes(settings, cloud()):
        if (zone := f"{private_zones.PREFIX}{suffix}") not in given:
            yield zone
    makes_server = settings.network.mode == "injected" and settings.existing.server is None
    if makes_server and not any(private_zones.is_of_server(name, cloud()) for name in given):
        yield Names(prefix=settings.name_prefix, stack=stack, suffix="").server_zone(cloud().postgres_suffix)


def _given(settings: StackSettings) -> Iterator[Given]:
    """Yield what is there and is used, with what `up` does to it."""
    existing, ai = settings.existing, settings.ai
    if existing.server is not None:
        made = () if settings.database.existing else (f"{SERVERS}/databases/write",)
        actions = (f"{SERVERS}/read", f"{SERVERS}/configurations/read", f"{SERVERS}/administrators/read", *made)
        yield Given(setting="existing.server", id=existing.server, actions=actions)
    access = (f"{ASSIGNMENTS}/write",) if ai.assign_roles else ()
    access = (f"{ACCOUNTS}/listKeys/action",) if ai.authentication == "keys" else access
    if existing.openai_account is not None:
        deploys = any(not one.existing for one in settings.deployments.values())
        made = (f"{ACCOUNTS}/deployments/write",) if deploys else ()
        actions = (f"{ACCOUNTS}/read", *made, *access)
        yield Given(setting="existing.openaiAccount", id=existing.openai_account, actions=actions)
    if existing.language_account is not None:
        actions = (f"{ACCOUNTS}/read", *access)
        yield Given(setting="existing.languageAccount", id=existing.language_account, actions=actions)


def _types(settings: StackSettings, zones: Sequence[str]) -> Iterator[str]:
    """Yield the types of resources that the settings lead to, as far as somebody may lack the right to make them."""
    if settings.existing.resource_group is None:
        yield "Microsoft.Resources/subscriptions/resourceGroups"
    if settings.existing.server is None:
        yield SERVERS
        yield f"{SERVERS}/configurations"
    if settings.makes_accounts:
        yield ACCOUNTS
        if settings.existing.openai_account is None:
            yield f"{ACCOUNTS}/deployments"
        if settings.ai.authentication == "managed-identity":
            yield ASSIGNMENTS
    yield from _network_types(settings, zones)
    yield from _operation_types(settings)
    yield from _worker_types(settings)


def _network_types(settings: StackSettings, zones: Sequence[str]) -> Iterator[str]:
    if not settings.network.private:
        return
    if settings.existing.network_id is None:
        yield from (NETWORKS, f"{NETWORKS}/subnets")
    if zones:
        yield from (ZONES, f"{ZONES}/virtualNetworkLinks")
    if settings.network.mode == "private-endpoint" or settings.accounts_have_endpoints or settings.vault_has_endpoint:
        yield from (ENDPOINTS, f"{ENDPOINTS}/privateDnsZoneGroups")


def _worker_types(settings: StackSettings) -> Iterator[str]:
    pool = settings.workers.pool
    if pool is None:
        return
    yield from (IDENTITIES, "Microsoft.App/jobs")
    if pool.environment_id is None:
        yield "Microsoft.App/managedEnvironments"
        if settings.monitoring.enabled:
            yield "Microsoft.Insights/diagnosticSettings"
    if pool.registry_id is not None:
        yield ASSIGNMENTS


def _operation_types(settings: StackSettings) -> Iterator[str]:
    watched = settings.monitoring
    if watched.enabled:
        yield "Microsoft.Insights/diagnosticSettings"
        if watched.workspace_id is None:
            yield "Microsoft.OperationalInsights/workspaces"
        if watched.alerts:
            yield from ("Microsoft.Insights/metricAlerts", "Microsoft.Insights/scheduledQueryRules")
        if watched.workbook:
            yield "Microsoft.Insights/workbooks"
    if watched.threat_protection:
        yield f"{SERVERS}/advancedThreatProtectionSettings"
    if settings.cost.budget is not None:
        yield "Microsoft.Consumption/budgets"
    if settings.cost.autostop is not None:
        yield from ("Microsoft.Logic/workflows", "Microsoft.Authorization/roleDefinitions", ASSIGNMENTS)
    if settings.lock:
        yield "Microsoft.Authorization/locks"
    if settings.key_vault.enabled:
        yield from (VAULTS, f"{VAULTS}/secrets")
        if settings.key_vault.readers:
            yield ASSIGNMENTS


def _actions(settings: StackSettings, types: Sequence[str]) -> tuple[str, ...]:
    keys = settings.makes_accounts and settings.ai.authentication == "keys"
    assigns = settings.workers.pool is not None
    others = (
        *([f"{SERVERS}/restart/action"] if settings.existing.server is None else []),
        *([f"{ACCOUNTS}/listKeys/action"] if keys else []),
        *([f"{IDENTITIES}/assign/action"] if assigns else []),
        *([f"{NETWORKS}/subnets/join/action"] if settings.network.private else []),
    )
    return (*(f"{kind}/write" for kind in types), *others)


def _providers(types: Sequence[str]) -> tuple[str, ...]:
    """Return the namespaces of types, without those that every subscription has."""
    namespaces = dict.fromkeys(kind.partition("/")[0] for kind in types)
    return tuple(name for name in namespaces if name not in ("Microsoft.Resources", "Microsoft.Authorization"))
