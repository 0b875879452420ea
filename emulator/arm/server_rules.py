"""What the service refuses in a flexible server, beyond what the catalogue can say.

Sources: terraform-provider-azurerm 69697b7 (validators), the portal's texts as repeated in Microsoft's IDE plugins, and
the issues named below.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable

from emulator.arm import body as bodies
from emulator.arm.body import Json
from emulator.arm.catalogue import Catalogue
from emulator.arm.errors import ArmError, invalid_parameter

_LOGIN = re.compile(r"[a-zA-Z0-9_]{1,63}")


def check_server(catalogue: Catalogue, sent: Json, merged: Json, existing: Json | None) -> None:
    """Refuse a server that the service would refuse.

    Args:
        catalogue: SKUs, storage sizes, reserved names.
        sent: What the client sent.
        merged: The server as it would be.
        existing: The server as it is, or None.
    """
    _check_compute(catalogue, merged)
    _check_storage(catalogue, merged, existing)
    _check_login(catalogue, sent, merged, existing)
    _check_network(merged)
    _check_version(merged, existing)


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


def _check_storage(catalogue: Catalogue, merged: Json, existing: Json | None) -> None:
    size = bodies.get(merged, "properties.storage.storageSizeGB")
    sizes: dict[int, list[object]] = catalogue.servers["storage"]
    kind = bodies.get(merged, "properties.storage.type") or "Premium_LRS"
    if kind == "Premium_LRS" and size not in sizes:
        raise invalid_parameter("storageSizeGB", f"{size} is not a size; allowed: {', '.join(map(str, sizes))}")
    before = bodies.get(existing, "properties.storage.storageSizeGB") if existing else None
    if before is not None and size < before:
        raise invalid_parameter("storageSizeGB", f"storage cannot shrink, from {before} GB to {size} GB")
    tier = bodies.get(merged, "properties.storage.tier")
    if kind != "Premium_LRS" or not tier:
        return
    tiers: list[str] = catalogue.servers["storage_tiers"]
    lowest = str(sizes[size][0])
    highest = "P50" if size <= 4096 else "P80"
    if tier not in tiers or not tiers.index(lowest) <= tiers.index(tier) <= tiers.index(highest):
        raise invalid_parameter("storage", f"{size} GB can have the tiers {lowest} to {highest}, not {tier}")


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


def _check_network(merged: Json) -> None:
    if not bodies.get(merged, "properties.network.delegatedSubnetResourceId"):
        return
    # terraform-provider-azurerm #24549 and #27732
    zone = str(bodies.get(merged, "properties.network.privateDnsZoneArmResourceId") or "")
    if not zone.lower().endswith(".postgres.database.azure.com"):
        why = "a server in a subnet needs a private DNS zone that ends with .postgres.database.azure.com"
        raise invalid_parameter("privateDnsZoneArmResourceId", why)
    if bodies.get(merged, "properties.network.publicNetworkAccess") == "Enabled":
        raise invalid_parameter("publicNetworkAccess", "a server in a subnet has public network access disabled")


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
