"""Servers made from another one: restored, replicated, revived; and the promotion of a replica.

Sources: azure-rest-api-specs, postgresql 2025-08-01 (`createMode`, `replica`); azure-databases-docs, "Backup and
restore", "Read replicas", "Promote read replicas", "Restore a dropped server", "Premium SSD v2". What a new server
takes from its source is what these say; the texts of the refusals are unverified.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

from emulator.arm import body as bodies
from emulator.arm.body import Json
from emulator.arm.errors import ArmError, invalid_parameter, server_busy
from emulator.arm.kind import Kind
from emulator.arm.store import Resource, Store

MODES = ("PointInTimeRestore", "GeoRestore", "Replica", "ReviveDropped")
MAXIMUM_REPLICAS = 5
_REVIVABLE = dt.timedelta(days=5)
_TYPE = "Microsoft.DBforPostgreSQL/flexibleServers"
_INHERITED = ("version", "administratorLogin", "authConfig", "storage")


def source_of(kind: Kind, sent: Json) -> Resource | None:
    """Return the server that a new one is made from, or None when it is made from nothing.

    Raises:
        ArmError: It is not there, or it cannot serve.
    """
    mode = bodies.get(sent, "properties.createMode")
    if mode not in MODES:
        return None
    source_id = str(bodies.get(sent, "properties.sourceServerResourceId") or "")
    if not source_id:
        raise invalid_parameter("sourceServerResourceId", f"the create mode {mode} needs the server to make it from")
    source = kind.store.deleted_at(source_id) if mode == "ReviveDropped" else kind.store.get(source_id)
    if source is None or source.type != _TYPE:
        what = "dropped server" if mode == "ReviveDropped" else "server"
        raise invalid_parameter("sourceServerResourceId", f"there is no {what} '{source_id}'")
    checks = {
        "PointInTimeRestore": _check_point,
        "GeoRestore": _check_geo,
        "Replica": _check_replica,
        "ReviveDropped": _check_dropped,
    }
    checks[mode](kind, source, sent)
    return source


def inherit(source: Resource, sent: Json) -> Json:
    """Return a body with what a server takes from its source where the client says nothing."""
    properties = {name: source.body["properties"].get(name) for name in _INHERITED}
    properties["storage"] = bodies.drop(properties["storage"], ["iops", "tier"]) if properties["storage"] else None
    merged = bodies.merge({"properties": bodies.without_nulls(properties)}, sent)
    before = source.body["properties"]
    if merged["properties"]["version"] != before["version"]:
        raise invalid_parameter("version", f"the server is made from one of version {before['version']}")
    if merged["properties"]["storage"]["storageSizeGB"] < before["storage"]["storageSizeGB"]:
        size = before["storage"]["storageSizeGB"]
        raise invalid_parameter("storageSizeGB", f"the server is made from one with {size} GB and cannot have less")
    return merged


def as_replica(source: Resource, body: Json) -> None:
    """Make a body that of a read replica."""
    far = source.body["location"] != body["location"]
    role = "GeoAsyncReplica" if far else "AsyncReplica"
    body["properties"] |= {
        "replicationRole": role,
        "replica": {"role": role, "capacity": 0, "replicationState": "Active"},
        "sourceServerResourceId": source.id,
    }


def replicas_of(store: Store, server: Resource) -> list[Resource]:
    """Return the read replicas of a server."""
    found = []
    for other in store.of_type(_TYPE):
        source = str(other.body["properties"].get("sourceServerResourceId") or "")
        if source.lower() == server.key and is_replica(other):
            found.append(other)
    return found


def is_replica(server: Resource) -> bool:
    """Return whether a server is a read replica."""
    return str(server.body["properties"].get("replicationRole")).endswith("AsyncReplica")


def without_past(existing: Resource, sent: Json) -> Json:
    """Return a body without the source of a server that is no replica (any more): a program goes on naming it."""
    return sent if is_replica(existing) else bodies.drop(sent, ["properties.sourceServerResourceId"])


def inherited(store: Store, source: Resource, *, replica: bool) -> list[Resource]:
    """Return the children of a server that one made from it has too: databases and, where it is a replica, the rules.

    A dropped server keeps what it had in its private part (`kept`).
    """
    types = [f"{_TYPE}/databases", *([f"{_TYPE}/firewallRules"] if replica else [])]
    kept = [Resource(**item) for item in source.private.get("kept", ())]
    return kept or [item for kind in types for item in store.of_type(kind, source.key)]


def promotion(kind: Kind, server: Resource, sent: Json) -> str | None:
    """Return how a change promotes a replica: `standalone`, `switchover`, or None when it does not.

    Raises:
        ArmError: The server is no replica, or it cannot be promoted so.
    """
    mode = str(bodies.get(sent, "properties.replica.promoteMode") or "").lower()
    if not mode:
        return None
    if not is_replica(server):
        if "promoted" in server.private:
            return None  # a program that writes its inputs again, the promotion among them
        raise invalid_parameter("replica", f"'{server.name}' is no replica and cannot be promoted")
    if mode == "switchover":
        primary = kind.store.get(str(server.body["properties"]["sourceServerResourceId"]))
        # It stays where it was made, and serves to swap back too ("Promote read replicas", questions).
        places = (primary.key, server.key) if primary else ()
        if primary is None or not any(kind.store.of_type(f"{_TYPE}/virtualendpoints", place) for place in places):
            why = "a switchover needs a virtual endpoint on the primary"
            raise invalid_parameter("promoteMode", why)
        if kind.operations.holder(primary.key):
            raise server_busy(primary.name)
    return mode


def promote(kind: Kind, server: Resource, mode: str) -> Resource:
    """Return a replica as it is when promoted; with a switchover, its primary becomes its replica."""
    properties = dict(server.body["properties"])
    primary = kind.store.get(str(properties.pop("sourceServerResourceId", "")))
    properties |= {"replicationRole": "Primary", "replica": {"role": "Primary", "capacity": MAXIMUM_REPLICAS}}
    promoted = replace(
        server,
        body={**server.body, "properties": properties},
        private={**server.private, "promoted": primary.id if primary else ""},
    )
    kind.store.put(promoted)
    if mode == "switchover" and primary:
        body = primary.to_json()
        as_replica(promoted, body)
        kind.store.put(replace(primary, body=body))
    return promoted


def _check_point(kind: Kind, source: Resource, sent: Json) -> None:
    _check_ready(kind, source)
    text = str(bodies.get(sent, "properties.pointInTimeUTC") or "")
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        raise invalid_parameter("pointInTimeUTC", f"'{text}' is no time such as 2026-01-31T12:00:00Z") from None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
    earliest = dt.datetime.fromisoformat(str(bodies.get(source.body, "properties.backup.earliestRestoreDate")))
    if not earliest <= moment <= dt.datetime.now(dt.UTC):
        why = f"'{text}' lies outside of what can be restored: from {earliest.isoformat()} to now"
        raise invalid_parameter("pointInTimeUTC", why)


def _check_geo(kind: Kind, source: Resource, sent: Json) -> None:
    del kind
    if bodies.get(source.body, "properties.backup.geoRedundantBackup") != "Enabled":
        raise invalid_parameter("createMode", f"'{source.name}' has no geo-redundant backup")
    if _place(sent) == source.body["location"]:
        raise invalid_parameter("location", "a geo restore goes to the paired region, not to the server's own")


def _check_replica(kind: Kind, source: Resource, sent: Json) -> None:
    _check_ready(kind, source)
    if source.body["sku"]["tier"] == "Burstable":
        raise invalid_parameter("createMode", "read replicas need GeneralPurpose or MemoryOptimized")
    if len(replicas_of(kind.store, source)) >= MAXIMUM_REPLICAS:
        raise invalid_parameter("sourceServerResourceId", f"'{source.name}' has {MAXIMUM_REPLICAS} replicas already")
    if bodies.get(sent, "properties.highAvailability.mode") not in (None, "", "Disabled"):
        raise invalid_parameter("highAvailability", "a read replica has no high availability")


def _check_dropped(kind: Kind, source: Resource, sent: Json) -> None:
    del kind
    dropped = dt.datetime.fromisoformat(str(source.private["dropped"]))
    if dt.datetime.now(dt.UTC) - dropped > _REVIVABLE:
        raise invalid_parameter("sourceServerResourceId", f"'{source.name}' was dropped more than 5 days ago")
    if _place(sent) != source.body["location"]:
        raise invalid_parameter("location", f"'{source.name}' was in {source.body['location']}")


def _check_ready(kind: Kind, source: Resource) -> None:
    state = source.body["properties"]["state"]
    if kind.operations.holder(source.key):
        raise server_busy(source.name)
    if state != "Ready":
        raise ArmError(409, "ServerIsNotReady", f"The source server '{source.name}' is in state '{state}'.")


def _place(sent: Json) -> str:
    return str(sent.get("location", "")).replace(" ", "").lower()
