"""ReadReplicas: servers that follow the primary, and the virtual endpoint; one after another, as children of it.

While a replica is made, the primary is updating and takes no other operation (azure-databases-docs, "Read replicas"). A
replica takes over firewall rules, parameters, users and the way to sign in when it is made, and nothing later. Tags and
firewall rules are kept as the primary has them; the rest is whoever's it is that changes them there.

A promotion is a person's decision, made in Azure: by `az postgres flexible-server replica promote`. What it changes is
no reason to replace anything here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pulumi
from pulumi_azure_native import dbforpostgresql as pg

from components.cloud import Cloud
from components.computed import computed, name_of
from components.dynamic.replica_firewall import ReplicaFirewall, ReplicaFirewallArgs
from components.network import Network
from components.replica_settings import ReplicaSettings, VirtualEndpointSettings
from components.server_identity import encryption, identity, principal_id
from components.server_settings import ServerSettings

# What a promotion changes on both sides; a promoted replica has no source any more, and must not be made again for it.
ROLE = ("sourceServerResourceId", "replicationRole", "replica")


@dataclass(frozen=True, kw_only=True)
class ReadReplicasArgs:
    """What read replicas are made of.

    Attributes:
        resource_group_name: resource group of the replicas.
        location: region of those that name none.
        primary: the server that they follow.
        server: its settings: the replicas, which have what they leave out as the server has it, and the endpoint.
        firewall: first and last address of the primary's firewall rules by name; None where it has no firewall.
        cloud: cloud that they are in.
        subscription_id: subscription that they are in, for their firewall rules.
        after: last child of the primary before them.
        network: where they lie, as the primary does; None with public access.
        endpoints: network in which they get private endpoints, or None.
        tags: tags of the replicas.
        protect: refuse to delete them: a promoted one holds the only data.
    """

    resource_group_name: pulumi.Input[str]
    location: pulumi.Input[str]
    primary: pg.Server
    server: ServerSettings
    cloud: Cloud
    subscription_id: pulumi.Input[str]
    after: pulumi.Resource
    firewall: Mapping[str, tuple[str, str]] | None = None
    network: pg.NetworkArgs | None = None
    endpoints: Network | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    protect: bool = False


class ReadReplicas(pulumi.ComponentResource):
    """The replicas of one server.

    Attributes:
        servers: the replicas by name.
        principal_ids: object ids of their identities, by name.
        last: the end of the chain.
        exports: what the stack says about them.
    """

    servers: dict[str, pg.Server]
    principal_ids: dict[str, pulumi.Output[str]]
    last: pulumi.Resource
    exports: dict[str, Any]

    def __init__(self, name: str, args: ReadReplicasArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("pgai:server:ReadReplicas", name, {}, opts)
        self._name, self._args = name, args
        self._primary_name = name_of(args.primary)
        self.last = args.after
        self.servers = {}
        for replica, wanted in sorted(args.server.replicas.items()):
            self.last = self.servers[replica] = self._replica(replica, wanted)
            if args.firewall is not None:
                self.last = self._firewall(replica, args.firewall)
        self.principal_ids = {
            replica: computed(server, server.identity, "principal_id", principal_id)
            for replica, server in self.servers.items()
        }
        self.exports = {
            "replicas": {
                replica: pulumi.Output.concat(name_of(server), ".", args.cloud.postgres_suffix)
                for replica, server in self.servers.items()
            }
        }
        endpoint = args.server.virtual_endpoint
        if endpoint is not None:
            self.last = self._endpoint(endpoint)
            self.exports["virtualEndpoint"] = {
                role: f"{endpoint.name}.{role}.{args.cloud.postgres_suffix}" for role in ("writer", "reader")
            }
        if args.endpoints is not None:
            self._private_endpoints(args.endpoints)
        self.register_outputs(self.exports)

    def _replica(self, name: str, wanted: ReplicaSettings) -> pg.Server:
        primary = self._args.server
        sku = wanted.sku or primary.sku
        return pg.Server(
            f"{self._name}-{name}",
            resource_group_name=self._args.resource_group_name,
            server_name=pulumi.Output.concat(self._primary_name, "-", name),
            location=wanted.location or self._args.location,
            tags=dict(self._args.tags),
            create_mode="Replica",
            source_server_resource_id=self._args.primary.id,
            sku=pg.SkuArgs(name=sku.name, tier=sku.tier),
            storage=pg.StorageArgs(
                storage_size_gb=wanted.storage_gb or primary.storage_gb,
                # What grows by itself must not outgrow its replicas.
                auto_grow="Enabled" if primary.auto_grow else "Disabled",
            ),
            availability_zone=wanted.zone,
            network=self._args.network,
            identity=identity(primary),
            data_encryption=encryption(primary, backups=False),
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=[self.last],
                protect=self._args.protect,
                ignore_changes=["availabilityZone", *ROLE],
            ),
        )

    def _firewall(self, name: str, ranges: Mapping[str, tuple[str, str]]) -> ReplicaFirewall:
        server = self.servers[name]
        return ReplicaFirewall(
            f"{self._name}-{name}-firewall",
            ReplicaFirewallArgs(
                resource_manager=self._args.cloud.resource_manager,
                resource_manager_scope=self._args.cloud.resource_manager_scope,
                subscription_id=self._args.subscription_id,
                resource_group=self._args.resource_group_name,
                server_name=name_of(server),
                rules={rule: {"start": start, "end": end} for rule, (start, end) in ranges.items()},
            ),
            pulumi.ResourceOptions(parent=self, depends_on=[server], deleted_with=server),
        )

    def _private_endpoints(self, network: Network) -> None:
        for replica, server in self.servers.items():
            self.last = network.endpoint(
                f"{self._name}-{replica}-endpoint",
                f"server-{replica}",
                server.id,
                "postgresqlServer",
                [self._args.cloud.postgres_suffix],
                pulumi.ResourceOptions(parent=self, depends_on=[self.last]),
            )

    def _endpoint(self, wanted: VirtualEndpointSettings) -> pg.VirtualEndpoint:
        reader = self.servers[wanted.replica] if wanted.replica is not None else self._args.primary
        return pg.VirtualEndpoint(
            f"{self._name}-endpoint",
            resource_group_name=self._args.resource_group_name,
            server_name=self._primary_name,
            virtual_endpoint_name=wanted.name,
            endpoint_type="ReadWrite",
            members=[name_of(reader)],
            # Deleted one by one, before the replica that it names.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[self.last]),
        )
