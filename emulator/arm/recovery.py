"""What a restart of the emulator makes of the state in which the last run ended."""

from __future__ import annotations

import asyncio
import logging

from emulator.arm import accounts, deployments, servers
from emulator.arm.store import Resource, Store
from emulator.postgres.backend import Backend, BackendError

_log = logging.getLogger(__name__)


async def recover(store: Store, backend: Backend) -> None:
    """Start the servers that ran, finish deletions, and drop what was half created.

    A server that does not start becomes `Inaccessible`; the emulator runs on without it.
    """
    for group in store.of_type("Microsoft.Resources/resourceGroups"):
        if group.body["properties"]["provisioningState"] == "Deleting":
            store.update(group.key, {"provisioningState": "Succeeded"})
    for item in [*store.of_type(accounts.TYPE), *store.of_type(deployments.TYPE)]:
        if item.body["properties"]["provisioningState"] != "Succeeded":
            finished = {"deploymentState": "Running"} if item.type == deployments.TYPE else {}
            store.update(item.key, {"provisioningState": "Succeeded", **finished})
    await asyncio.gather(*(_recover_server(store, backend, item) for item in store.of_type(servers.TYPE)))


async def _recover_server(store: Store, backend: Backend, server: Resource) -> None:
    state, name = server.body["properties"]["state"], server.name.lower()
    try:
        if state in ("Provisioning", "Dropping"):
            await backend.delete(name)
            store.remove(server.key)
        elif state in ("Stopped", "Stopping"):
            await backend.stop(name)
            store.update(server.key, {"state": "Stopped"})
        else:
            # A server that outlived a killed emulator has not restarted: what waits for that must not be lost.
            if servers.pending(store, server):
                await backend.stop(name)
            await backend.start(name)
            servers.apply_pending(store, server)
            store.update(server.key, {"state": "Ready"})
    except BackendError as error:
        _log.error("server %s cannot be brought back: %s", name, error)
        store.update(server.key, {"state": "Inaccessible"})
