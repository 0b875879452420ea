"""Operations: what surrounds a running server: monitoring, protection, a budget, autostop, key vault, workers, locks.

Each part is there only where the settings ask for it; none of them is in the way of the database.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pulumi

from components.ai_accounts import AiAccounts
from components.autostop import Autostop, AutostopArgs
from components.budget import budget
from components.catalogue.models import REQUESTS_PER_MINUTE_PER_CAPACITY
from components.cloud import Cloud
from components.database_server import DatabaseServer
from components.dynamic.threat_protection import ThreatProtection, ThreatProtectionArgs
from components.key_vault import KeyVault, KeyVaultArgs
from components.monitoring import (
    Monitoring,
    MonitoringArgs,
    Watched,
    watched_account,
    watched_replica,
    watched_server,
    watched_server_of_others,
)
from components.naming import Names
from components.network import Network
from components.server_lock import lock_server
from components.settings import StackSettings
from components.vector_database import VectorDatabase
from components.worker_pool import WorkerPool, WorkerPoolArgs
from components.worker_settings import PoolSettings


@dataclass(frozen=True, kw_only=True)
class OperationsArgs:
    """What operations are about.

    Attributes:
        resource_group_name: resource group of everything here.
        group_id: its ARM id.
        location: Azure region.
        names: physical names.
        settings: the stack's settings; monitoring, cost, key vault, workers and lock are read, and the sizes that
            alerts scale with.
        server: the server.
        ai: the AI accounts, or None.
        database: what the workers work in.
        network: the stack's network, which may have a subnet for workers and one for the vault's endpoint, or None.
        cloud: cloud that all of it is in.
        subscription_id: the subscription.
        tenant_id: directory of those who read secrets.
        tags: tags of what takes them.
    """

    resource_group_name: pulumi.Input[str]
    group_id: pulumi.Input[str]
    location: pulumi.Input[str]
    names: Names
    settings: StackSettings
    server: DatabaseServer
    ai: AiAccounts | None
    database: VectorDatabase
    network: Network | None
    cloud: Cloud
    subscription_id: pulumi.Input[str]
    tenant_id: pulumi.Input[str]
    tags: Mapping[str, str] = field(default_factory=dict)


class Operations(pulumi.ComponentResource):
    """What watches a stack, bounds its cost and hands out its secrets.

    Attributes:
        monitoring: the monitoring, or None.
        key_vault: the vault, or None.
        exports: what the stack says about them; no secret.
    """

    monitoring: Monitoring | None
    key_vault: KeyVault | None
    exports: dict[str, Any]

    def __init__(self, name: str, args: OperationsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("pgai:operations:Operations", name, {}, opts)
        self._name, self._args, self._settings = name, args, args.settings
        self._placement: dict[str, Any] = {
            "resource_group_name": args.resource_group_name,
            "location": args.location,
            "tags": args.tags,
        }
        self.exports = {}
        self.monitoring = self._monitoring() if self._settings.monitoring.enabled else None
        surroundings: list[pulumi.Resource] = [self.monitoring] if self.monitoring else []
        if self._settings.monitoring.threat_protection:
            surroundings.append(self._threat_protection())
        self._cost()
        self.key_vault = self._key_vault() if self._settings.key_vault.enabled else None
        if self.key_vault is not None and args.network is not None and self._settings.vault_has_endpoint:
            self._vault_endpoint(self.key_vault, args.network)
        workers = self._settings.workers.pool
        pool = self._worker_pool(workers) if workers is not None else None
        if self._settings.lock:
            self._locks([args.server, *surroundings])
        for part in (self.monitoring, self.key_vault, pool):
            self.exports |= part.exports if part is not None else {}
        self.register_outputs(self.exports)

    def _child(self) -> pulumi.ResourceOptions:
        return pulumi.ResourceOptions(parent=self)

    def _monitoring(self) -> Monitoring:
        quota = sum(deployment.capacity for deployment in self._settings.deployments.values())
        accounts = []
        if self._args.ai is not None:
            latency = self._settings.monitoring.latency_ms
            ids = self._args.ai.exports
            accounts.append(
                watched_account(
                    "openai",
                    ids["openaiId"],
                    requests_per_minute=quota * REQUESTS_PER_MINUTE_PER_CAPACITY,
                    latency_ms=latency,
                    deploys=True,
                    of_others=self._settings.existing.openai_account is not None,
                )
            )
            if ids["languageId"] is not None:
                accounts.append(
                    watched_account(
                        "language",
                        ids["languageId"],
                        requests_per_minute=0,
                        latency_ms=latency,
                        deploys=False,
                        of_others=self._settings.existing.language_account is not None,
                    )
                )
        return Monitoring(
            f"{self._name}-monitoring",
            MonitoringArgs(
                **self._placement,
                settings=self._settings.monitoring,
                workspace_name=self._args.names.workspace,
                server=self._watched_server(),
                replicas=self._watched_replicas(),
                accounts=accounts,
            ),
            self._child(),
        )

    @property
    def _connections(self) -> int | None:
        """Return `max_connections`, where the stack sets it; a replica takes it over."""
        connections = self._settings.parameters.get("max_connections")
        return int(str(connections)) if connections is not None else None

    def _watched_replicas(self) -> list[Watched]:
        primary = self._settings.server
        return [
            watched_replica(
                name,
                server_id,
                (primary.replicas[name].sku or primary.sku).name,
                primary.replicas[name].storage_gb or primary.storage_gb,
                connections=self._connections,
            )
            for name, server_id in self._args.server.replica_ids.items()
        ]

    def _watched_server(self) -> Watched:
        if self._settings.existing.server is not None:
            return watched_server_of_others(self._args.server.server_id)
        return watched_server(
            self._args.server.server_id,
            self._settings.server.sku.name,
            self._settings.server.storage_gb,
            tier=self._settings.server.storage.tier,
            iops=self._settings.server.storage.iops,
            connections=self._connections,
        )

    def _threat_protection(self) -> ThreatProtection:
        return ThreatProtection(
            f"{self._name}-threat-protection",
            ThreatProtectionArgs(
                resource_manager=self._args.cloud.resource_manager,
                resource_manager_scope=self._args.cloud.resource_manager_scope,
                subscription_id=self._args.subscription_id,
                resource_group=self._args.resource_group_name,
                server_name=self._args.server.exports["serverName"],
            ),
            # An operation of the server, so the last of its chain.
            pulumi.ResourceOptions(
                parent=self, depends_on=[self._args.server.ready], deleted_with=self._args.server.deleted_with
            ),
        )

    def _cost(self) -> None:
        cost = self._settings.cost
        if cost.budget is not None:
            budget(f"{self._name}-budget", cost.budget, self._args.group_id, self._child())
        if cost.autostop is not None:
            Autostop(
                f"{self._name}-autostop",
                AutostopArgs(
                    **self._placement,
                    resource_group_id=self._args.group_id,
                    settings=cost.autostop,
                    server_id=self._args.server.server_id,
                    cloud=self._args.cloud,
                ),
                self._child(),
            )

    def _locks(self, after: list[pulumi.Resource]) -> None:
        lock_server(f"{self._name}-lock", self._args.server.server_id, self, after)
        for replica, server_id in self._args.server.replica_ids.items():
            lock_server(f"{self._name}-lock-{replica}", server_id, self, after)

    def _key_vault(self) -> KeyVault:
        ai = self._args.ai
        candidates = {
            "database-password": self._args.server.administrator_password,
            "openai-key": ai.openai_key if ai else None,
            "language-key": ai.language_key if ai else None,
        }
        return KeyVault(
            f"{self._name}-secrets",
            KeyVaultArgs(
                **self._placement,
                vault_name=self._args.names.key_vault,
                tenant_id=self._args.tenant_id,
                settings=self._settings.key_vault,
                secrets={name: value for name, value in candidates.items() if value is not None},
            ),
            self._child(),
        )

    def _vault_endpoint(self, vault: KeyVault, network: Network) -> None:
        """Let the vault be found in the network; last of all that is about it, as with an account."""
        network.endpoint(
            f"{self._name}-secrets-endpoint",
            "vault",
            vault.vault.id,
            "vault",
            [self._args.cloud.vault_suffix],
            pulumi.ResourceOptions(parent=self, depends_on=[vault]),
        )

    def _worker_pool(self, settings: PoolSettings) -> WorkerPool:
        server = self._args.server
        return WorkerPool(
            f"{self._name}-workers",
            WorkerPoolArgs(
                **self._placement,
                names=self._args.names,
                settings=settings,
                subnet_id=self._args.network.worker_subnet_id if self._args.network is not None else None,
                connection=server.connection,
                password=server.password,
                deleted_with=server.deleted_with,
                ready=self._args.database.ready,
                workspace_id=self.monitoring.workspace_id if self.monitoring is not None else None,
            ),
            self._child(),
        )
