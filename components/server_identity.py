"""Identities and keys of a server, as its resource takes them."""

from __future__ import annotations

from pulumi_azure_native import dbforpostgresql as pg

from components.computed import group_and_name
from components.server_settings import ServerSettings


def identity(server: ServerSettings) -> pg.UserAssignedIdentityArgs:
    """Return the server's own identity, which azure_ai signs in with, and those that it is given."""
    assigned = server.assigned_identities
    if not assigned:
        return pg.UserAssignedIdentityArgs(type="SystemAssigned")
    # Without a blank, unlike AI accounts; the SDK's enum has no such value.
    return pg.UserAssignedIdentityArgs(
        type="SystemAssigned,UserAssigned", user_assigned_identities={one: pg.UserIdentityArgs() for one in assigned}
    )


def encryption(server: ServerSettings, *, backups: bool = True) -> pg.DataEncryptionArgs:
    """Return who manages the keys; a key for geo-redundant backups only where there are backups."""
    wanted = server.encryption
    if wanted is None:
        return pg.DataEncryptionArgs(type="SystemManaged")
    return pg.DataEncryptionArgs(
        type="AzureKeyVault",
        primary_key_uri=wanted.key_uri,
        primary_user_assigned_identity_id=wanted.identity_id,
        geo_backup_key_uri=wanted.geo_key_uri if backups else None,
        geo_backup_user_assigned_identity_id=wanted.geo_identity_id if backups else None,
    )


def principal_id(server_id: str) -> str:
    """Ask for the object id of a server's own identity."""
    group, server = group_and_name(server_id)
    found = pg.get_server(resource_group_name=group, server_name=server)
    return str(found.identity.principal_id)
