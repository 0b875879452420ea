"""What the server is asked for reaches Azure in Azure's spelling, and what is not asked for is left to it."""

from __future__ import annotations

from collections.abc import Callable
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
    assert set(ignored) == {"availabilityZone", "highAvailability.standbyAvailabilityZone"}
    # An ignored zone would be sent to Azure again, which refuses it where there is no standby in another zone.
    same = deploy({"server": {**GENERAL, "highAvailability": {"mode": "SameZone"}}})
    assert same.of("azure-native:dbforpostgresql:Server")[0].request.ignoreChanges == ["availabilityZone"]


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
