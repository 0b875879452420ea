"""What a server survives: a lost zone, a lost region, a full disk, a mistake of last week, an update at noon."""

from __future__ import annotations

from collections.abc import Iterator

from policy.plan import UNKNOWN, Plan, PlannedResource
from policy.rule import DENY, OFF, WARN, Levels, Rule, Violation

RETENTION_DAYS = 14


def geo_backup(plan: Plan) -> Iterator[Violation]:
    """Find servers whose backups are in their own region alone."""
    for server in plan.primaries:
        if server.get("backup", "geoRedundantBackup") not in ("Enabled", UNKNOWN):
            yield Violation(server, "backup.geoRedundantBackup is not Enabled, and can be set at creation alone")


def retention(plan: Plan) -> Iterator[Violation]:
    """Find servers that keep backups for too short a time."""
    for server in plan.primaries:
        days = server.get("backup", "backupRetentionDays")
        if days is not UNKNOWN and (days or 7) < RETENTION_DAYS:
            yield Violation(server, f"backups are kept for {days or 7:.0f} days, fewer than {RETENTION_DAYS}")


def zone_redundancy(plan: Plan) -> Iterator[Violation]:
    """Find servers without a standby in another zone; a Burstable one can have none, and has a rule of its own."""
    for server in plan.primaries:
        mode = server.get("highAvailability", "mode")
        if not _is_burstable(server) and mode not in ("ZoneRedundant", UNKNOWN):
            yield Violation(server, f"highAvailability.mode is {mode or 'Disabled'}, not ZoneRedundant")


def autogrow(plan: Plan) -> Iterator[Violation]:
    """Find servers that stop writing when their disk is full."""
    for server in plan.servers:
        if server.get("storage", "autoGrow") not in ("Enabled", UNKNOWN):
            yield Violation(server, "storage.autoGrow is not Enabled: a full disk makes the server read-only")


def maintenance(plan: Plan) -> Iterator[Violation]:
    """Find servers that Azure updates when it likes."""
    for server in plan.primaries:
        if server.get("maintenanceWindow", "customWindow") not in ("Enabled", UNKNOWN):
            yield Violation(server, "no maintenance window: Azure chooses when the server restarts for updates")


def burstable(plan: Plan) -> Iterator[Violation]:
    """Find servers that run out of processor time."""
    for server in plan.servers:
        if _is_burstable(server):
            yield Violation(server, f"{server.get('sku', 'name')} is Burstable: slow once its credits are used up")


def read_replica(plan: Plan) -> Iterator[Violation]:
    """Find stacks without a replica."""
    if plan.primaries and len(plan.primaries) == len(plan.servers):
        yield Violation(plan.primaries[0], "no read replica")


def _is_burstable(server: PlannedResource) -> bool:
    return bool(server.get("sku", "tier") == "Burstable")


RULES = (
    Rule(
        id="pg-geo-backup",
        description="Backups are kept in a second region too.",
        levels=Levels(OFF, WARN, DENY),
        source="POL cee2f9fd; PSR AZR-000326; CKV_AZURE_136; APRL",
        remediation="Set server.geoRedundantBackup before the first `up`: Azure changes it on no server that exists.",
        check=geo_backup,
    ),
    Rule(
        id="pg-backup-retention",
        description=f"Backups are kept for {RETENTION_DAYS} days or more; Azure's least is 7.",
        levels=Levels(OFF, OFF, DENY),
        source="APRL; 14 days are this project's own choice",
        remediation=f"Set server.backupRetentionDays to {RETENTION_DAYS} or more.",
        check=retention,
    ),
    Rule(
        id="pg-zone-redundant-ha",
        description="A server has a standby in another zone.",
        levels=Levels(OFF, OFF, DENY),
        source="PSR AZR-000434; POL 493c215d; APRL",
        remediation="Set server.highAvailability.mode to ZoneRedundant.",
        check=zone_redundancy,
    ),
    Rule(
        id="pg-storage-autogrow",
        description="A server's disk grows before it is full.",
        levels=Levels(WARN, DENY, DENY),
        source="APRL",
        remediation="Set server.autoGrow.",
        check=autogrow,
    ),
    Rule(
        id="pg-custom-maintenance",
        description="A server is updated at an hour of the stack's choice.",
        levels=Levels(OFF, WARN, DENY),
        source="APRL",
        remediation="Set server.maintenance: {day: Sunday, hour: 2}.",
        check=maintenance,
    ),
    Rule(
        id="pg-burstable-in-prod",
        description="A server has processors of its own.",
        levels=Levels(OFF, OFF, DENY),
        source="WAF, guide for PostgreSQL",
        remediation="Set server.sku to a size of GeneralPurpose or MemoryOptimized.",
        check=burstable,
    ),
    Rule(
        id="pg-read-replica",
        description="A server has a read replica. For stacks that opt in.",
        levels=Levels(OFF, OFF, OFF),
        source="APRL",
        remediation="Declare one under server.replicas.",
        check=read_replica,
    ),
)
