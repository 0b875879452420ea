"""StackSettings: the only reader of config.

`StackSettings.load()` reads the values that the engine hands to the program; `parse` does the same for values at hand.
Both report every mistake at once (`SettingsError`). Nothing else in the program reads config.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Annotated, Any

import pulumi
from pulumi.runtime.config import CONFIG, get_config_env, is_config_secret
from pydantic import AfterValidator, BeforeValidator, Field

from components import (
    ai_rules,
    availability_rules,
    cluster_rules,
    connection_rules,
    encryption_rules,
    existing_account_rules,
    existing_rules,
    existing_server_rules,
    graph_rules,
    job_rules,
    network_rules,
    operation_rules,
    operations_rules,
    origin_rules,
    replica_rules,
    server_rules,
    storage_rules,
    worker_rules,
)
from components.ai_settings import AiSettings, DeploymentSettings
from components.catalogue.extensions import REQUIRES
from components.cost_settings import CostSettings
from components.existing_settings import ExistingSettings
from components.graph_settings import GraphName, GraphSettings
from components.job_settings import JobSettings
from components.key_vault_settings import KeyVaultSettings
from components.mistakes import Findings, Mistake, SettingsError, parse
from components.monitoring_settings import MonitoringSettings
from components.network_settings import NetworkSettings
from components.section import ConfigName, Listed, Mapped, Region, Section, decode_json, matching
from components.server_settings import (
    AuthenticationSettings,
    DatabaseSettings,
    FirewallSettings,
    ServerSettings,
    VectorColumn,
)
from components.worker_settings import WorkerSettings

PROJECT = "postgres-genai"


NamedColumns = Annotated[dict[ConfigName, VectorColumn], BeforeValidator(decode_json)]
NamedJobs = Annotated[dict[ConfigName, JobSettings], BeforeValidator(decode_json)]
NamedGraphs = Annotated[dict[GraphName, GraphSettings], BeforeValidator(decode_json)]


class StackSettings(Section):
    """Everything that a stack says about itself."""

    location: Region = Field(default="eastus2", description="Azure region of every resource.")
    name_prefix: Annotated[
        str, AfterValidator(matching(r"[a-z][a-z0-9]{1,11}", "2 to 12 lower-case letters or digits, a letter first"))
    ] = Field(
        default="pgai",
        description="First part of every name; 2 to 12 lower-case letters or digits.",
    )
    tags: Mapped[str] = Field(default={}, description="Tags on every resource that takes them.")
    server: ServerSettings = Field(
        default_factory=ServerSettings,
        description="The flexible server: version, sku {name, tier}, storageGb, backupRetentionDays, zone, ...",
    )
    authentication: AuthenticationSettings = Field(
        default_factory=AuthenticationSettings,
        description="Who may sign in to the database: entra, password, administratorLogin, administrators, ...",
    )
    network: NetworkSettings = Field(
        default_factory=NetworkSettings,
        description="How the server is reached: mode (public, private-endpoint, injected), addressSpace.",
    )
    existing: ExistingSettings = Field(
        default_factory=ExistingSettings,
        description="What is there already, by id: server, openaiAccount, resourceGroup, dnsZones, ...",
    )
    firewall: FirewallSettings = Field(
        default_factory=FirewallSettings,
        description="Addresses that may reach the server: rules {name: {start, end}}, allowAzureServices.",
    )
    parameters: Mapped[Any] = Field(
        default={},
        description="Server parameters by name; azure.extensions and shared_preload_libraries are merged.",
    )
    extensions: Listed[str] = Field(
        default=("vector", "azure_ai", "age"), description="Extensions to allow and to create in the database."
    )
    unavailable: Mapped[str] = Field(
        default={},
        description="Extensions that this stack's server cannot have, each with the reason; they are left out.",
    )
    database: DatabaseSettings = Field(
        default_factory=DatabaseSettings, description="The database: name, charset, collation, existing."
    )
    ai: AiSettings = Field(
        default_factory=AiSettings,
        description="Azure OpenAI and Language: authentication, openai {kind, sku}, language {enabled, sku}.",
    )
    deployments: Mapped[DeploymentSettings] = Field(
        default={}, description="Model deployments by name: model, version, sku, capacity."
    )
    vector_columns: NamedColumns = Field(
        default={},
        description="Vector columns on tables that exist, by name, for vectors that the application writes itself.",
    )
    jobs: NamedJobs = Field(
        default={},
        description="Jobs by name, vectorizations and enrichments: table, template, operation, deployment, target, ...",
    )
    graphs: NamedGraphs = Field(
        default={},
        description="Graphs of the extension age by name, kept in step with tables: vertices, edges, readers.",
    )
    workers: WorkerSettings = Field(
        default_factory=WorkerSettings,
        description="Workers that embed when `pulumi up` does not run: schedule {parallel}, pool {image, ...}.",
    )
    monitoring: MonitoringSettings = Field(
        default_factory=MonitoringSettings,
        description="Logs, metrics, alerts, workbook: enabled, workspaceId, emails, threatProtection, ...",
    )
    cost: CostSettings = Field(
        default_factory=CostSettings, description="What bounds the cost: budget {monthly, emails}, autostop {stopAt}."
    )
    key_vault: KeyVaultSettings = Field(
        default_factory=KeyVaultSettings,
        description="A vault for password and keys, where there are any: enabled, readers, publicAccess.",
    )
    sample: bool = Field(default=False, description="Whether to create the sample contracts domain and its data.")
    protect: bool = Field(
        default=False, description="Whether the engine refuses to delete the server and the database."
    )
    lock: bool = Field(
        default=False,
        description="Whether Azure refuses, to everybody, to delete the server and what is inside it (a CanNotDelete"
        " lock). `up` can then take nothing out of the server either: first set it to false.",
    )
    retain_data: bool = Field(
        default=True, description="Whether schema and vectors stay in the database when they leave the program."
    )

    @classmethod
    def load(cls) -> StackSettings:
        """Read the config of the running stack.

        Raises:
            SettingsError: names every mistake; the engine prints it without a traceback.
        """
        project, stack = pulumi.get_project(), pulumi.get_stack()
        prefix = f"{project}:"
        config = {**get_config_env(), **CONFIG.get()}
        values = {key.removeprefix(prefix): value for key, value in config.items() if key.startswith(prefix)}
        secret = {key for key in values if is_config_secret(prefix + key)}
        return cls.parse(values, project=project, stack=stack, secret=secret)

    @classmethod
    def parse(
        cls, values: Mapping[str, Any], *, project: str = PROJECT, stack: str = "dev", secret: Collection[str] = ()
    ) -> StackSettings:
        """Check values by their names in YAML; text may stand for what it spells, as `pulumi config set` leaves it.

        Args:
            values: config values without their namespace.
            project: namespace, for the messages.
            stack: name of the stack, for the messages.
            secret: names of the values that no message may show.

        Raises:
            SettingsError: names every mistake.
        """
        findings = Findings()
        settings = parse(cls, {key: _decode(key, value) for key, value in values.items()}, findings)
        server_rules.check(settings, findings)
        storage_rules.check(settings, findings)
        availability_rules.check(settings, findings)
        connection_rules.check(settings, findings)
        origin_rules.check(settings, findings)
        encryption_rules.check(settings, findings)
        cluster_rules.check(settings, findings)
        replica_rules.check(settings, findings)
        network_rules.check(settings, findings)
        existing_rules.check(settings, findings)
        existing_account_rules.check(settings, findings)
        existing_server_rules.check(settings, findings)
        ai_rules.check(settings, findings)
        job_rules.check(settings, findings)
        operation_rules.check(settings, findings)
        graph_rules.check(settings, findings)
        operations_rules.check(settings, findings)
        worker_rules.check(settings, findings)
        if findings.mistakes:
            raise SettingsError(project, stack, [_hide(mistake, secret) for mistake in findings.mistakes])
        return settings

    @property
    def enabled_extensions(self) -> tuple[str, ...]:
        """Return the extensions to create, in an order in which each finds what it needs.

        `age` comes first: once it is preloaded, creating another extension in a database that has no ag_catalog fails
        (apache/age #2180).
        """
        wanted = [name for name in self.extensions if name not in self.unavailable]
        first = [name for name in wanted if name == "age"]
        needed = [base for name in wanted for base in REQUIRES.get(name, ()) if base in wanted]
        return tuple(dict.fromkeys([*first, *needed, *wanted]))

    @property
    def uses_ai(self) -> bool:
        """Say whether the stack has azure_ai, and so needs AI accounts."""
        return "azure_ai" in self.enabled_extensions

    @property
    def makes_accounts(self) -> bool:
        """Say whether the stack makes an AI account, and does not only use those that are there."""
        language = self.ai.language.enabled and self.existing.language_account is None
        return self.uses_ai and (self.existing.openai_account is None or language)

    @property
    def accounts_are_public(self) -> bool:
        """Say whether the AI accounts answer on the internet: a server outside of a network finds them nowhere else."""
        wanted = self.ai.network.public_access
        return self.network.mode != "injected" if wanted is None else wanted

    @property
    def workers_need_subnet(self) -> bool:
        """Say whether the stack's own network has a subnet for workers: for a pool that was given no other place."""
        pool = self.workers.pool
        placed = pool is None or pool.environment_id is not None or pool.subnet_id is not None
        return self.network.private and self.existing.network_id is None and not placed

    @property
    def accounts_have_endpoints(self) -> bool:
        """Say whether the AI accounts have private endpoints."""
        wanted = self.ai.network.private_endpoints
        return self.uses_ai and (self.network.private if wanted is None else wanted)

    @property
    def vault_has_endpoint(self) -> bool:
        """Say whether the key vault has a private endpoint: where there is a subnet for one."""
        lacks_subnet = self.existing.network_id is not None and self.existing.endpoint_subnet is None
        return self.key_vault.enabled and self.network.private and not lacks_subnet

    @property
    def cron_database(self) -> str:
        """Return the database that pg_cron lives in: the stack's own unless the parameters name another."""
        return str(self.parameters.get("cron.database_name", self.database.name))

    @property
    def administrators(self) -> tuple[str, ...]:
        """Return the names of the Entra administrators, the deployer first."""
        deployer = self.authentication.deployer
        return (*([deployer.name] if deployer else []), *(admin.name for admin in self.authentication.administrators))

    @property
    def database_user(self) -> str:
        """Return the user that the program signs in as: an Entra administrator where there is one."""
        access = self.authentication
        if access.entra:
            return access.sign_in_as or self.administrators[0]
        return access.administrator_login or ""

    @property
    def notes(self) -> tuple[str, ...]:
        """Return what a reader of the preview should know: what is left out, dropped or unverified."""
        rules = (
            server_rules,
            connection_rules,
            network_rules,
            ai_rules,
            origin_rules,
            replica_rules,
            job_rules,
            operation_rules,
            operations_rules,
        )
        return tuple(note for one in rules for note in one.notes(self))


def _decode(key: str, value: object) -> object:
    """Decode a value that the engine hands over as text; plain text settings stay as they are."""
    if not isinstance(value, str) or key in ("location", "namePrefix"):
        return value
    try:
        return json.loads(value)
    except json.JSONDecodeError:
        return value


def _hide(mistake: Mistake, secret: Collection[str]) -> Mistake:
    if mistake.path.partition(".")[0].partition("[")[0] not in secret:
        return mistake
    return Mistake(mistake.path, "is wrong, and not shown because the config marks it as a secret; see docs/config.md")
