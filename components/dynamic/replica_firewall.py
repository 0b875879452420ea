"""ReplicaFirewall: the firewall rules of a read replica, kept as those of its primary.

A replica takes over its primary's rules when it is made, and none later (azure-databases-docs, "Read replicas"). So
some of them are there already, and azure-native refuses to create what is there: the service's own client compares,
and writes what differs.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import pulumi
from pulumi.dynamic import Resource

from components.dynamic.access import camel
from components.dynamic.props import Props
from components.dynamic.provider import Provider
from components.dynamic.server_management import is_gone, managing, operate

if TYPE_CHECKING:
    from azure.mgmt.postgresqlflexibleservers import PostgreSQLManagementClient

Range = tuple[str, str]


@dataclass(frozen=True, kw_only=True)
class ReplicaFirewallArgs:
    """Inputs of ReplicaFirewall.

    Attributes:
        resource_manager: https address of Azure Resource Manager.
        resource_manager_scope: scope of its tokens.
        subscription_id: the subscription.
        resource_group: the replica's resource group.
        server_name: the replica.
        rules: the rules by name, each with `start` and `end`, its first and last address.
    """

    resource_manager: pulumi.Input[str]
    resource_manager_scope: pulumi.Input[str]
    subscription_id: pulumi.Input[str]
    resource_group: pulumi.Input[str]
    server_name: pulumi.Input[str]
    rules: Mapping[str, Mapping[str, str]]

    def props(self) -> dict[str, Any]:
        """Return a fresh dict of the inputs by the names that the engine stores."""
        return {camel(name): getattr(self, name) for name in self.__dataclass_fields__}


@dataclass(frozen=True)
class WantedFirewall:
    """The inputs, decoded; rules are first and last addresses by name."""

    resource_manager: str
    resource_manager_scope: str
    subscription_id: str
    resource_group: str
    server_name: str
    rules: Mapping[str, Range]

    @property
    def resource_id(self) -> str:
        """The id in the stack's state."""
        return f"{self.server_name}/firewall"

    @property
    def title(self) -> str:
        """What it is, for errors."""
        return f"firewall rules of replica {self.server_name}"


class ReplicaFirewallProvider(Provider[WantedFirewall]):
    """Writes what differs, finds what somebody changed, and takes away what left the program; others' rules stay."""

    inputs = frozenset(
        {"resourceManager", "resourceManagerScope", "subscriptionId", "resourceGroup", "serverName", "rules"}
    )
    identity = ("subscriptionId", "resourceGroup", "serverName")

    def decode(self, props: Props) -> WantedFirewall:
        """Decode inputs, or outputs, which hold them too."""
        rules = props.inside("rules")
        return WantedFirewall(
            resource_manager=props.text("resourceManager"),
            resource_manager_scope=props.text("resourceManagerScope"),
            subscription_id=props.text("subscriptionId"),
            resource_group=props.text("resourceGroup"),
            server_name=props.text("serverName"),
            rules={
                name: (rule.text("start"), rule.text("end"))
                for name in props.mapping("rules")
                for rule in (rules.inside(name),)
            },
        )

    def make(self, wanted: WantedFirewall) -> dict[str, Any]:
        """Write the rules that are not there or lead elsewhere."""
        return self._turn(wanted, ())

    def change(self, had: Mapping[str, Any], wanted: WantedFirewall) -> dict[str, Any]:
        """Do the same, and take away what the program no longer has."""
        return self._turn(wanted, set(had.get("rules") or ()) - set(wanted.rules))

    def find(self, had: Mapping[str, Any], wanted: WantedFirewall) -> dict[str, Any] | None:  # noqa: ARG002
        """Look at the rules of the program as they are now; gone when the replica is."""
        with managing(wanted) as client:
            there = _rules(client, wanted)
        if there is None:
            return None
        kept = {name: there[name] for name in wanted.rules if name in there}
        return {"rules": {name: {"start": start, "end": end} for name, (start, end) in kept.items()}}

    def remove(self, had: Mapping[str, Any], wanted: WantedFirewall) -> None:  # noqa: ARG002
        """Take the rules away; nothing is left to do where the replica is gone."""
        with managing(wanted) as client:
            _delete(client, wanted, set(wanted.rules).intersection(_rules(client, wanted) or ()))

    def _turn(self, wanted: WantedFirewall, surplus: Collection[str]) -> dict[str, Any]:
        with managing(wanted) as client:
            there = _rules(client, wanted) or {}
            for name, (start, end) in wanted.rules.items():
                if there.get(name) != (start, end):
                    _write(client, wanted, name, {"startIpAddress": start, "endIpAddress": end})
            _delete(client, wanted, set(there).intersection(surplus))
        return {}


class ReplicaFirewall(Resource, module="postgresql", name="ReplicaFirewall"):
    """The firewall rules of a read replica."""

    def __init__(self, name: str, args: ReplicaFirewallArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(ReplicaFirewallProvider(), name, args.props(), opts)


def _rules(client: PostgreSQLManagementClient, wanted: WantedFirewall) -> dict[str, Range] | None:
    """Return the rules that are there, or None without the replica."""
    from azure.core.exceptions import ResourceNotFoundError  # noqa: PLC0415

    try:
        listed = list(client.firewall_rules.list_by_server(wanted.resource_group, wanted.server_name))
    except ResourceNotFoundError as error:
        if is_gone(error):
            return None
        raise  # a subscription that is not found is a wrong sign-in, not a server that is gone
    return {str(one.name): (one.properties.start_ip_address, one.properties.end_ip_address) for one in listed}


def _write(client: PostgreSQLManagementClient, wanted: WantedFirewall, name: str, properties: dict[str, str]) -> None:
    place, body = (wanted.resource_group, wanted.server_name, name), {"properties": properties}
    begin = partial(client.firewall_rules.begin_create_or_update, *place, body)
    operate(wanted, begin, f"writing its firewall rule {name}")


def _delete(client: PostgreSQLManagementClient, wanted: WantedFirewall, names: Iterable[str]) -> None:
    for name in sorted(names):
        begin = partial(client.firewall_rules.begin_delete, wanted.resource_group, wanted.server_name, name)
        operate(wanted, begin, f"taking away its firewall rule {name}")
