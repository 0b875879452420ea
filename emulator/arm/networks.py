"""Virtual networks with their subnets, and network security groups.

A network's subnets are resources of their own; the network shows them, makes those that its body lists, and leaves the
others as they are (azure-docs, "Virtual network updates without the subnet property", 2024).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from emulator.arm import body as bodies
from emulator.arm.body import Json
from emulator.arm.errors import ArmError, subnet_in_use
from emulator.arm.kind import Answer, Call, Kind
from emulator.arm.resource_id import ResourceId
from emulator.arm.store import Resource, Store

NETWORK = "Microsoft.Network/virtualNetworks"
SUBNET = f"{NETWORK}/subnets"
SECURITY_GROUP = "Microsoft.Network/networkSecurityGroups"

_USES = (
    "properties.subnet.id",
    "properties.network.delegatedSubnetResourceId",
    "properties.vnetConfiguration.infrastructureSubnetId",
)

Range = ipaddress.IPv4Network | ipaddress.IPv6Network


def users_of(store: Store, subnet_id: str) -> list[Resource]:
    """Return what lies in a subnet: private endpoints, servers, Container Apps environments."""
    key = subnet_id.lower()
    return [item for item in store.all() if any(str(bodies.get(item.body, path)).lower() == key for path in _USES)]


def delegations(subnet: Resource) -> set[str]:
    """Return the services that a subnet is delegated to, in lower case."""
    found = bodies.find(subnet.body, "properties.delegations[].properties.serviceName")
    return {str(service).lower() for service in found}


class Subnets(Kind):
    """Microsoft.Network/virtualNetworks/subnets."""

    def check_rules(self, resource: Resource, existing: Resource | None) -> None:
        """Refuse a range outside the network's or over another subnet's, and a change of what is in use."""
        network = self.store.get(resource.key.rpartition("/subnets/")[0])
        spaces = list(_ranges(network, "properties.addressSpace.addressPrefixes[]")) if network else []
        own = list(_prefixes(resource))
        if not own:
            raise ArmError(400, "InvalidRequestFormat", f"Subnet '{resource.name}' has no address prefix.")
        name = resource.id.split("/")[8]
        if not all(any(_lies_in(part, space) for space in spaces) for part in own):
            raise ArmError(
                400, "NetcfgInvalidSubnet", f"Subnet '{resource.name}' is not valid in virtual network '{name}'."
            )
        for other in self.store.of_type(SUBNET, network.key if network else ""):
            taken = [] if other.key == resource.key else list(_prefixes(other))
            if any(part.overlaps(space) for part in own for space in taken):
                raise ArmError(
                    400,
                    "NetcfgSubnetRangesOverlap",
                    f"Subnet '{resource.name}' is not valid because its IP address range overlaps with that of an "
                    f"existing subnet in virtual network '{name}'.",
                )
        used_by = users_of(self.store, existing.id) if existing else []
        if existing and used_by and _narrower(existing, resource):
            raise subnet_in_use(existing.name, used_by[0].id, "updated")

    def check_removable(self, resource: Resource) -> None:
        """Refuse to delete a subnet in which something lies."""
        for user in users_of(self.store, resource.id):
            raise subnet_in_use(resource.name, user.id, "deleted")


class Networks(Kind):
    """Microsoft.Network/virtualNetworks."""

    def __init__(self, subnets: Subnets) -> None:
        """Create the kind.

        Args:
            subnets: Makes the subnets that a network's body lists.
        """
        super().__init__(subnets.plane)
        self._subnets = subnets

    def check_rules(self, resource: Resource, existing: Resource | None) -> None:
        """Refuse what is no range of addresses."""
        del existing
        for text in bodies.find(resource.body, "properties.addressSpace.addressPrefixes[]"):
            try:
                ipaddress.ip_network(str(text))
            except ValueError:
                raise ArmError(400, "InvalidAddressPrefixFormat", f"Address prefix '{text}' is not valid.") from None

    async def put(self, call: Call) -> Answer:
        """Create or change a network, then the subnets that the body lists."""
        listed = bodies.find(call.body, "properties.subnets[]")
        answer = await super().put(_with_body(call, bodies.drop(call.body, ["properties.subnets"])))
        for subnet in listed:
            name = str(subnet.get("name") or "")
            await self._subnets.put(_subnet_call(self, call, name, subnet))
        return Answer(answer.status, self.present(self.existing(call)))

    def present(self, resource: Resource) -> Json:
        """Return the network with its subnets."""
        body = super().present(resource)
        body["properties"]["subnets"] = [item.to_json() for item in self.store.of_type(SUBNET, resource.key)]
        return body

    def check_removable(self, resource: Resource) -> None:
        """Refuse to delete a network in which something lies."""
        for subnet in self.store.of_type(SUBNET, resource.key):
            self._subnets.check_removable(subnet)


class SecurityGroups(Kind):
    """Microsoft.Network/networkSecurityGroups."""

    def check_removable(self, resource: Resource) -> None:
        """Refuse to delete a group that a subnet uses."""
        for subnet in self.store.of_type(SUBNET):
            if str(bodies.get(subnet.body, "properties.networkSecurityGroup.id")).lower() == resource.key:
                raise ArmError(
                    400,
                    "InUseNetworkSecurityGroupCannotBeDeleted",
                    f"Network security group {resource.id} cannot be deleted because it is in use by the following "
                    f"resources: {subnet.id}. In order to delete the Network security group, remove the association "
                    "with the resource(s). To learn how to do this, see aka.ms/deletensg.",
                )


def _with_body(call: Call, body: Json) -> Call:
    return Call(call.id, call.rules, body, call.query, call.principal, call.action)


def _subnet_call(kind: Kind, call: Call, name: str, body: Json) -> Call:
    rules = kind.plane.catalogue.types[SUBNET.lower()]
    child = ResourceId(call.id.scope, call.id.namespace, (*call.id.types, "subnets"), (*call.id.names, name))
    return Call(child, rules, body, call.query, call.principal)


def _narrower(before: Resource, after: Resource) -> bool:
    """Return whether a subnet loses a range or a delegation."""
    ranges = set(map(str, _prefixes(before))) - set(map(str, _prefixes(after)))
    return bool(ranges or delegations(before) - delegations(after))


def _prefixes(subnet: Resource) -> Iterator[Range]:
    yield from _ranges(subnet, "properties.addressPrefix")
    yield from _ranges(subnet, "properties.addressPrefixes[]")


def _ranges(resource: Resource, path: str) -> Iterator[Range]:
    for text in bodies.find(resource.body, path):
        try:
            yield ipaddress.ip_network(str(text))
        except ValueError:
            raise ArmError(400, "InvalidAddressPrefixFormat", f"Address prefix '{text}' is not valid.") from None


def _lies_in(part: Range, space: Range) -> bool:
    return part.version == space.version and part.subnet_of(space)  # type: ignore[arg-type]
