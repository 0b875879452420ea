"""What a preview says of a server that is to enter or leave a subnet: Azure refuses that for as long as it lives."""

from __future__ import annotations

from typing import Any

import pulumi
from pulumi_azure_native import dbforpostgresql as pg

from components.computed import group_and_name, in_preview


def refuse_change_of_injection(server: pg.Server, *, injected: bool) -> None:
    """Let a preview fail, before anything is changed, where the server that is there lies elsewhere than is wanted.

    `delegatedSubnetResourceId` is fixed at creation (azurerm: ForceNew). The provider would try it in place, and Azure
    refuse it in the middle of the `up`; another server would be an empty one.
    """
    if pulumi.runtime.is_dry_run():
        server.id.apply(lambda server_id: _compare(injected, in_preview(_subnet_of, server_id), server_id))


def _subnet_of(server_id: str) -> str:
    group, name = group_and_name(server_id)
    found = pg.get_server(resource_group_name=group, server_name=name)
    return (found.network.delegated_subnet_resource_id if found.network else None) or ""


def _compare(injected: bool, subnet: Any, server_id: str) -> None:
    if not isinstance(subnet, str) or bool(subnet) == injected:
        return
    raise pulumi.RunError(change_refused(server_id.rpartition("/")[2], subnet, injected=injected))


def change_refused(server: str, subnet: str, *, injected: bool) -> str:
    """Say what stands in the way, what it would cost, and the way out."""
    place = f"lies in the subnet {subnet.rpartition('/')[2]}" if subnet else "lies in no subnet"
    wanted = "injected" if injected else "another"
    return (
        f"network.mode: server {server} {place}, and the mode is now {wanted}. Azure fixes that when a server is made:"
        " this one would have to be deleted with its data and made again empty. Refused, nothing was changed. Put the"
        " mode back; or bring up a second stack with the new mode, move the data (pg_dump and pg_restore, or a restore"
        " in time into the new network), turn the applications, and take this one down"
    )
