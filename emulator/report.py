"""The status of the emulator: as a document, and as tables for people."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from emulator.arm import deployments, servers
from emulator.arm.body import Json
from emulator.arm.store import Resource, Store
from emulator.postgres.backend import Backend, BackendError
from emulator.state import Home, Settings

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


def report(
    *,
    home: Home,
    settings: Settings,
    store: Store,
    backend: Backend,
    calls: Mapping[str, int],
    usage: Mapping[str, Mapping[str, Mapping[str, int]]],
    sessions: Mapping[str, int],
    conflicts: Mapping[str, object],
) -> Json:
    """Return the status document; it holds no secret."""
    return {
        "running": True,
        "pid": os.getpid(),
        "home": str(home.root),
        "backend": {"name": settings.backend, "runs": backend.summary},
        "ports": {
            "https": settings.https_port,
            "http": settings.http_port,
            "gateway": settings.gateway_port,
            "azure-native": settings.azure_native_port,
            "random": settings.random_port,
        },
        "resources": [_resource(item) for item in store.all()],
        "softDeleted": [item.id for item in store.deleted() if item.type != servers.TYPE],
        "servers": [_server(item, store, backend, sessions) for item in store.of_type(servers.TYPE)],
        "calls": dict(sorted(calls.items())),
        "conflicts": dict(conflicts),
        "deployments": [_deployment(item, store, usage) for item in store.of_type(deployments.TYPE)],
        "usage": {account: dict(counters) for account, counters in usage.items()},
    }


def _resource(item: Resource) -> Json:
    properties = item.body.get("properties", {})
    state = properties.get("state") or properties.get("provisioningState") or "Succeeded"
    return {"id": item.id, "type": item.type, "name": item.name, "state": state}


def _server(item: Resource, store: Store, backend: Backend, sessions: Mapping[str, int]) -> Json:
    properties = item.body["properties"]
    found: Json = {
        "name": item.name,
        "fqdn": properties["fullyQualifiedDomainName"],
        "state": properties["state"],
        "asked": properties["version"],
        "runs": None,
        "port": None,
        "socket": None,
        "sessions": sessions.get(item.name.lower(), 0),
        "pendingRestart": servers.pending(store, item),
    }
    if properties["state"] in ("Ready", "Updating", "Restarting"):
        try:
            folder, port = backend.address(item.name.lower())
            found |= {"runs": backend.version(item.name.lower()), "port": port, "socket": str(folder)}
        except BackendError:
            found["state"] = "Inaccessible"
    return found


def _deployment(item: Resource, store: Store, usage: Mapping[str, Mapping[str, Mapping[str, int]]]) -> Json:
    account = store.get(item.key.rpartition("/deployments/")[0])
    account_name = account.name if account else ""
    counters = usage.get(account_name, {}).get(item.name, {})
    return {
        "account": account_name,
        "name": item.name,
        "model": item.body["properties"]["model"]["name"],
        "sku": item.body["sku"]["name"],
        "capacity": item.body["sku"]["capacity"],
        **{key: counters.get(key, 0) for key in ("requests", "inputs", "tokens", "throttled")},
    }


def show(document: Json, console: Console) -> None:
    """Print the status for people."""
    ports = ", ".join(f"{name} {port}" for name, port in document["ports"].items())
    console.print(f"[bold]Emulator[/] runs (process {document['pid']}) in {document['home']}")
    console.print(f"Ports on 127.0.0.1: {ports}")
    console.print(f"Backend {document['backend']['name']}: {document['backend']['runs']}")
    table = _table("Servers", "name", "state", "version asked", "really runs", "port", "sessions")
    for server in document["servers"]:
        table.add_row(
            server["name"],
            server["state"],
            server["asked"],
            server["runs"] or "-",
            str(server["port"] or "-"),
            str(server["sessions"]),
        )
    _print(table, console)
    table = _table("Deployments", "account", "name", "model", "capacity", "requests", "texts", "tokens", "throttled")
    for item in document["deployments"]:
        numbers = [f"{item[key]:,}" for key in ("capacity", "requests", "inputs", "tokens", "throttled")]
        table.add_row(item["account"], item["name"], item["model"], *numbers)
    _print(table, console)
    table = _table("Resources", "type", "name", "state")
    for item in document["resources"]:
        if item["type"] != f"{servers.TYPE}/databases":
            # Without the namespace, so that a terminal of 80 columns shows what follows it.
            table.add_row(item["type"].partition("/")[2], item["name"], item["state"])
    _print(table, console)
    if document["softDeleted"]:
        names = ", ".join("/".join(path.split("/")[-2:]) for path in document["softDeleted"])
        console.print(f"Soft-deleted: {names}")
    calls = ", ".join(f"{name} {count:,}" for name, count in document["calls"].items()) or "none yet"
    console.print(f"Calls: {calls}")
    conflicts = document["conflicts"]
    if conflicts["strict"] or conflicts["met"] or conflicts["drawn"] or conflicts["toDraw"]:
        met = ", ".join(f"{code} {count}" for code, count in conflicts["met"].items()) or "none"
        mode = ", strict mode" if conflicts["strict"] else ""
        console.print(f"Conflicts met{mode}: {met}. Drawn: {conflicts['drawn']}, up to {conflicts['toDraw']} more.")


def _print(table: Table, console: Console) -> None:
    console.print(table if table.row_count else f"[bold]{table.title}[/]: none")


def _table(title: str, *columns: str) -> Table:
    from rich.table import Table

    table = Table(title=title, title_justify="left", title_style="bold", expand=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table
