"""Where a server's network may be: in a delegated subnet with its DNS zone, or open to the public.

Sources: terraform-provider-azurerm #24549 (DNS zone), #27732 (private endpoints); azure-databases-docs, "Network with
private access (virtual network integration)": one subnet, delegated, in the server's region, for servers alone.
"""

from __future__ import annotations

from emulator.arm import body as bodies
from emulator.arm import networks
from emulator.arm.body import Json
from emulator.arm.errors import ArmError, invalid_parameter
from emulator.arm.store import Resource, Store

_DELEGATION = "Microsoft.DBforPostgreSQL/flexibleServers"
_SUBNET = "properties.network.delegatedSubnetResourceId"
_ZONE = "properties.network.privateDnsZoneArmResourceId"
_ACCESS = "properties.network.publicNetworkAccess"


def closed_when_injected(sent: Json) -> Json:
    """Return a body in which a server in a subnet has no public access, unless the client says otherwise."""
    if not bodies.get(sent, _SUBNET) or bodies.get(sent, _ACCESS):
        return sent
    return bodies.merge(sent, {"properties": {"network": {"publicNetworkAccess": "Disabled"}}})


def check(store: Store, merged: Json, fqdn: str) -> None:
    """Refuse a server in a subnet that does not fit.

    Args:
        store: Where subnets and zones are.
        merged: The server as it would be.
        fqdn: Its host name.
    """
    subnet_id = bodies.get(merged, _SUBNET)
    if not subnet_id:
        return
    zone_id = str(bodies.get(merged, _ZONE) or "")
    if not zone_id.lower().endswith(".postgres.database.azure.com"):
        why = "a server in a subnet needs a private DNS zone that ends with .postgres.database.azure.com"
        raise invalid_parameter("privateDnsZoneArmResourceId", why)
    if zone_id.lower().rpartition("/")[2] == fqdn:
        raise invalid_parameter("privateDnsZoneArmResourceId", f"the zone's name cannot be the server's own, {fqdn}")
    if bodies.get(merged, _ACCESS) == "Enabled":
        raise invalid_parameter("publicNetworkAccess", "a server in a subnet has public network access disabled")
    subnet = store.get(str(subnet_id))
    if subnet is None or subnet.type != networks.SUBNET:
        raise invalid_parameter("delegatedSubnetResourceId", f"there is no subnet '{subnet_id}'")
    if store.get(zone_id) is None:
        raise invalid_parameter("privateDnsZoneArmResourceId", f"there is no private DNS zone '{zone_id}'")
    _check_subnet(store, subnet, str(merged.get("location", "")))


def _check_subnet(store: Store, subnet: Resource, location: str) -> None:
    if _DELEGATION.lower() not in networks.delegations(subnet):
        why = f"the subnet '{subnet.id}' is not delegated to {_DELEGATION}"
        raise invalid_parameter("delegatedSubnetResourceId", why)
    network = store.get(subnet.key.rpartition("/subnets/")[0])
    place = str(network.body["location"]) if network else ""
    if place != location.replace(" ", "").lower():
        why = f"the subnet is in {place} and the server in {location}"
        raise invalid_parameter("delegatedSubnetResourceId", why)


def check_firewall(server: Resource) -> None:
    """Refuse a firewall rule on a server in a subnet.

    Azure once took such rules, and its team called that a defect (Azure/azure-rest-api-specs #20616): unverified now.
    """
    if bodies.get(server.body, _SUBNET):
        message = "Firewall rule operations cannot be requested for a private access enabled server."
        raise ArmError(400, "FirewallRulesNotAllowedOnVnetServer", message)
