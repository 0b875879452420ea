"""The management lock of a server: Azure refuses to delete it, for everybody, until the lock is gone.

It covers the server, with what is inside it or set on it, and its replicas, of which each can become the server: that
is where the data is. An AI account holds nothing that cannot be made again, stays restorable for 48 hours, and another
model replaces its deployments, which a lock would refuse. `protect` keeps the engine from deleting; the lock keeps the
portal, the CLI and other programs from it.
"""

from __future__ import annotations

from collections.abc import Sequence

import pulumi
from pulumi_azure_native import authorization


def lock_server(
    name: str, server_id: pulumi.Input[str], parent: pulumi.Resource, after: Sequence[pulumi.Resource]
) -> authorization.ManagementLockByScope:
    """Lock a server.

    Args:
        name: name of the resource.
        server_id: ARM id of the server.
        parent: component that it belongs to.
        after: everything that a destroy deletes in the server's scope, private endpoints that lead to it included.
            The lock comes last and goes first: under it each of those deletes is refused (ScopeLocked, azurerm
            #17478).
    """
    return authorization.ManagementLockByScope(
        name,
        scope=server_id,
        lock_name="postgres-genai",
        level="CanNotDelete",
        notes="Holds data. To delete it: `lock: false` in the stack's config, and `pulumi up`.",
        opts=pulumi.ResourceOptions(parent=parent, depends_on=list(after)),
    )
