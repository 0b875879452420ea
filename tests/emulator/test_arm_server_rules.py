"""What a production server may be: availability, storage, clusters, keys, origins, replicas and their endpoints."""

import datetime as dt
import uuid
from typing import Any

import pytest

from emulator.arm import operations
from tests.emulator.arm_daemon import GROUP, SERVERS, ArmDaemon, server_body

GENERAL = {"name": "Standard_D2ds_v5", "tier": "GeneralPurpose"}
STORAGE = {"storageSizeGB": 128}


def body(location: str = "eastus2", **properties: Any) -> dict[str, Any]:
    """Return the body of a server with two cores; properties replace the defaults."""
    return {**server_body(**{"storage": STORAGE, **properties}), "sku": GENERAL, "location": location}


def patch(**properties: Any) -> dict[str, Any]:
    return {"properties": properties}


# Availability


def test_a_standby_has_a_zone_of_its_own(arm: ArmDaemon) -> None:
    made = arm.done("PUT", f"{SERVERS}/available", body(highAvailability={"mode": "ZoneRedundant"}))
    assert made["properties"]["highAvailability"] == {
        "mode": "ZoneRedundant", "state": "Healthy", "standbyAvailabilityZone": "2",
    }  # fmt: skip
    path = f"{SERVERS}/available"
    off = arm.done("PATCH", path, patch(highAvailability={"mode": "Disabled"}))
    assert off["properties"]["highAvailability"] == {"mode": "Disabled", "state": "NotEnabled"}
    same = arm.done("PATCH", path, patch(highAvailability={"mode": "SameZone"}))
    assert same["properties"]["highAvailability"]["standbyAvailabilityZone"] == "1"


@pytest.mark.parametrize(
    ("location", "zone", "availability", "expected"),
    [
        ("westus", "1", {"mode": "ZoneRedundant"}, "westus has no availability zones"),
        ("eastus2", "2", {"mode": "ZoneRedundant", "standbyAvailabilityZone": "2"}, "take another"),
        ("eastus2", "1", {"mode": "SameZone", "standbyAvailabilityZone": "2"}, "is the primary's, 1"),
        ("eastus2", "1", {"mode": "Disabled", "standbyAvailabilityZone": "2"}, "needs high availability"),
        ("eastus2", "4", {"mode": "Disabled"}, "'4' is no zone"),
    ],
)
def test_zones_that_cannot_be(
    arm: ArmDaemon, location: str, zone: str, availability: dict[str, str], expected: str
) -> None:
    wanted = body(location, availabilityZone=zone, highAvailability=availability)
    assert expected in arm.refused("PUT", f"{SERVERS}/odd", wanted)[2]


# Storage


def test_a_higher_tier_brings_its_iops(arm: ArmDaemon) -> None:
    made = arm.done("PUT", f"{SERVERS}/tiers", body(storage={**STORAGE, "tier": "P20"}))
    assert made["properties"]["storage"]["iops"] == 2300
    lower = arm.done("PATCH", f"{SERVERS}/tiers", patch(storage={"tier": "P10"}))
    assert (lower["properties"]["storage"]["tier"], lower["properties"]["storage"]["iops"]) == ("P10", 500)


def test_premium_v2_has_numbers_of_its_own(arm: ArmDaemon) -> None:
    storage = {"type": "PremiumV2_LRS", "storageSizeGB": 100, "iops": 4000}
    made = arm.done("PUT", f"{SERVERS}/second", body(storage=storage))
    assert made["properties"]["storage"] == {**storage, "throughput": 125, "autoGrow": "Disabled"}


@pytest.mark.parametrize(
    ("storage", "expected"),
    [
        ({"storageSizeGB": 128, "iops": 3000}, "P10 has 500 IOPS"),
        ({"storageSizeGB": 128, "throughput": 200}, "PremiumV2_LRS or UltraSSD_LRS"),
        ({"storageSizeGB": 128, "type": "PremiumV2_LRS", "tier": "P20"}, "no performance tier"),
        ({"storageSizeGB": 128, "type": "PremiumV2_LRS", "autoGrow": "Enabled"}, "does not grow"),
        ({"storageSizeGB": 128, "type": "PremiumV2_LRS", "iops": 10}, "allowed: 3000 to 80000"),
        ({"storageSizeGB": 16, "type": "PremiumV2_LRS"}, "allowed: 32 to 65536"),
        ({"storageSizeGB": 128, "type": "Floppy"}, "allowed: Premium_LRS"),
    ],
)
def test_storage_that_cannot_be(arm: ArmDaemon, storage: dict[str, Any], expected: str) -> None:
    assert expected in arm.refused("PUT", f"{SERVERS}/odd", body(storage=storage))[2]


# Maintenance, size, clusters


def test_a_maintenance_window_is_kept(arm: ArmDaemon) -> None:
    window = {"customWindow": "Enabled", "dayOfWeek": 0, "startHour": 2, "startMinute": 30}
    made = arm.done("PUT", f"{SERVERS}/window", body(maintenanceWindow=window))
    assert made["properties"]["maintenanceWindow"] == window
    late = {**window, "startHour": 24}
    assert "allowed: 0 to 23" in arm.refused("PATCH", f"{SERVERS}/window", patch(maintenanceWindow=late))[2]


def test_another_size_restarts_the_server_and_leaves_it_ready(arm: ArmDaemon, monkeypatch: pytest.MonkeyPatch) -> None:
    arm.done("PUT", f"{SERVERS}/growing", body())
    monkeypatch.setattr(operations, "MINIMUM_SECONDS", 1.0)
    answer = arm.call("PATCH", f"{SERVERS}/growing", {"sku": {"name": "Standard_D4ds_v5", "tier": "GeneralPurpose"}})
    assert answer.status_code == 202
    assert arm.call("GET", f"{SERVERS}/growing").json()["properties"]["state"] == "Updating"
    while arm.call("GET", answer.headers["Azure-AsyncOperation"]).json()["status"] == "InProgress":
        pass
    assert arm.call("GET", f"{SERVERS}/growing").json()["properties"]["state"] == "Ready"
    assert ("restart", "growing") in arm.backend.calls


@pytest.mark.parametrize(
    ("properties", "expected"),
    [
        ({"version": "16", "cluster": {"clusterSize": 2}}, "need version 17"),
        ({"version": "17", "cluster": {"clusterSize": 21}}, "allowed: 1 to 20"),
    ],
)
def test_clusters_that_cannot_be(arm: ArmDaemon, properties: dict[str, Any], expected: str) -> None:
    assert expected in arm.refused("PUT", f"{SERVERS}/odd", body(**properties))[2]


def test_a_cluster_has_one_database(arm: ArmDaemon) -> None:
    cluster = {"clusterSize": 2, "defaultDatabaseName": "contracts"}
    growing = body(version="17", cluster=cluster, storage={**STORAGE, "autoGrow": "Enabled"})
    assert "does not grow" in arm.refused("PUT", f"{SERVERS}/single", growing)[2]
    arm.done("PUT", f"{SERVERS}/single", body(version="17", cluster=cluster))
    assert arm.call("GET", f"{SERVERS}/single/databases/contracts").status_code == 200
    assert "has one database" in arm.refused("PUT", f"{SERVERS}/single/databases/other", {})[2]


def test_a_cluster_grows_and_does_not_shrink(arm: ArmDaemon) -> None:
    arm.done("PUT", f"{SERVERS}/cluster", body(version="17", cluster={"clusterSize": 2}))
    arm.done("PATCH", f"{SERVERS}/cluster", patch(cluster={"clusterSize": 4}))
    assert "cannot shrink" in arm.refused("PATCH", f"{SERVERS}/cluster", patch(cluster={"clusterSize": 2}))[2]


# Keys of the customer


def test_a_key_needs_an_identity_that_may_use_it(arm: ArmDaemon) -> None:
    vault = f"{GROUP}/providers/Microsoft.KeyVault/vaults/disk-keys"
    identity = f"{GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/disk"
    properties = {
        "sku": {"name": "standard", "family": "A"}, "tenantId": arm.environment["AZURE_TENANT_ID"],
        "enableRbacAuthorization": True,
    }  # fmt: skip
    arm.done("PUT", vault, {"location": "eastus2", "properties": properties})
    key = arm.done("PUT", f"{vault}/keys/disk", {"properties": {"kty": "RSA", "keySize": 3072}})
    principal = arm.done("PUT", identity, {"location": "eastus2"})["properties"]["principalId"]
    encryption = {
        "type": "AzureKeyVault",
        "primaryKeyURI": key["properties"]["keyUriWithVersion"],
        "primaryUserAssignedIdentityId": identity,
    }
    wanted = body(dataEncryption=encryption)
    path = f"{SERVERS}/encrypted"
    assert "is not assigned to the server" in arm.refused("PUT", path, wanted)[2]
    wanted["identity"] = {"type": "SystemAssigned,UserAssigned", "userAssignedIdentities": {identity: {}}}
    assert "purge protection" in arm.refused("PUT", path, wanted)[2]
    arm.done("PATCH", vault, {"properties": {"enablePurgeProtection": True}})
    assert arm.refused("PUT", path, wanted)[1] == "AzureKeyVaultMissingPermissions"
    role = "/providers/Microsoft.Authorization/roleDefinitions/e147488a-f6f5-4113-8e2d-b22465e65bf6"
    assignment = f"{vault}/providers/Microsoft.Authorization/roleAssignments/{uuid.uuid4()}"
    arm.done("PUT", assignment, {"properties": {"principalId": principal, "roleDefinitionId": role}})
    made = arm.done("PUT", path, wanted)
    assert made["properties"]["dataEncryption"] == encryption
    assert made["identity"]["userAssignedIdentities"][identity]["principalId"] == principal
    back = patch(dataEncryption={"type": "SystemManaged"})
    assert "chosen at creation" in arm.refused("PATCH", path, back)[2]


def test_an_identity_that_is_not_there(arm: ArmDaemon) -> None:
    absent = f"{GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/absent"
    wanted = {**body(), "identity": {"type": "UserAssigned", "userAssignedIdentities": {absent: {}}}}
    assert arm.refused("PUT", f"{SERVERS}/odd", wanted)[1] == "FailedIdentityOperation"


# Made from another server


@pytest.fixture(scope="module")
def origin(arm: ArmDaemon) -> str:
    """A server to make others from."""
    backup = {"backupRetentionDays": 14, "geoRedundantBackup": "Enabled"}
    return str(arm.done("PUT", f"{SERVERS}/origin", body(backup=backup))["id"])


def made_from(source: str, mode: str, location: str = "eastus2", **properties: Any) -> dict[str, Any]:
    """Return the body of a server that is made from another one."""
    origin = {"createMode": mode, "sourceServerResourceId": source, **properties}
    return {"location": location, "sku": GENERAL, "properties": origin}


def moment(**ago: float) -> str:
    return (dt.datetime.now(dt.UTC) - dt.timedelta(**ago)).isoformat()


def test_a_restore_takes_version_and_size_from_its_source(arm: ArmDaemon, origin: str) -> None:
    made = arm.done("PUT", f"{SERVERS}/restored", made_from(origin, "PointInTimeRestore", pointInTimeUTC=moment()))
    assert made["properties"]["version"] == "16"
    assert made["properties"]["storage"]["storageSizeGB"] == 128
    assert made["properties"]["authConfig"]["activeDirectoryAuth"] == "Enabled"
    assert made["properties"]["replicationRole"] == "Primary"
    assert "pointInTimeUTC" not in made["properties"]


def test_a_geo_restore_goes_elsewhere(arm: ArmDaemon, origin: str) -> None:
    arm.done("PUT", f"{SERVERS}/elsewhere", made_from(origin, "GeoRestore", "centralus", pointInTimeUTC=moment()))
    assert "paired region" in arm.refused("PUT", f"{SERVERS}/odd", made_from(origin, "GeoRestore"))[2]


@pytest.mark.parametrize(
    ("mode", "properties", "expected"),
    [
        ("PointInTimeRestore", {"pointInTimeUTC": moment(days=-1)}, "outside of what can be restored"),
        ("PointInTimeRestore", {"pointInTimeUTC": moment(days=400)}, "outside of what can be restored"),
        ("PointInTimeRestore", {"pointInTimeUTC": "yesterday"}, "is no time"),
        ("PointInTimeRestore", {"pointInTimeUTC": "now", "version": "17"}, "of version 16"),
        ("PointInTimeRestore", {"pointInTimeUTC": "now", "storage": {"storageSizeGB": 64}}, "cannot have less"),
        ("Replica", {"highAvailability": {"mode": "SameZone"}}, "has no high availability"),
        ("Replica", {"sourceServerResourceId": f"{SERVERS}/absent"}, "there is no server"),
        ("Replica", {"sourceServerResourceId": ""}, "needs the server to make it from"),
        ("ReviveDropped", {}, "there is no dropped server"),
    ],
)
def test_origins_that_cannot_be(
    arm: ArmDaemon, origin: str, mode: str, properties: dict[str, Any], expected: str
) -> None:
    now = {"pointInTimeUTC": moment()} if properties.get("pointInTimeUTC") == "now" else {}
    assert expected in arm.refused("PUT", f"{SERVERS}/odd", made_from(origin, mode, **{**properties, **now}))[2]


def test_a_burstable_server_has_no_replicas(arm: ArmDaemon) -> None:
    arm.server("small")
    assert (
        "GeneralPurpose or MemoryOptimized"
        in arm.refused("PUT", f"{SERVERS}/odd", made_from(f"{SERVERS}/small", "Replica"))[2]
    )


def test_a_dropped_server_is_revived(arm: ArmDaemon) -> None:
    arm.done("PUT", f"{SERVERS}/mortal", body())
    arm.done("DELETE", f"{SERVERS}/mortal")
    wrong = made_from(f"{SERVERS}/mortal", "ReviveDropped", "westeurope")
    assert "was in eastus2" in arm.refused("PUT", f"{SERVERS}/again", wrong)[2]
    arm.done("PUT", f"{SERVERS}/again", made_from(f"{SERVERS}/mortal", "ReviveDropped"))


def test_a_server_made_from_another_has_its_databases_and_a_replica_its_rules_too(arm: ArmDaemon) -> None:
    source = f"{SERVERS}/parent"
    arm.done("PUT", source, body())
    arm.done("PUT", f"{source}/databases/contracts", {})
    arm.done(
        "PUT",
        f"{source}/firewallRules/office",
        {"properties": {"startIpAddress": "203.0.113.1", "endIpAddress": "203.0.113.1"}},
    )
    made = arm.done("PUT", f"{SERVERS}/child", made_from(source, "PointInTimeRestore", pointInTimeUTC=moment()))
    assert "sourceServerResourceId" not in made["properties"]
    arm.done("PUT", f"{SERVERS}/follower", made_from(source, "Replica"))
    for name, rules in (("child", 0), ("follower", 1)):
        assert arm.call("GET", f"{SERVERS}/{name}/databases/contracts").status_code == 200
        assert len(arm.call("GET", f"{SERVERS}/{name}/firewallRules").json()["value"]) == rules
    arm.done("DELETE", f"{SERVERS}/child")
    arm.done("PUT", f"{SERVERS}/again-child", made_from(f"{SERVERS}/child", "ReviveDropped"))
    assert arm.call("GET", f"{SERVERS}/again-child/databases/contracts").status_code == 200


# Replicas


def test_a_replica_becomes_a_server_of_its_own(arm: ArmDaemon, origin: str) -> None:
    made = arm.done("PUT", f"{SERVERS}/reader", made_from(origin, "Replica"))
    assert made["properties"]["replicationRole"] == "AsyncReplica"
    assert made["properties"]["sourceServerResourceId"] == origin
    listed = arm.call("GET", f"{origin}/replicas").json()["value"]
    assert [server["name"] for server in listed] == ["reader"]
    promotion = {"role": "None", "promoteMode": "Standalone", "promoteOption": "Planned"}
    promoted = arm.done("PATCH", f"{SERVERS}/reader", patch(replica=promotion))
    assert promoted["properties"]["replicationRole"] == "Primary"
    assert "sourceServerResourceId" not in promoted["properties"]
    # A program that still says how the server came to be, and that it is promoted, changes nothing.
    again = made_from(origin, "Replica", replica=promotion)
    assert arm.done("PUT", f"{SERVERS}/reader", again)["properties"]["replicationRole"] == "Primary"
    assert "is no replica" in arm.refused("PATCH", origin, patch(replica=promotion))[2]


def test_a_switchover_swaps_the_roles_and_the_endpoint_follows(arm: ArmDaemon, origin: str) -> None:
    arm.done("PUT", f"{SERVERS}/second-reader", made_from(origin, "Replica"))
    promotion = {"role": "Primary", "promoteMode": "Switchover", "promoteOption": "Planned"}
    assert "needs a virtual endpoint" in arm.refused("PATCH", f"{SERVERS}/second-reader", patch(replica=promotion))[2]
    endpoint = f"{origin}/virtualendpoints/orders"
    pair = {"endpointType": "ReadWrite", "members": ["origin", "second-reader"]}
    made = arm.done("PUT", endpoint, {"properties": pair})
    names = ["orders.writer.postgres.database.azure.com", "orders.reader.postgres.database.azure.com"]
    assert made["properties"]["virtualEndpoints"] == names
    assert _servers_behind(arm, names) == ["origin", "second-reader"]
    promoted = arm.done("PATCH", f"{SERVERS}/second-reader", patch(replica=promotion))
    assert promoted["properties"]["replicationRole"] == "Primary"
    assert arm.call("GET", origin).json()["properties"]["replicationRole"] == "AsyncReplica"
    assert _servers_behind(arm, names) == ["second-reader", "origin"]
    arm.done("PATCH", origin, patch(replica=promotion))
    assert _servers_behind(arm, names) == ["origin", "second-reader"]


def _servers_behind(arm: ArmDaemon, names: list[str]) -> list[str]:
    views = [arm.daemon.lookup.server_by_host(name) for name in names]
    return [view.name for view in views if view]


def test_endpoints_that_cannot_be(arm: ArmDaemon) -> None:
    arm.done("PUT", f"{SERVERS}/lonely", body())
    path = f"{SERVERS}/lonely/virtualendpoints"
    stranger = {"properties": {"endpointType": "ReadWrite", "members": ["lonely", "stranger"]}}
    assert "the primary and one of its replicas" in arm.refused("PUT", f"{path}/first", stranger)[2]
    alone = {"properties": {"endpointType": "ReadWrite", "members": ["lonely"]}}
    arm.done("PUT", f"{path}/first", alone)
    assert _servers_behind(arm, [f"first.{kind}.postgres.database.azure.com" for kind in ("writer", "reader")]) == [
        "lonely", "lonely",
    ]  # fmt: skip
    assert "has the endpoint 'first' already" in arm.refused("PUT", f"{path}/another", alone)[2]


# What else a server has


def test_threat_protection_is_off_at_first_and_stays_what_it_is_set_to(arm: ArmDaemon, origin: str) -> None:
    path = f"{origin}/advancedThreatProtectionSettings/Default"
    assert arm.call("GET", path).json()["properties"]["state"] == "Disabled"
    assert arm.done("PUT", path, {"properties": {"state": "Enabled"}})["properties"]["state"] == "Enabled"
    assert arm.refused("DELETE", path)[0] == 405


def test_a_backup_on_demand(arm: ArmDaemon, origin: str) -> None:
    made = arm.done("PUT", f"{origin}/backups/before-release")
    assert made["properties"]["backupType"] == "Customer On-Demand"
    arm.done("DELETE", f"{origin}/backups/before-release")
