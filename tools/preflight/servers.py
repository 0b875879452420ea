"""Whether the region offers the server: size, version, storage, zones, high availability, backups elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tools.preflight.finding import OK, PROBLEM, UNKNOWN, Finding

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from tools.preflight.resource_manager import ResourceManager
    from tools.preflight.wanted import Wanted, WantedServer

CHECK = "server"


def check(wanted: Wanted, manager: ResourceManager) -> list[Finding]:
    """Look at what the region offers to this subscription."""
    if wanted.server.given is not None:
        return [Finding(check=CHECK, status=OK, found="The server is there; none is made.")]
    path = f"{manager.scope}/providers/Microsoft.DBforPostgreSQL/locations/{wanted.location}/capabilities"
    return judge(wanted.server, wanted.location, manager.list(path), f"GET {path}")


def judge(server: WantedServer, location: str, capabilities: Sequence[Mapping[str, Any]], read: str) -> list[Finding]:
    """Compare the server with the region's list."""
    if not capabilities:
        return [
            Finding(
                check=CHECK,
                status=UNKNOWN,
                found=f"{location} lists nothing for servers.",
                do="Look in the portal whether this subscription may have flexible servers there.",
                read=read,
            )
        ]
    wrong = [
        Finding(check=CHECK, status=PROBLEM, found=found, do=way_out, read=read)
        for found, way_out in _problems(server, location, capabilities)
    ]
    if wrong:
        return wrong
    extras = [
        *([f"high availability {server.high_availability}"] if server.high_availability != "Disabled" else []),
        *([f"zones {', '.join(server.zones)}"] if server.zones else []),
        *(["geo-redundant backup"] if server.geo_backup else []),
    ]
    what = ", ".join([f"PostgreSQL {server.version}", server.sku, f"{server.storage_gb} GiB", *extras])
    return [Finding(check=CHECK, status=OK, found=f"{location} offers {what}.", read=read)]


def _problems(
    server: WantedServer, location: str, capabilities: Sequence[Mapping[str, Any]]
) -> Iterator[tuple[str, str]]:
    """Yield what is wrong, and the way out of it."""
    restricted = [entry for entry in capabilities if entry.get("restricted") == "Enabled"]
    if restricted:
        reason = _reason(restricted[0])
        yield (
            f"{location} is closed to this subscription{reason}.",
            "Choose another region, or ask support for access to this one (quota type: Azure Database for PostgreSQL).",
        )
        return
    versions = _available(entry for one in capabilities for entry in one.get("supportedServerVersions") or [])
    if server.version not in versions:
        yield f"{location} has no PostgreSQL {server.version} for new servers.", f"There is: {', '.join(versions)}."
    editions = [edition for one in capabilities for edition in one.get("supportedServerEditions") or []]
    tier = next((edition for edition in editions if edition.get("name") == server.tier), None)
    if tier is None:
        yield (
            f"{location} has no tier {server.tier}.",
            f"There is: {', '.join(sorted(str(edition.get('name')) for edition in editions)) or 'none'}.",
        )
        return
    yield from _size_problems(server, location, tier)
    if server.geo_backup and not _has(capabilities, "GeoBackup", "geoBackupSupported"):
        yield (
            f"{location} has no geo-redundant backup.",
            "Choose a region with a pair, or leave it out; it cannot be changed after the server is made.",
        )
    if server.auto_grow and not _has(capabilities, "StorageAutoGrowth", "storageAutoGrowthSupported"):
        yield (
            f"{location} has no storage that grows by itself.",
            "Set server.autoGrow: false, or choose another region.",
        )


def _size_problems(server: WantedServer, location: str, tier: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    sizes = tier.get("supportedServerSkus") or []
    size = next((sku for sku in sizes if sku.get("name") == server.sku), None)
    offered = _available(sizes)
    if size is None or server.sku not in offered:
        reason = _reason(size) if size else ""
        yield f"{location} has no {server.sku}{reason}.", f"There is: {', '.join(offered) or 'none'}."
    else:
        modes, zones = size.get("supportedHaMode") or [], size.get("supportedZones") or []
        if server.high_availability != "Disabled" and server.high_availability not in modes:
            yield (
                f"{location} has no high availability {server.high_availability} for {server.sku}.",
                f"There is: {', '.join(modes) or 'none'}; or choose another size or region.",
            )
        missing = [zone for zone in server.zones if zone not in zones]
        if missing:
            yield (
                f"{location} has no zone {', '.join(missing)} for {server.sku}.",
                f"There is: {', '.join(zones) or 'none'}.",
            )
    storage = {
        int(step.get("storageSizeMb") or 0) // 1024
        for edition in tier.get("supportedStorageEditions") or []
        for step in edition.get("supportedStorageMb") or []
    }
    if storage and server.storage_gb not in storage:
        yield (
            f"{location} has no storage of {server.storage_gb} GiB for {server.tier}.",
            f"There is: {', '.join(str(size) for size in sorted(storage))}.",
        )


def _available(entries: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the names of what may be had: an entry that may not carries the status Disabled, or a reason."""
    return [
        str(entry.get("name")) for entry in entries if entry.get("status") != "Disabled" and not entry.get("reason")
    ]


def _reason(entry: Mapping[str, Any]) -> str:
    return f" ({entry['reason']})" if entry.get("reason") else ""


def _has(capabilities: Sequence[Mapping[str, Any]], feature: str, older: str) -> bool:
    """Tell whether a feature is offered; the older property goes away, says the specification, and is asked second."""
    for entry in capabilities:
        listed = {item.get("name"): item.get("status") for item in entry.get("supportedFeatures") or []}
        if feature in listed:
            return bool(listed[feature] == "Enabled")
    return any(entry.get(older) == "Enabled" for entry in capabilities)
