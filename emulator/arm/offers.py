"""What a region offers: compute, storage, versions, zones and backups of servers, price tiers of accounts, names.

Sources: azure-rest-api-specs, postgresql 2025-08-01 (Capability) and cognitiveservices 2025-06-01 (ResourceSku,
DomainAvailability); azure-docs, "Azure region pairs and nonpaired regions"; azure-databases-docs, "High availability":
not on Burstable. The values follow the catalogue; on Azure they follow the subscription too.
"""

from __future__ import annotations

from emulator.arm import accounts
from emulator.arm import body as bodies
from emulator.arm.body import Json
from emulator.arm.catalogue import Catalogue, ServerSku
from emulator.arm.store import Store

_SERVERS = "microsoft.dbforpostgresql/flexibleservers"
_OLDEST = 13  # azure-databases-docs, "Supported versions" (2026): new servers have no older one
_WITHOUT_PAIR = frozenset({"israelcentral", "italynorth", "polandcentral", "qatarcentral", "spaincentral"})
_ZONES = ["1", "2", "3"]


def server_capabilities(catalogue: Catalogue, location: str) -> Json:
    """Return what servers in a region may be."""
    zones = location in catalogue.servers["regions_with_zones"]
    geo = location not in _WITHOUT_PAIR
    tiers = sorted({sku.tier for sku in catalogue.server_skus.values()})
    versions = [name for name in catalogue.types[_SERVERS].allowed["properties.version"] if int(name) >= _OLDEST]
    return {
        "name": "FlexibleServerCapabilities",
        "supportedServerEditions": [_edition(catalogue, tier, zones=zones) for tier in tiers],
        "supportedServerVersions": [
            {"name": name, "supportedVersionsToUpgrade": [later for later in versions if int(later) > int(name)]}
            for name in versions
        ],
        "supportedFeatures": [
            {"name": "GeoBackup", "status": _switch(geo)},
            {"name": "ZoneRedundantHa", "status": _switch(zones)},
            {"name": "StorageAutoGrowth", "status": "Enabled"},
        ],
        "fastProvisioningSupported": "Disabled",
        "geoBackupSupported": _switch(geo),
        "zoneRedundantHaSupported": _switch(zones),
        "zoneRedundantHaAndGeoBackupSupported": _switch(zones and geo),
        "storageAutoGrowthSupported": "Enabled",
        "onlineResizeSupported": "Enabled",
        "restricted": "Disabled",
    }


def _edition(catalogue: Catalogue, tier: str, *, zones: bool) -> Json:
    skus = [sku for sku in catalogue.server_skus.values() if sku.tier == tier]
    return {
        "name": tier,
        "defaultSkuName": skus[0].name,
        "supportedStorageEditions": [
            {
                "name": "ManagedDisk",
                "defaultStorageSizeMb": 32 * 1024,
                "supportedStorageMb": [
                    {"storageSizeMb": size * 1024, "defaultIopsTier": default, "supportedIops": iops}
                    for size, (default, iops) in catalogue.servers["storage"].items()
                ],
            }
        ],
        "supportedServerSkus": [_sku(sku, zones=zones) for sku in skus],
    }


def _sku(sku: ServerSku, *, zones: bool) -> Json:
    burstable = sku.tier == "Burstable"
    modes = [] if burstable else ["SameZone", *(["ZoneRedundant"] if zones else [])]
    return {
        "name": sku.name,
        "vCores": sku.vcores,
        "supportedMemoryPerVcoreMb": sku.memory_gib * 1024 // sku.vcores,
        "supportedZones": _ZONES if zones else [],
        "supportedHaMode": modes,
    }


def account_skus(catalogue: Catalogue) -> list[Json]:
    """Return the price tiers of each kind of account; every one is offered in every region."""
    return [
        {
            "resourceType": "accounts",
            "kind": kind,
            "name": name,
            "tier": "Free" if name == "F0" else "Standard",
            "locations": [location.upper() for location in catalogue.locations],
            "restrictions": [],
        }
        for kind, names in catalogue.accounts["skus"].items()
        for name in names
    ]


def domain_availability(store: Store, asked: Json) -> Json:
    """Return whether a subdomain is free; a soft-deleted account holds its own still."""
    subdomain = str(asked.get("subdomainName", ""))
    taken = any(
        str(bodies.get(account.body, "properties.customSubDomainName") or "").lower() == subdomain.lower()
        for account in [*store.of_type(accounts.TYPE), *store.deleted()]
    )
    answer: Json = {"isSubdomainAvailable": not taken, "subdomainName": subdomain, "type": asked.get("type")}
    if taken:
        answer["reason"] = f"Sub domain name '{subdomain}' is already used. Please pick a different name."
    return answer


def _switch(on: bool) -> str:
    return "Enabled" if on else "Disabled"
