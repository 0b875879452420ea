"""What the service refuses in a flexible server, beyond what the catalogue can say.

Sources: terraform-provider-azurerm 69697b7 (validators), the portal's texts as repeated in Microsoft's IDE plugins, and
the issues named below.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from typing import Any

from emulator.arm import body as bodies
from emulator.arm.body import Json
from emulator.arm.catalogue import Catalogue
from emulator.arm.errors import ArmError, invalid_parameter

_LOGIN = re.compile(r"[a-zA-Z0-9_]{1,63}")


def check_server(
    catalogue: Catalogue, sent: Json, merged: Json, existing: Json | None, *, has_origin: bool = False
) -> None:
    """Refuse a server that the service would refuse.

    Args:
        catalogue: SKUs, storage sizes, reserved names.
        sent: What the client sent.
        merged: The server as it would be.
        existing: The server as it is, or None.
        has_origin: Whether it is made from another server, whose login and password it takes.
    """
    _check_compute(catalogue, merged)
    _check_availability(catalogue, sent, merged)
    _check_storage(catalogue, sent, merged, existing)
    if not has_origin:
        _check_login(catalogue, sent, merged, existing)
    _check_version(merged, existing)
    _check_cluster(merged, existing, has_origin=has_origin)


def _check_compute(catalogue: Catalogue, merged: Json) -> None:
    name, tier = bodies.get(merged, "sku.name"), bodies.get(merged, "sku.tier")
    sku = catalogue.server_skus.get(name)
    if sku is None:
        raise invalid_parameter("sku", f"'{name}' is not a compute size; such as Standard_B2s or Standard_D2ds_v5")
    if sku.tier != tier:
        raise invalid_parameter("sku", f"'{name}' belongs to the tier {sku.tier}, not to {tier}")
    mode = bodies.get(merged, "properties.highAvailability.mode")
    if sku.tier == "Burstable" and mode not in (None, "Disabled"):
        raise invalid_parameter("highAvailability", "high availability needs GeneralPurpose or MemoryOptimized")


def _check_availability(catalogue: Catalogue, sent: Json, merged: Json) -> None:
    """Refuse zones that the region or the mode does not have.

    Source: azure-docs, "Reliability in Azure Database for PostgreSQL": the standby is in another zone, or in the same.
    """
    mode = bodies.get(merged, "properties.highAvailability.mode")
    zone = str(bodies.get(merged, "properties.availabilityZone") or "")
    standby = str(bodies.get(merged, "properties.highAvailability.standbyAvailabilityZone") or "")
    location = str(merged.get("location"))
    if mode in (None, "Disabled") and bodies.get(sent, "properties.highAvailability.standbyAvailabilityZone"):
        raise invalid_parameter("standbyAvailabilityZone", "a standby zone needs high availability")
    if mode == "ZoneRedundant" and location not in catalogue.servers["regions_with_zones"]:
        raise invalid_parameter("highAvailability", f"the region {location} has no availability zones; take SameZone")
    if mode in (None, "Disabled"):
        standby = ""
    for name, value in (("availabilityZone", zone), ("standbyAvailabilityZone", standby)):
        if value not in ("", "1", "2", "3"):
            raise invalid_parameter(name, f"'{value}' is no zone; allowed: 1, 2, 3")
    if mode == "ZoneRedundant" and standby and standby == zone:
        raise invalid_parameter("standbyAvailabilityZone", f"the standby's zone is the primary's, {zone}; take another")
    if mode == "SameZone" and standby and standby != zone:
        raise invalid_parameter("standbyAvailabilityZone", f"with SameZone the standby's zone is the primary's, {zone}")


def _check_storage(catalogue: Catalogue, sent: Json, merged: Json, existing: Json | None) -> None:
    storage: dict[str, Any] = bodies.get(merged, "properties.storage")
    size, kind = storage.get("storageSizeGB"), storage.get("type") or "Premium_LRS"
    before = bodies.get(existing, "properties.storage.storageSizeGB") if existing else None
    if not isinstance(size, int):
        raise invalid_parameter("storageSizeGB", f"'{size}' is not a whole number of GB")
    if before is not None and size < before:
        raise invalid_parameter("storageSizeGB", f"storage cannot shrink, from {before} GB to {size} GB")
    if kind == "Premium_LRS":
        _check_premium(catalogue, bodies.get(sent, "properties.storage") or {}, storage, size)
    else:
        _check_provisioned(catalogue.servers["provisioned_storage"][kind], storage, kind)


def _check_premium(catalogue: Catalogue, sent: Mapping[str, Any], storage: Mapping[str, Any], size: int) -> None:
    sizes: dict[int, list[object]] = catalogue.servers["storage"]
    if size not in sizes:
        raise invalid_parameter("storageSizeGB", f"{size} is not a size; allowed: {', '.join(map(str, sizes))}")
    tiers: dict[str, int] = catalogue.servers["storage_tiers"]
    names, tier = list(tiers), storage.get("tier")
    lowest = str(sizes[size][0])
    highest = "P50" if size <= 4096 else "P80"
    if tier and (tier not in tiers or not names.index(lowest) <= names.index(tier) <= names.index(highest)):
        raise invalid_parameter("storage", f"{size} GB can have the tiers {lowest} to {highest}, not {tier}")
    if sent.get("throughput") is not None:
        raise invalid_parameter(
            "throughput", "the throughput is chosen for storage of the type PremiumV2_LRS or UltraSSD_LRS"
        )
    fixed = tiers[tier or lowest]
    if sent.get("iops") not in (None, fixed):
        raise invalid_parameter("iops", f"the tier {tier or lowest} has {fixed} IOPS; other numbers need PremiumV2_LRS")


def _check_provisioned(limits: Mapping[str, list[int]], storage: Mapping[str, Any], kind: str) -> None:
    """Refuse what Premium SSD v2 and Ultra disks do not have (azure-databases-docs, "Storage options")."""
    if storage.get("tier"):
        raise invalid_parameter("storage", f"storage of the type {kind} has no performance tier")
    if storage.get("autoGrow") == "Enabled":
        raise invalid_parameter("autoGrow", f"storage of the type {kind} does not grow by itself")
    for name, (low, high) in limits.items():
        value = storage.get(name)
        if value is not None and not low <= value <= high:
            raise invalid_parameter(name, f"{value} is not possible with {kind}; allowed: {low} to {high}")


def _check_cluster(merged: Json, existing: Json | None, *, has_origin: bool) -> None:
    """Refuse an elastic cluster that cannot be (azurerm @69697b7; azure-databases-docs, "Elastic clusters")."""
    size = bodies.get(merged, "properties.cluster.clusterSize")
    before = bodies.get(existing, "properties.cluster.clusterSize") if existing else None
    if existing is not None and (size is None) != (before is None):
        raise invalid_parameter("cluster", "whether a server is a cluster is chosen at its creation")
    if size is None:
        return
    if not isinstance(size, int) or not 1 <= size <= 20:
        raise invalid_parameter("clusterSize", f"{size} is not possible; allowed: 1 to 20")
    if int(bodies.get(merged, "properties.version")) < 17:
        raise invalid_parameter("cluster", "elastic clusters need version 17 or later")
    if bodies.get(merged, "properties.storage.autoGrow") == "Enabled":
        raise invalid_parameter("autoGrow", "the storage of an elastic cluster does not grow by itself")
    if has_origin:
        raise invalid_parameter("createMode", "an elastic cluster is made with the create mode Default")
    if before is not None and size < before:
        raise invalid_parameter("clusterSize", f"a cluster cannot shrink, from {before} nodes to {size}")


def _check_login(catalogue: Catalogue, sent: Json, merged: Json, existing: Json | None) -> None:
    password_auth = bodies.get(merged, "properties.authConfig.passwordAuth") == "Enabled"
    entra = bodies.get(merged, "properties.authConfig.activeDirectoryAuth") == "Enabled"
    login = bodies.get(sent, "properties.administratorLogin")
    password = bodies.get(sent, "properties.administratorLoginPassword")
    if not password_auth and not entra:
        raise invalid_parameter("authConfig", "neither password nor Microsoft Entra authentication is enabled")
    if not password_auth:
        if password:
            raise invalid_parameter("administratorLoginPassword", "password authentication is disabled")
        if login and existing is None:
            raise invalid_parameter("administratorLogin", "password authentication is disabled")
        return
    known = login or bodies.get(merged, "properties.administratorLogin")
    if not known:
        raise invalid_parameter("administratorLogin", "password authentication needs a login")
    first_time = existing is None or not bodies.get(existing, "properties.administratorLogin")
    if first_time and not password:
        raise invalid_parameter("administratorLoginPassword", "password authentication needs a password")
    if first_time:
        _check_login_name(catalogue, str(known))
    if password:
        problem = password_problem(str(known), str(password))
        if problem:
            raise invalid_parameter("administratorLoginPassword", problem)


def _check_login_name(catalogue: Catalogue, login: str) -> None:
    reserved: list[str] = catalogue.servers["reserved_logins"]
    if not _LOGIN.fullmatch(login) or login.lower() in reserved or login.lower().startswith("pg_"):
        why = f"'{login}' must be 1 to 63 letters, digits or _, and none of {', '.join(reserved)}, pg_*"
        raise invalid_parameter("administratorLogin", why)


def password_problem(login: str, password: str) -> str | None:
    """Return why a password is refused, without showing it, or None."""
    if not 8 <= len(password) <= 128:
        return "a password has 8 to 128 characters"
    classes: list[Callable[[str], bool]] = [str.isupper, str.islower, str.isdigit, lambda c: not c.isalnum()]
    if sum(any(test(c) for c in password) for test in classes) < 3:
        return "a password has characters of three of: upper case, lower case, digits, others"
    runs = {login.lower()[i : i + 3] for i in range(len(login) - 2)}
    if any(run in password.lower() for run in runs):
        return "a password does not contain three or more characters of the login in a row"
    return None


def _check_version(merged: Json, existing: Json | None) -> None:
    if existing is None:
        return
    before, after = bodies.get(existing, "properties.version"), bodies.get(merged, "properties.version")
    if int(after) < int(before):
        raise invalid_parameter("version", f"a server cannot go back from version {before} to {after}")
    if int(after) > int(before):
        raise ArmError(
            400,
            "MajorVersionUpgradeNotAvailable",
            f"The emulator does not upgrade a server from version {before} to {after}. Azure does, in place; "
            "here, create a new server.",
        )


def check_firewall_range(body: Json) -> None:
    """Refuse a firewall rule whose addresses are not a range of IPv4 addresses."""
    ends = []
    for path in ("startIpAddress", "endIpAddress"):
        value = bodies.get(body, f"properties.{path}")
        try:
            ends.append(ipaddress.IPv4Address(value))
        except ValueError:
            raise invalid_parameter(path, f"'{value}' is not an IPv4 address") from None
    if ends[0] > ends[1]:
        raise invalid_parameter("endIpAddress", f"the range ends at {ends[1]}, before it begins at {ends[0]}")
