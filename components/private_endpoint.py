"""PrivateEndpoint: a private address of a server, an account or a vault in a subnet, and its name in private DNS."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pulumi
from pulumi_azure_native import network

from components.computed import name_of


@dataclass(frozen=True, kw_only=True)
class PrivateEndpointArgs:
    """What a private endpoint is made of.

    Attributes:
        resource_group_name: resource group that holds it.
        location: Azure region, that of the subnet; what it leads to may be in another.
        endpoint_name: physical name, unique in its resource group.
        target_id: ARM id of what it leads to.
        group: part of the target that it leads to: postgresqlServer, account or vault.
        subnet_id: subnet that it lies in; it must not be delegated.
        zone_ids: private DNS zones that get its name, by a name for each.
        tags: tags of the endpoint.
    """

    resource_group_name: pulumi.Input[str]
    location: pulumi.Input[str]
    endpoint_name: pulumi.Input[str]
    target_id: pulumi.Input[str]
    group: str
    subnet_id: pulumi.Input[str]
    zone_ids: Mapping[str, pulumi.Input[str]]
    tags: Mapping[str, str] = field(default_factory=dict)


def private_endpoint(name: str, args: PrivateEndpointArgs, opts: pulumi.ResourceOptions) -> pulumi.Resource:
    """Create an endpoint and then its DNS records; return the last of the two, to wait for.

    Neither is deleted with its target: Azure keeps an endpoint whose target is gone.
    """
    endpoint = network.PrivateEndpoint(
        name,
        resource_group_name=args.resource_group_name,
        private_endpoint_name=args.endpoint_name,
        location=args.location,
        subnet=network.SubnetArgs(id=args.subnet_id),
        private_link_service_connections=[
            network.PrivateLinkServiceConnectionArgs(
                name=args.group, group_ids=[args.group], private_link_service_id=args.target_id
            )
        ],
        tags=dict(args.tags),
        opts=opts,
    )
    records: pulumi.Resource = network.PrivateDnsZoneGroup(
        f"{name}-dns",
        resource_group_name=args.resource_group_name,
        private_endpoint_name=name_of(endpoint),
        private_dns_zone_group_name="default",
        private_dns_zone_configs=[
            network.PrivateDnsZoneConfigArgs(name=zone, private_dns_zone_id=zone_id)
            for zone, zone_id in sorted(args.zone_ids.items())
        ],
        opts=pulumi.ResourceOptions(parent=opts.parent, depends_on=[endpoint], deleted_with=endpoint),
    )
    return records
