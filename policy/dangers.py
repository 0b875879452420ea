"""Changes that cost data, downtime or money, or that Azure refuses half-way: one table, with what each leads to.

CrossGuard shows a policy what a resource is to become, never what it was, so `tools/gate.py` looks for these in the
changes that the engine previews. Their levels and exemptions work as those of the rules do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from components.catalogue.server_limits import compute
from policy.plan import ACCOUNT, DATABASE, DEPLOYMENT, RESOURCE_GROUP, SERVER
from policy.rule import DENY, WARN, Levels

# The engine's mark for a text that a preview does not know (pulumi/pulumi, sdk/go/common/resource/plugin/rpc.go).
UNKNOWN_TEXT = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"

Fate = Literal["update", "replace", "delete"]


@dataclass(frozen=True, kw_only=True)
class Change:
    """What happens to one resource.

    Attributes:
        kind: its type token.
        name: its name in the program.
        fate: update in place, replace (delete and make anew), delete.
        before: its inputs as they were.
        after: its inputs as they are to be; empty where it goes.
        because: the inputs that make it be replaced.
    """

    kind: str
    name: str
    fate: Fate
    before: Mapping[str, Any] = field(default_factory=dict)
    after: Mapping[str, Any] = field(default_factory=dict)
    because: tuple[str, ...] = ()

    def change_of(self, *path: str) -> tuple[Any, Any] | None:
        """Return an input before and after, or None where it stays or the resource goes."""
        if self.fate == "delete":
            return None
        before, after = _at(self.before, path), _at(self.after, path)
        return None if before == after else (before, after)


def _at(inputs: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        inputs = inputs.get(key) if isinstance(inputs, Mapping) else None
    return inputs


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


def goes(change: Change) -> str:
    """Say that a resource is deleted, or replaced and by what."""
    if change.fate == "delete":
        return "is deleted"
    if change.fate == "replace":
        return "is deleted and made anew" + (f", for {', '.join(change.because)}" if change.because else "")
    return ""


def of_primary(found: Callable[[Change], str]) -> Callable[[Change], str]:
    """Return what says the same of servers that are no replica."""
    return lambda change: "" if _is_replica(change) else found(change)


def of_replica(found: Callable[[Change], str]) -> Callable[[Change], str]:
    """Return what says the same of replicas alone."""
    return lambda change: found(change) if _is_replica(change) else ""


def _is_replica(change: Change) -> bool:
    return change.before.get("createMode") == "Replica"


def changes(*path: str, default: str | None = None) -> Callable[[Change], str]:
    """Return what says that an input changes, from what to what; left out, it is Azure's default."""

    def found(change: Change) -> str:
        values = change.change_of(*path)
        if values is None:
            return ""
        before, after = (default if value is None else value for value in values)
        return "" if before == after else f"{'.'.join(path)}: {_said(before)} -> {_said(after)}"

    return found


def lowers(*path: str) -> Callable[[Change], str]:
    """Return what says that a number becomes smaller."""
    return _compares(path, lambda before, after: after < before)


def raises(*path: str) -> Callable[[Change], str]:
    """Return what says that a number becomes larger."""
    return _compares(path, lambda before, after: after > before)


def _compares(path: tuple[str, ...], wanted: Callable[[float, float], bool]) -> Callable[[Change], str]:
    def found(change: Change) -> str:
        values = change.change_of(*path)
        try:
            return changes(*path)(change) if values and wanted(float(values[0]), float(values[1])) else ""
        except (TypeError, ValueError):  # not there before or after: nothing to compare
            return ""

    return found


def appears_or_goes(*path: str) -> Callable[[Change], str]:
    """Return what says that an input is there now and was not, or the other way round."""

    def found(change: Change) -> str:
        values = change.change_of(*path)
        return changes(*path)(change) if values and None in values else ""

    return found


def any_of(*founds: Callable[[Change], str]) -> Callable[[Change], str]:
    """Return what says all that several of these say."""
    return lambda change: "; ".join(text for text in (found(change) for found in founds) if text)


def shrinks(change: Change) -> str:
    """Say that a machine has fewer processors or less memory, or none of its own any more."""
    values = change.change_of("sku")
    if values is None:
        return ""
    try:
        (before, after) = (compute(str(sku["name"])) for sku in values)
    except (KeyError, TypeError, ValueError):  # a size that the catalogue cannot read, or none
        return ""
    burstable = values[1].get("tier") == "Burstable" != values[0].get("tier")
    if not burstable and after.vcores >= before.vcores and after.memory_gib >= before.memory_gib:
        return ""
    sizes = " -> ".join(
        f"{sku['name']} ({size.vcores} cores, {size.memory_gib} GiB)"
        for sku, size in zip(values, (before, after), strict=True)
    )
    return f"sku: {sizes}"


def _said(value: Any) -> str:
    if value is None:
        return "nothing"
    return "(known after up)" if value == UNKNOWN_TEXT else str(value)


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
        " paid for again, and calls fail while the deployment is replaced. The preview says rows, tokens and cost"
        " beside each job. A second deployment beside this one spares the gap.",
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
