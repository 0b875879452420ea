"""Changes that cost data, downtime or money, or that Azure refuses half-way: one table, with what each leads to.

CrossGuard shows a policy what a resource is to become, never what it was, so `tools/gate.py` looks for these in the
changes that the engine previews. Their levels and exemptions work as those of the rules do.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from policy.change import (
    Change,
    any_of,
    appears_or_goes,
    changes,
    goes,
    lowers,
    of_primary,
    of_replica,
    raises,
    resizes,
    restarts,
    shrinks,
)
from policy.plan import ACCOUNT, DATABASE, DEPLOYMENT, RESOURCE_GROUP, SERVER
from policy.rule import DENY, WARN, Levels

RESTART = "pulumi-python:dynamic/postgresql:RestartIfPending"
STRICT_IN_PROD = Levels(WARN, WARN, DENY)


@dataclass(frozen=True, kw_only=True)
class Danger:
    """One kind of dangerous change.

    Attributes:
        id: its name in messages, exemptions and the docs.
        description: what changes.
        kind: type token of the resources that it happens to.
        consequence: what follows, in plain words.
        source: who says so.
        levels: how strict it is, by environment.
        found: says how a change is one of these, or nothing.
    """

    id: str
    description: str
    kind: str
    consequence: str
    source: str
    found: Callable[[Change], str]
    levels: Levels = STRICT_IN_PROD


GONE_FOR_GOOD = "its data is gone: a replacement starts empty."

DANGERS = (
    Danger(
        id="change-server-gone",
        description="A server is deleted or replaced.",
        kind=SERVER,
        consequence=f"All its databases are deleted, and {GONE_FOR_GOOD} Azure can revive it for five days.",
        source="azure-docs, restore a dropped server (unverified)",
        found=of_primary(goes),
    ),
    Danger(
        id="change-replica-gone",
        description="A read replica is deleted or replaced.",
        kind=SERVER,
        consequence="Whoever reads from it is cut off until there is another, which copies the whole server first; a"
        " virtual endpoint on it leads nowhere. No data is lost: the primary has it.",
        source="azure-docs, read replicas",
        found=of_replica(goes),
        levels=Levels(WARN, WARN, WARN),
    ),
    Danger(
        id="change-database-gone",
        description="A database is deleted or replaced.",
        kind=DATABASE,
        consequence=f"All its tables, rows and vectors are deleted, and {GONE_FOR_GOOD} Only a restore of the whole"
        " server to an earlier time has them.",
        source="azurerm: charset and collation are ForceNew",
        found=goes,
    ),
    Danger(
        id="change-ai-account-gone",
        description="An AI account is deleted or replaced.",
        kind=ACCOUNT,
        consequence="Its deployments go with it, calls fail until they are there again, and its name and subdomain stay"
        " taken for 48 hours.",
        source="azure-docs, recover or purge deleted Azure AI resources",
        found=goes,
    ),
    Danger(
        id="change-resource-group-gone",
        description="The resource group is deleted or replaced, for its location or its name.",
        kind=RESOURCE_GROUP,
        consequence="Everything in it is deleted, the server with all its data included.",
        source="azure-docs, delete resource groups",
        found=goes,
    ),
    Danger(
        id="change-server-smaller",
        description="A server gets a smaller machine.",
        kind=SERVER,
        consequence="It restarts (a minute or more), open transactions are rolled back, and it has less memory, fewer"
        " connections and fewer disk operations than its load has seen so far.",
        source="azure-docs, scaling resources",
        found=shrinks,
    ),
    Danger(
        id="change-server-larger",
        description="A server gets a larger machine, or another one of its size.",
        kind=SERVER,
        consequence="It restarts: half a minute, or up to ten where Azure cannot build the new machine beside the old"
        " one, as from or to a Burstable one with 1 or 2 cores. Open transactions are rolled back, unlogged tables lose"
        " their rows, and the new size is what is billed.",
        source="azure-docs, scaling resources",
        found=resizes,
        levels=Levels(WARN, WARN, WARN),
    ),
    Danger(
        id="change-storage-larger",
        description="A server's storage grows.",
        kind=SERVER,
        consequence="It never shrinks again, so the new size is what is billed from then on. The server stays up,"
        " unless a disk grows past 4,096 GiB.",
        source="azure-docs, scaling resources, storage options",
        found=raises("storage", "storageSizeGB"),
        levels=Levels(WARN, WARN, WARN),
    ),
    Danger(
        id="change-restart",
        description="A static parameter changes.",
        kind=RESTART,
        consequence="The server restarts once it is written (a minute or less, or several): connections are cut off,"
        " and open transactions rolled back.",
        source="azure-docs, server parameters, scaling resources",
        found=restarts,
        levels=Levels(WARN, WARN, WARN),
    ),
    Danger(
        id="change-storage-smaller",
        description="A server's storage shrinks.",
        kind=SERVER,
        consequence="Azure refuses it, and the update ends there: storage grows and never shrinks. Where auto-grow made"
        " it larger, write the new size down.",
        source="azure-docs, scaling resources; azurerm",
        found=lowers("storage", "storageSizeGB"),
    ),
    Danger(
        id="change-storage-type",
        description="A server's kind of disk changes.",
        kind=SERVER,
        consequence="Azure refuses it, and the update ends there: a disk's kind is chosen when the server is made.",
        source="azurerm: ForceNew",
        found=changes("storage", "type", default="Premium_LRS"),
    ),
    Danger(
        id="change-version-lower",
        description="A server's PostgreSQL version goes down.",
        kind=SERVER,
        consequence="Azure refuses it, and the update ends there: no way leads back to an older version.",
        source="azurerm: cannot go back",
        found=lowers("version"),
    ),
    Danger(
        id="change-version-higher",
        description="A server's PostgreSQL version goes up.",
        kind=SERVER,
        consequence="The server is down while it is upgraded, and cannot go back. Try it on a restored copy first, and"
        " look at what the extensions say about the new version.",
        source="azure-docs, major version upgrade",
        found=raises("version"),
        levels=Levels(WARN, WARN, WARN),
    ),
    Danger(
        id="change-network",
        description="A server's network changes.",
        kind=SERVER,
        consequence="Azure moves no server into a virtual network or out of one: it refuses. Where only public access"
        " ends, whoever comes in by a public address is cut off.",
        source="azurerm: delegated_subnet_id is ForceNew; azure-docs, networking with private access",
        found=any_of(
            changes("network", "delegatedSubnetResourceId"),
            changes("network", "privateDnsZoneArmResourceId"),
            changes("network", "publicNetworkAccess", default="Enabled"),
        ),
    ),
    Danger(
        id="change-geo-backup",
        description="Geo-redundant backup is switched on or off.",
        kind=SERVER,
        consequence="Azure refuses it, and the update ends there: it is chosen when the server is made. A new server,"
        " restored from this one, can have it.",
        source="REST specification 2025-08-01: geoRedundantBackup is settable at creation alone",
        found=changes("backup", "geoRedundantBackup", default="Disabled"),
    ),
    Danger(
        id="change-backup-retention-shorter",
        description="Backups are kept for fewer days.",
        kind=SERVER,
        consequence="Older backups are deleted: a mistake of before that cannot be undone any more.",
        source="azure-docs, backup and restore",
        found=lowers("backup", "backupRetentionDays"),
    ),
    Danger(
        id="change-encryption",
        description="A server's encryption changes between the service's keys and one's own.",
        kind=SERVER,
        consequence="Azure refuses it, and the update ends there: it is chosen when the server is made.",
        source="azurerm: ForceNew",
        found=changes("dataEncryption", "type", default="SystemManaged"),
    ),
    Danger(
        id="change-cluster-smaller",
        description="An elastic cluster loses nodes, or a server becomes one or stops being one.",
        kind=SERVER,
        consequence="Azure refuses it, and the update ends there: a cluster grows and never shrinks, and is chosen when"
        " the server is made.",
        source="azurerm: cannot shrink",
        found=any_of(lowers("cluster", "clusterSize"), appears_or_goes("cluster")),
    ),
    Danger(
        id="change-model",
        description="A deployment's model or its version changes.",
        kind=DEPLOYMENT,
        consequence="Vectors of two models cannot be compared, so every row of every job on it is embedded again and"
        " paid for again; another model replaces the deployment, and calls fail meanwhile. The preview says rows,"
        " tokens and cost beside each job. A second deployment beside this one spares the gap.",
        source="docs/vectorization.md; azurerm: the model's name is ForceNew",
        found=any_of(changes("properties", "model", "name"), changes("properties", "model", "version")),
    ),
    Danger(
        id="change-deployment-gone",
        description="A deployment is deleted.",
        kind=DEPLOYMENT,
        consequence="Jobs and searches that use it fail until they use another one.",
        source="azure-docs, deployments",
        found=lambda change: goes(change) if change.fate == "delete" else "",
    ),
)
