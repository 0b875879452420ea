"""Network: the virtual network that a closed server is reached in, its subnets, and its private DNS zones.

Nothing is here in the mode `public`. What is in the network finds the server, and the accounts, by their usual names:
a private zone, linked to the network, answers for them. One operation at a time on a network: subnets wait for each
other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network
from typing import Any

import pulumi
from pulumi_azure_native import network, privatedns

from components import private_zones
from components.cloud import Cloud
from components.computed import name_of
from components.naming import Names
from components.private_endpoint import PrivateEndpointArgs, private_endpoint
from components.settings import StackSettings

SERVERS = "Microsoft.DBforPostgreSQL/flexibleServers"
# The service's name, unlike the type's (azure-docs, "Custom virtual networks").
ENVIRONMENTS = "Microsoft.App/environments"


@dataclass(frozen=True, kw_only=True)
class NetworkArgs:
    """What a network is made of.

    Attributes:
        resource_group_name: resource group that holds it.
        location: Azure region, that of the server.
        names: physical names.
        settings: the stack's settings; network, not `public`, AI accounts, key vault and workers are read.
        cloud: cloud that names the zones.
        tags: tags of network and zones.
    """

    resource_group_name: pulumi.Input[str]
    location: pulumi.Input[str]
    names: Names
    settings: StackSettings
    cloud: Cloud
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Injection:
    """Where a server lies that is in a subnet: both are for its creation."""

    subnet_id: pulumi.Input[str]
    zone_id: pulumi.Input[str]


class Network(pulumi.ComponentResource):
    """A virtual network with what its mode needs, or as much of it as is not there already.

    Attributes:
        injection: where the server lies, in the mode `injected`.
        endpoint_subnet_id: subnet of private endpoints, or None where there are none in a network that was there.
        worker_subnet_id: subnet of the workers' environment, or None where it is given or not wanted.
        ready: every zone is linked and every subnet made once these are.
        exports: what the stack says about the network.
    """

    injection: Injection | None
    endpoint_subnet_id: pulumi.Input[str] | None
    worker_subnet_id: pulumi.Input[str] | None
    ready: list[pulumi.Resource]
    exports: dict[str, Any]

    def __init__(self, name: str, args: NetworkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("pgai:network:Network", name, {}, opts)
        self._name, self._args = name, args
        self._existing = args.settings.existing
        self.ready = []
        self.worker_subnet_id = None
        self._network_id, server_subnet, self.endpoint_subnet_id = self._place()
        served = private_zones.endpoint_suffixes(args.settings, args.cloud)
        self._zone_ids = {public: self._zone(public, f"{private_zones.PREFIX}{public}") for public in served}
        self.injection = None
        if server_subnet is not None:
            own = (name for name in self._existing.zone_ids if private_zones.is_of_server(name, args.cloud))
            zone_id = self._zone("server", next(own, args.names.server_zone(args.cloud.postgres_suffix)))
            self.injection = Injection(subnet_id=server_subnet, zone_id=zone_id)
        self.exports = {"networkId": self._network_id, "endpointSubnetId": self.endpoint_subnet_id}
        self.register_outputs(self.exports)

    def _place(self) -> tuple[pulumi.Input[str], pulumi.Input[str] | None, pulumi.Input[str] | None]:
        """Return the ids of the network, of the server's subnet and of that of private endpoints."""
        existing, wanted = self._existing, self._args.settings.network
        if existing.network_id is not None:
            return existing.network_id, existing.server_subnet, existing.endpoint_subnet
        created = self._virtual_network()
        server = None
        if wanted.mode == "injected":
            server = self._subnet("server", created, wanted.server_range, created, delegation=SERVERS)
        endpoints = self._subnet("endpoints", created, wanted.endpoint_range, server or created)
        self.ready.append(endpoints)
        if self._args.settings.workers_need_subnet:
            workers = self._subnet("workers", created, wanted.worker_range, endpoints, delegation=ENVIRONMENTS)
            self.ready.append(workers)
            self.worker_subnet_id = workers.id
        return created.id, server.id if server else None, endpoints.id

    def endpoint(
        self,
        name: str,
        what: str,
        target_id: pulumi.Input[str],
        group: str,
        suffixes: Iterable[str],
        after: pulumi.ResourceOptions,
    ) -> pulumi.Resource:
        """Give something a private endpoint in this network; return what to wait for.

        Args:
            name: name of the resource in the program.
            what: what it leads to, for its physical name.
            target_id: ARM id of what it leads to.
            group: part of the target that it leads to.
            suffixes: suffixes of the host names that are to lead to it.
            after: parent, and what comes before it.
        """
        args = self._args
        if self.endpoint_subnet_id is None:
            # A rule of the settings sees to it.
            raise ValueError(f"{what}: the network has no subnet for private endpoints")
        return private_endpoint(
            name,
            PrivateEndpointArgs(
                resource_group_name=args.resource_group_name,
                location=args.location,
                endpoint_name=args.names.endpoint(what),
                target_id=target_id,
                group=group,
                subnet_id=self.endpoint_subnet_id,
                zone_ids={suffix.replace(".", "-"): self._zone_ids[suffix] for suffix in suffixes},
                tags=args.tags,
            ),
            pulumi.ResourceOptions.merge(after, pulumi.ResourceOptions(depends_on=self.ready)),
        )

    def _child(self, *after: pulumi.Resource) -> pulumi.ResourceOptions:
        return pulumi.ResourceOptions(parent=self, depends_on=[*after])

    def _virtual_network(self) -> network.VirtualNetwork:
        # Without `subnets`: those are resources of their own, and the provider leaves what it is not given.
        return network.VirtualNetwork(
            f"{self._name}-vnet",
            resource_group_name=self._args.resource_group_name,
            virtual_network_name=self._args.names.network,
            location=self._args.location,
            address_space=network.AddressSpaceArgs(address_prefixes=[str(self._args.settings.network.address_space)]),
            tags=dict(self._args.tags),
            opts=self._child(),
        )

    def _subnet(
        self,
        what: str,
        within: network.VirtualNetwork,
        addresses: IPv4Network,
        after: pulumi.Resource,
        *,
        delegation: str | None = None,
    ) -> network.Subnet:
        return network.Subnet(
            f"{self._name}-subnet-{what}",
            resource_group_name=self._args.resource_group_name,
            virtual_network_name=name_of(within),
            subnet_name=what,
            address_prefix=str(addresses),
            # Only what it is delegated to may lie in it, and must find it so.
            delegations=[network.DelegationArgs(name=what, service_name=delegation)] if delegation else None,
            # A standby gets its log by way of storage (azure-databases-docs, "Network with private access").
            service_endpoints=(
                [network.ServiceEndpointPropertiesFormatArgs(service="Microsoft.Storage")]
                if delegation == SERVERS
                else None
            ),
            opts=self._child(after),
        )

    def _zone(self, what: str, zone_name: str) -> pulumi.Input[str]:
        """Return the id of a private zone; one that is there is linked by its owner."""
        if zone_name in self._existing.zone_ids:
            return self._existing.zone_ids[zone_name]
        subnets = [one for one in self.ready if isinstance(one, network.Subnet)]
        zone = privatedns.PrivateZone(
            f"{self._name}-zone-{what}",
            resource_group_name=self._args.resource_group_name,
            private_zone_name=zone_name,
            location="Global",
            tags=dict(self._args.tags),
            opts=self._child(),
        )
        self.ready.append(
            privatedns.VirtualNetworkLink(
                f"{self._name}-link-{what}",
                resource_group_name=self._args.resource_group_name,
                private_zone_name=name_of(zone),
                virtual_network_link_name=self._args.names.network,
                location="Global",
                registration_enabled=False,
                virtual_network=privatedns.SubResourceArgs(id=self._network_id),
                tags=dict(self._args.tags),
                # Azure refuses to lead a link to another network (azurerm); the provider does not know it.
                opts=pulumi.ResourceOptions(parent=self, depends_on=subnets, replace_on_changes=["virtualNetwork"]),
            )
        )
        zone_id: pulumi.Output[str] = zone.id
        return zone_id
