"""What a server may be asked for: disk, zones, standby, maintenance; each mistake with its path and what is allowed."""

from __future__ import annotations

from typing import Any

import pytest

from components.catalogue.server_sizes import STORAGE_GB
from components.mistakes import SettingsError
from components.settings import StackSettings
from components.storage_rules import tiers_of

BASE: dict[str, Any] = {
    "authentication": {"administrators": [{"name": "team", "objectId": "33333333-3333-4333-8333-333333333333"}]},
    "network": {"mode": "public"},
    "firewall": {"rules": {"office": {"start": "203.0.113.1"}}},
    "extensions": ["vector"],
}
GENERAL = {"sku": {"name": "Standard_D4ds_v5", "tier": "GeneralPurpose"}}
FAST = {"type": "PremiumV2_LRS", "iops": 4000, "throughput": 200}
V2 = {**GENERAL, "autoGrow": False, "storage": FAST}
IDENTITY = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/disk"
KEY = "https://vault.example.net/keys/disk"
KEYS = {"keyUri": KEY, "identityId": IDENTITY}
CLUSTER = {**GENERAL, "version": "17", "autoGrow": False, "cluster": {"nodes": 2}}


def parsed(server: dict[str, Any]) -> StackSettings:
    return StackSettings.parse({**BASE, "server": server})


def mistakes(server: dict[str, Any]) -> dict[str, str]:
    with pytest.raises(SettingsError) as caught:
        parsed(server)
    return {mistake.path: mistake.message for mistake in caught.value.mistakes}


@pytest.mark.parametrize(
    "server",
    [
        {"storage": {"tier": "P10"}},
        {"storageGb": 4096, "storage": {"tier": "P50"}},
        {"storageGb": 8192, "storage": {"tier": "P80"}},
        {**V2, "storageGb": 100},
        {**V2, "storage": {"type": "ultrassd_lrs", "iops": 100, "throughput": 1}},
        {**GENERAL, "zone": 2, "highAvailability": {"mode": "ZoneRedundant", "standbyZone": "3"}},
        {**GENERAL, "highAvailability": {"mode": "SameZone"}},
        {"maintenance": {"day": "sunday", "hour": 2}},
        {"geoRedundantBackup": True},
        {"minimumTls": "tlsv1.3"},
        {"identities": [IDENTITY]},
        {"encryption": KEYS},
        {"geoRedundantBackup": True, "encryption": {**KEYS, "geoKeyUri": KEY, "geoIdentityId": IDENTITY}},
        {**CLUSTER, "replicas": {"near": {}}},
        {**GENERAL, "replicas": {"near": {}, "far": {"location": "westus3", "storageGb": 64}}},
        {**GENERAL, "virtualEndpoint": {"name": "contracts-db"}},
        {**GENERAL, "pgbouncer": {"poolMode": "session", "defaultPoolSize": 100}},
        {"pgbouncer": {"enabled": False}},
    ],
    ids=str,
)
def test_what_azure_has_is_taken(server: dict[str, Any]) -> None:
    assert parsed(server).notes == ()


# the server's settings, path of the mistake below `server`, words that its message must have
ORIGIN = {
    "serverId": "/subscriptions/s/resourceGroups/g/providers/Microsoft.DBforPostgreSQL/flexibleServers/psql-old",
    "pointInTime": "2026-01-31T12:00:00Z",
}
BAD: list[tuple[dict[str, Any], str, list[str]]] = [
    ({"storageGb": 100}, "storageGb", ["100 GiB is not offered; allowed: 32, 64"]),
    ({"storage": {"tier": "P8"}}, "storage.tier", ["allowed: P4, P6, P10"]),
    ({"storageGb": 128, "storage": {"tier": "P6"}}, "storage.tier", ["P6 does not fit 128 GiB; allowed: P10, P15"]),
    ({"storageGb": 4096, "storage": {"tier": "P60"}}, "storage.tier", ["allowed: P50"]),
    ({"storage": {"iops": 3000}}, "storage.iops", ["follows the tier"]),
    ({"storage": {"throughput": 200}}, "storage.throughput", ["follows the tier"]),
    ({"storage": {"type": "Floppy"}}, "storage.type", ["Premium_LRS, PremiumV2_LRS"]),
    ({**V2, "storageGb": 16}, "storageGb", ["allowed: 32 to 65536"]),
    ({**V2, "autoGrow": True}, "autoGrow", ["must be false with PremiumV2_LRS"]),
    ({**V2, "storage": {**FAST, "tier": "P20"}}, "storage.tier", ["takes iops and throughput"]),
    ({**V2, "storage": {**FAST, "iops": 10}}, "storage.iops", ["allowed: 3000 to 80000"]),
    ({**V2, "storage": {**FAST, "throughput": 5000}}, "storage.throughput", ["allowed: 125 to 1200"]),
    ({**V2, "storage": {"type": "PremiumV2_LRS", "iops": 3000}}, "storage.throughput", ["is missing"]),
    ({"autoGrow": False, "storage": FAST}, "storage.type", ["allowed: GeneralPurpose"]),
    ({"highAvailability": {"mode": "SameZone"}}, "highAvailability.mode", ["not offered on the Burstable tier"]),
    ({"highAvailability": {"mode": "Always"}}, "highAvailability.mode", ["SameZone, ZoneRedundant"]),
    ({"zone": 4}, "zone", ["allowed: 1, 2, 3"]),
    (
        {**GENERAL, "zone": 1, "highAvailability": {"mode": "ZoneRedundant", "standbyZone": 1}},
        "highAvailability.standbyZone",
        ["the server's own zone, 1"],
    ),
    (
        {**GENERAL, "highAvailability": {"mode": "ZoneRedundant", "standbyZone": 1}},
        "highAvailability.standbyZone",
        ["needs server.zone"],
    ),
    (
        {**GENERAL, "zone": 1, "highAvailability": {"mode": "SameZone", "standbyZone": 1}},
        "highAvailability.standbyZone",
        ["only with mode: ZoneRedundant"],
    ),
    ({"origin": {**ORIGIN, "mode": "Copy"}}, "origin.mode", ["PointInTimeRestore, GeoRestore, ReviveDropped"]),
    ({"origin": {**ORIGIN, "serverId": "psql-old"}}, "origin.serverId", ["the ARM id"]),
    ({"origin": {"serverId": ORIGIN["serverId"]}}, "origin.pointInTime", ["is missing"]),
    ({"origin": {**ORIGIN, "pointInTime": "yesterday"}}, "origin.pointInTime", ["no time in UTC"]),
    ({"origin": {**ORIGIN, "pointInTime": "2026-01-31T12:00:00"}}, "origin.pointInTime", ["no time in UTC"]),
    ({"origin": {**ORIGIN, "pointInTime": "2026-01-31T12:00:00+02:00"}}, "origin.pointInTime", ["no time in UTC"]),
    ({"origin": {**ORIGIN, "pointInTime": "2999-01-31T12:00:00Z"}}, "origin.pointInTime", ["still to come"]),
    (
        {**GENERAL, "origin": ORIGIN, "highAvailability": {"mode": "SameZone"}},
        "highAvailability.mode",
        ["Disabled while the server is restored"],
    ),
    (
        {"replicas": {"near": {}}},
        "replicas",
        ["not offered on the Burstable tier; allowed: GeneralPurpose, MemoryOptimized"],
    ),
    ({**GENERAL, "replicas": {f"r{n}": {} for n in range(6)}}, "replicas", ["6 replicas; at most 5"]),
    ({**GENERAL, "replicas": {"a-rather-long-name": {}}}, "replicas.a-rather-long-name", ["1 to 12"]),
    ({**GENERAL, "storageGb": 64, "replicas": {"near": {"storageGb": 32}}}, "replicas.near.storageGb", ["less than"]),
    (
        {**GENERAL, "replicas": {"near": {"sku": {"name": "Standard_D2ds_v5", "tier": "GeneralPurpose"}}}},
        "replicas.near.sku",
        ["smaller than the primary's Standard_D4ds_v5"],
    ),
    (
        {**GENERAL, "replicas": {"near": {"sku": {"name": "Standard_B2s", "tier": "Burstable"}}}},
        "replicas.near.sku",
        ["no size of a replica"],
    ),
    (
        {**GENERAL, "replicas": {"near": {}}, "virtualEndpoint": {"name": "contracts-db", "replica": "naer"}},
        "virtualEndpoint.replica",
        ["did you mean 'near'"],
    ),
    ({**GENERAL, "virtualEndpoint": {"name": "db"}}, "virtualEndpoint.name", ["3 to 63"]),
    ({"identities": ["disk"]}, "identities[0]", ["the ARM id of a user-assigned identity"]),
    ({"encryption": {"keyUri": KEY}}, "encryption.identityId", ["is missing"]),
    ({"encryption": {**KEYS, "keyUri": "disk"}}, "encryption.keyUri", ["https://<vault>/keys/<name>"]),
    ({"encryption": {**KEYS, "geoKeyUri": KEY}}, "encryption.geoKeyUri", ["only with server.geoRedundantBackup"]),
    (
        {"geoRedundantBackup": True, "encryption": {**KEYS, "geoKeyUri": KEY}},
        "encryption.geoIdentityId",
        ["needs a key in the paired region"],
    ),
    ({**CLUSTER, "cluster": {"nodes": 21}}, "cluster.nodes", ["at most 20"]),
    ({**CLUSTER, "version": "16"}, "version", ["16 has no elastic clusters"]),
    ({**CLUSTER, "autoGrow": True}, "autoGrow", ["must be false"]),
    ({**CLUSTER, "origin": ORIGIN}, "cluster", ["cannot be made from another server"]),
    ({**CLUSTER, "replicas": {"a": {}, "b": {}}}, "replicas", ["at most one replica"]),
    ({"minimumTls": "TLSv1.1"}, "minimumTls", ["TLSv1.2, TLSv1.3"]),
    ({"pgbouncer": {}}, "pgbouncer.enabled", ["not offered on the Burstable tier"]),
    ({**GENERAL, "pgbouncer": {"poolMode": "row"}}, "pgbouncer.poolMode", ["session, transaction, statement"]),
    ({**GENERAL, "pgbouncer": {"defaultPoolSize": 0}}, "pgbouncer.defaultPoolSize", ["at least 1"]),
    ({**GENERAL, "pgbouncer": {"enabled": False, "minPoolSize": 5}}, "pgbouncer", ["only while it is enabled"]),
    ({"maintenance": {"day": 0, "hour": 2}}, "maintenance.day", ["Sunday, Monday"]),
    ({"maintenance": {"day": "Sunday"}}, "maintenance.hour", ["is missing"]),
    ({"maintenance": {"day": "Sunday", "hour": 24}}, "maintenance.hour", ["at most 23"]),
    ({"maintenance": {"day": "Sunday", "hour": 2, "minute": 60}}, "maintenance.minute", ["at most 59"]),
]


@pytest.mark.parametrize(("server", "path", "words"), BAD, ids=[f"{bad[1]}={str(bad[0])[:40]}" for bad in BAD])
def test_what_azure_has_not_is_refused(server: dict[str, Any], path: str, words: list[str]) -> None:
    found = mistakes(server)
    assert list(found) == [f"server.{path}"], found
    for word in words:
        assert word in found[f"server.{path}"]


def test_a_parameter_with_a_setting_of_its_own_is_given_once() -> None:
    config = {
        **BASE,
        "server": {**GENERAL, "minimumTls": "TLSv1.3", "pgbouncer": {"poolMode": "session"}},
        "parameters": {
            "ssl_min_protocol_version": "TLSv1.2", "pgbouncer.enabled": True, "pgbouncer.pool_mode": "session",
            "pgbouncer.stats_users": "team",
        },
    }  # fmt: skip
    with pytest.raises(SettingsError) as caught:
        StackSettings.parse(config)
    assert {mistake.path: mistake.message for mistake in caught.value.mistakes} == {
        "parameters.ssl_min_protocol_version": "is set by server.minimumTls too; leave it out here",
        "parameters.pgbouncer.enabled": "is set by server.pgbouncer too; leave it out here",
        "parameters.pgbouncer.pool_mode": "is set by server.pgbouncer too; leave it out here",
    }


def test_a_time_is_spelt_in_one_way_and_a_standby_may_follow_the_restore() -> None:
    spelt = {**ORIGIN, "pointInTime": "2026-01-31T12:00:00+00:00"}
    origin = parsed({"origin": spelt}).server.origin
    assert origin is not None
    assert origin.point_in_time == "2026-01-31T12:00:00Z"
    assert "'contracts' must be in it" in " ".join(parsed({"origin": ORIGIN}).notes)
    done = {**GENERAL, "origin": {**ORIGIN, "restored": True}, "highAvailability": {"mode": "SameZone"}}
    assert parsed(done).notes == ()


def test_a_replica_that_could_not_take_the_primarys_place_is_told() -> None:
    endpoint = {"virtualEndpoint": {"name": "contracts-db", "replica": "near"}}
    assert parsed({**GENERAL, **endpoint, "replicas": {"near": {}}}).notes == ()
    larger = parsed({**GENERAL, **endpoint, "replicas": {"near": {"storageGb": 64}}})
    assert "refuses to swap them" in " ".join(larger.notes)


def test_a_way_in_without_tls_is_told() -> None:
    config = {**BASE, "parameters": {"require_secure_transport": False}}
    assert "without TLS" in " ".join(StackSettings.parse(config).notes)
    assert StackSettings.parse({**BASE, "server": {"minimumTls": "TLSv1.3"}}).notes == ()


def test_an_elastic_cluster_lacks_some_extensions() -> None:
    with pytest.raises(SettingsError) as caught:
        StackSettings.parse({**BASE, "extensions": ["vector", "timescaledb"], "server": CLUSTER})
    assert [mistake.path for mistake in caught.value.mistakes] == ["extensions[1]"]


def test_a_wrong_type_of_disk_makes_up_no_other_mistake() -> None:
    assert list(mistakes({"storageGb": 100, "storage": {"type": "V2"}})) == ["server.storage.type"]


def test_every_size_has_the_tier_that_it_comes_with_and_higher_ones() -> None:
    assert {size: tiers_of(size)[0] for size in STORAGE_GB} == {
        32: "P4", 64: "P6", 128: "P10", 256: "P15", 512: "P20", 1024: "P30", 2048: "P40", 4095: "P50", 4096: "P50",
        8192: "P60", 16384: "P70", 32767: "P80",
    }  # fmt: skip
    assert tiers_of(32)[-1] == "P50"
    assert tiers_of(8192)[-1] == "P80"
