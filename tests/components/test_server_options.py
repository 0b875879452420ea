"""What the server is asked for reaches Azure in Azure's spelling, and what is not asked for is left to it."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

GENERAL = {"sku": {"name": "Standard_D4ds_v5", "tier": "GeneralPurpose"}}


def server_of(recording: Any) -> dict[str, Any]:
    inputs: dict[str, Any] = recording.of("azure-native:dbforpostgresql:Server")[0].inputs
    return inputs


def test_tier_operations_and_type_of_the_disk_are_left_to_azure(deploy: Callable[..., Any]) -> None:
    assert server_of(deploy())["storage"] == {"storageSizeGB": 32, "autoGrow": "Enabled"}


def test_a_disk_of_its_own_speed(deploy: Callable[..., Any]) -> None:
    raised = server_of(deploy({"server": {"storage": {"tier": "P20"}}}))
    assert raised["storage"] == {"storageSizeGB": 32, "autoGrow": "Enabled", "tier": "P20"}
    fast = {"type": "PremiumV2_LRS", "iops": 4000, "throughput": 200}
    second = server_of(deploy({"server": {**GENERAL, "storageGb": 100, "autoGrow": False, "storage": fast}}))
    assert second["storage"] == {"storageSizeGB": 100, "autoGrow": "Disabled", **fast}


def test_the_alert_on_operations_follows_the_disk(deploy: Callable[..., Any]) -> None:
    def threshold(server: dict[str, Any]) -> float:
        recording = deploy({"server": {**GENERAL, **server}, "monitoring": {"enabled": True}})
        alert = recording.one("operations-monitoring-server-iops").inputs
        return float(alert["criteria"]["allOf"][0]["threshold"])

    fast = {"type": "PremiumV2_LRS", "iops": 4000, "throughput": 200}
    assert threshold({}) == 108  # 90 % of P4's 120
    assert threshold({"storage": {"tier": "P20"}}) == 2070
    assert threshold({"storageGb": 100, "autoGrow": False, "storage": fast}) == 3600


def test_zones_and_standby(deploy: Callable[..., Any]) -> None:
    plain = server_of(deploy())
    # Empty is the SDK's own default: Azure chooses.
    assert plain["highAvailability"] == {"mode": "Disabled", "standbyAvailabilityZone": ""}
    assert plain["availabilityZone"] == ""
    available = {"mode": "ZoneRedundant", "standbyZone": 3}
    recording = deploy({"server": {**GENERAL, "zone": 2, "highAvailability": available}})
    server = server_of(recording)
    assert server["highAvailability"] == {"mode": "ZoneRedundant", "standbyAvailabilityZone": "3"}
    assert server["availabilityZone"] == "2"
    ignored = recording.of("azure-native:dbforpostgresql:Server")[0].request.ignoreChanges
    assert {"availabilityZone", "highAvailability.standbyAvailabilityZone"} <= set(ignored)
    # An ignored zone would be sent to Azure again, which refuses it where there is no standby in another zone.
    same = deploy({"server": {**GENERAL, "highAvailability": {"mode": "SameZone"}}})
    ignored = same.of("azure-native:dbforpostgresql:Server")[0].request.ignoreChanges
    assert "availabilityZone" in ignored
    assert "highAvailability.standbyAvailabilityZone" not in ignored


def test_backups_and_maintenance(deploy: Callable[..., Any]) -> None:
    plain = server_of(deploy())
    assert plain["backup"] == {"backupRetentionDays": 7, "geoRedundantBackup": "Disabled"}
    assert plain["maintenanceWindow"]["customWindow"] == "Disabled"
    wanted = {"geoRedundantBackup": True, "maintenance": {"day": "Tuesday", "hour": 2, "minute": 30}}
    server = server_of(deploy({"server": wanted}))
    assert server["backup"]["geoRedundantBackup"] == "Enabled"
    assert server["maintenanceWindow"] == {
        "customWindow": "Enabled", "dayOfWeek": 2, "startHour": 2, "startMinute": 30,
    }  # fmt: skip


def test_named_options_are_server_parameters_and_the_pooler_is_on_before_its_own(deploy: Callable[..., Any]) -> None:
    pooler = {"poolMode": "session", "defaultPoolSize": 100, "maxClientConnections": 5000}
    recording = deploy({"server": {**GENERAL, "minimumTls": "TLSv1.3", "pgbouncer": pooler}})
    values = {
        one.inputs["configurationName"]: one.inputs["value"]
        for one in recording.of("azure-native:dbforpostgresql:Configuration")
        if one.inputs["configurationName"] != "azure.extensions"
    }
    # 5,000 clients are the default, which Azure would ignore.
    assert values == {
        "pgbouncer.enabled": "true", "pgbouncer.default_pool_size": "100", "pgbouncer.pool_mode": "session",
        "ssl_min_protocol_version": "TLSv1.3",
    }  # fmt: skip
    for option in ("default_pool_size", "pool_mode"):
        assert recording.reaches(f"server-parameters-pgbouncer.{option}", "server-parameters-pgbouncer.enabled")


ORIGIN = {
    "serverId": "/subscriptions/s/resourceGroups/g/providers/Microsoft.DBforPostgreSQL/flexibleServers/psql-old",
    "pointInTime": "2026-01-31T12:00:00Z",
}


def test_a_restored_server_says_so_once_and_has_its_database_already(deploy: Callable[..., Any]) -> None:
    recording = deploy({"server": {"origin": ORIGIN}})
    server = server_of(recording)
    assert (server["createMode"], server["pointInTimeUTC"]) == ("PointInTimeRestore", "2026-01-31T12:00:00Z")
    assert server["sourceServerResourceId"] == ORIGIN["serverId"]
    assert not recording.of("azure-native:dbforpostgresql:Database")
    assert recording.exports["database"] == "contracts"
    assert recording.one("database-extension-vector").inputs["connection"]["database"] == "contracts"
    assert recording.reaches("database-extension-vector", "server-parameters-restart")
    later = server_of(deploy({"server": {"origin": {**ORIGIN, "restored": True}}}))
    assert later == {**server, "createMode": "Default"}


def test_replicas_and_their_endpoint_are_the_end_of_the_servers_one_chain(deploy: Callable[..., Any]) -> None:
    replicas = {"east": {"location": "West US 3", "storageGb": 64}, "a-reports": {"zone": 3}}
    endpoint = {"name": "contracts-db", "replica": "a-reports"}
    recording = deploy({"server": {**GENERAL, "replicas": replicas, "virtualEndpoint": endpoint}, "lock": True})
    order = [
        "server-database",
        "server-replicas-a-reports",
        "server-replicas-east",
        "server-replicas-endpoint",
        "database-extension-vector",
    ]
    for earlier, later in pairwise(order):
        assert recording.reaches(later, earlier), f"{later} does not wait for {earlier}"
    near, far = (recording.one(f"server-replicas-{name}").inputs for name in ("a-reports", "east"))
    assert near["createMode"] == far["createMode"] == "Replica"
    assert near["sourceServerResourceId"] == recording.exports["serverId"]
    assert near["serverName"] == recording.exports["serverName"] + "-a-reports"
    assert (near["location"], near["storage"]) == ("eastus2", {"storageSizeGB": 32, "autoGrow": "Enabled"})
    assert (far["location"], far["storage"]["storageSizeGB"]) == ("westus3", 64)
    assert near["sku"] == far["sku"] == GENERAL["sku"]
    names = recording.one("server-replicas-endpoint").inputs
    assert names["members"] == [near["serverName"]]
    assert recording.exports["virtualEndpoint"] == {
        "writer": "contracts-db.writer.postgres.database.azure.com",
        "reader": "contracts-db.reader.postgres.database.azure.com",
    }
    assert recording.exports["replicas"]["east"].endswith("-east.postgres.database.azure.com")
    locks = recording.of("azure-native:authorization:ManagementLockByScope")
    assert {one.name for one in locks} == {"operations-lock", "operations-lock-a-reports", "operations-lock-east"}
    for lock in locks:
        assert recording.reaches(lock.name, "server-replicas-endpoint")


IDENTITIES = [
    f"/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{name}"
    for name in ("app", "disk")
]


def test_a_server_with_keys_of_ones_own_keeps_the_identity_that_azure_ai_needs(deploy: Callable[..., Any]) -> None:
    plain = server_of(deploy())
    assert plain["dataEncryption"] == {"type": "SystemManaged"}
    assert plain["identity"] == {"type": "SystemAssigned"}
    keys = {"keyUri": "https://vault.example.net/keys/disk", "identityId": IDENTITIES[1]}
    geo = {"geoKeyUri": "https://far.example.net/keys/disk", "geoIdentityId": IDENTITIES[1]}
    server = {
        **GENERAL, "identities": IDENTITIES[:1], "geoRedundantBackup": True, "encryption": {**keys, **geo},
        "replicas": {"near": {}},
    }  # fmt: skip
    recording = deploy({"server": server})
    assert server_of(recording)["dataEncryption"] == {
        "type": "AzureKeyVault",
        "primaryKeyURI": keys["keyUri"],
        "primaryUserAssignedIdentityId": IDENTITIES[1],
        "geoBackupKeyURI": geo["geoKeyUri"],
        "geoBackupUserAssignedIdentityId": IDENTITIES[1],
    }
    # The type without a blank: ARM's spelling for servers.
    assert server_of(recording)["identity"]["type"] == "SystemAssigned,UserAssigned"
    assert set(server_of(recording)["identity"]["userAssignedIdentities"]) == set(IDENTITIES)
    replica = recording.one("server-replicas-near").inputs
    assert "geoBackupKeyURI" not in replica["dataEncryption"]
    assert replica["dataEncryption"]["primaryKeyURI"] == keys["keyUri"]
    assert recording.one("ai-openai-role").inputs["principalType"] == "ServicePrincipal"


def test_an_elastic_cluster_has_its_one_database_from_the_beginning(deploy: Callable[..., Any]) -> None:
    assert "cluster" not in server_of(deploy())
    recording = deploy({"server": {**GENERAL, "version": "17", "autoGrow": False, "cluster": {"nodes": 3}}})
    assert server_of(recording)["cluster"] == {"clusterSize": 3, "defaultDatabaseName": "contracts"}
    assert not recording.of("azure-native:dbforpostgresql:Database")
    assert recording.one("database-extension-vector").inputs["connection"]["database"] == "contracts"


def test_a_replica_is_as_closed_as_its_primary_and_may_call_the_accounts(deploy: Callable[..., Any]) -> None:
    server = {**GENERAL, "replicas": {"reports": {}}, "virtualEndpoint": {"name": "contracts-db", "replica": "reports"}}
    private = {"firewall": {}, "network": {"mode": "private-endpoint"}, "lock": True}
    recording = deploy({**private, "server": server})
    assert recording.one("server-replicas-reports").inputs["network"] == {"publicNetworkAccess": "Disabled"}
    endpoint = recording.one("server-replicas-reports-endpoint").inputs
    assert endpoint["privateLinkServiceConnections"][0]["privateLinkServiceId"].endswith("-reports")
    assert endpoint["privateEndpointName"] != recording.one("server-endpoint").inputs["privateEndpointName"]
    assert recording.reaches("server-replicas-reports-endpoint", "server-replicas-endpoint")
    assert recording.reaches("server-endpoint", "server-replicas-reports-endpoint")
    assert recording.reaches("operations-lock-reports", "server-replicas-reports-endpoint")
    for account in ("openai", "language"):
        role = recording.one(f"ai-{account}-role-reports")
        assert role.inputs["roleDefinitionId"] == recording.one(f"ai-{account}-role").inputs["roleDefinitionId"]
        assert recording.reaches("database-azure-ai", role.name)
    injected = deploy({"firewall": {}, "network": {"mode": "injected"}, "server": server})
    network = injected.one("server-replicas-reports").inputs["network"]
    assert network["delegatedSubnetResourceId"].endswith("/server")
    assert not [one for one in injected.registrations if one.name == "server-replicas-reports-endpoint"]


def test_the_firewall_of_a_replica_follows_its_primarys(deploy: Callable[..., Any]) -> None:
    config = {
        "server": {**GENERAL, "replicas": {"reports": {}, "second": {}}},
        "firewall": {"rules": {"office": {"start": "203.0.113.1", "end": "203.0.113.9"}}, "allowAzureServices": True},
        "tags": {"owner": "platform"},
    }
    recording = deploy(config)
    primary, *replicas = recording.of("azure-native:dbforpostgresql:Server")
    rules = {
        one.inputs["firewallRuleName"]: {"start": one.inputs["startIpAddress"], "end": one.inputs["endIpAddress"]}
        for one in recording.of("azure-native:dbforpostgresql:FirewallRule")
    }
    assert set(rules) == {"office", "allow-azure-services"}
    for replica in replicas:
        firewall = recording.one(f"{replica.name}-firewall")
        assert firewall.inputs["rules"] == rules
        assert firewall.inputs["serverName"] == replica.inputs["serverName"]
        assert firewall.deleted_with == replica.name
        assert replica.inputs["tags"] == primary.inputs["tags"]
    assert recording.reaches("server-replicas-second", "server-replicas-reports-firewall")
    for mode in ("private-endpoint", "injected"):
        closed = deploy({**config, "firewall": {}, "network": {"mode": mode}})
        assert not closed.of("pulumi-python:dynamic/postgresql:ReplicaFirewall"), "no rule counts there"
