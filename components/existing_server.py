"""ExistingServer: a server that is there, with a database of the stack's own unless that is there too.

Nothing of the server itself is created, changed or deleted. So no delete of it takes anything along: what the stack
made inside, it deletes by itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import pulumi
from pulumi_azure_native import dbforpostgresql as pg

from components.cloud import Cloud
from components.computed import name_of
from components.database_server import DatabaseServer, connection_to, warn_of_another_principal
from components.found_server import FoundServer
from components.overwriting import refuse_to_overwrite
from components.settings import StackSettings


@dataclass(frozen=True, kw_only=True)
class ExistingServerArgs:
    """What is used of a server that is there.

    Attributes:
        found: the server as it was read.
        settings: the stack's settings; the database, who signs in and the protection are read.
        cloud: cloud that the server is in.
        deployer_object_id: object id of the signed-in principal.
    """

    found: FoundServer
    settings: StackSettings
    cloud: Cloud
    deployer_object_id: pulumi.Input[str]


class ExistingServer(DatabaseServer):
    """The server, ready for SQL once the database is there."""

    def __init__(self, name: str, args: ExistingServerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("pgai:server:ExistingServer", name, {}, opts)
        self._name, self._args, self._found = name, args, args.found
        settings, found = args.settings, args.found
        self._warn_of_another_principal()
        self.server_id, self.deleted_with = pulumi.Output.from_input(found.id), None
        self.ready = self
        self.replica_ids = {}
        self.password = self.administrator_password = None
        database: pulumi.Input[str] = settings.database.name
        if not settings.database.existing:
            made = self._database()
            self.ready, database = made, name_of(made)
        self.principals = {"server_principal_id": found.principal_id or "", "replica_principal_ids": {}}
        self.connection = connection_to(found.fqdn, database, settings.database_user, args.cloud, entra=True)
        self.exports = {
            "serverName": found.name,
            "serverFqdn": found.fqdn,
            "serverId": found.id,
            "serverPrincipalId": found.principal_id,
            "database": database,
            "databaseUser": settings.database_user,
            "connection": pulumi.Output.from_input(self.connection),
        }
        self.register_outputs(self.exports)

    def _warn_of_another_principal(self) -> None:
        user = self._args.settings.database_user
        administrators = {one.name: one for one in self._args.settings.authentication.administrators}
        if user in administrators and administrators[user].type != "Group":
            expected = administrators[user].object_id
            pulumi.Output.from_input(self._args.deployer_object_id).apply(
                partial(warn_of_another_principal, user, expected)
            )

    def _database(self) -> pg.Database:
        wanted, found = self._args.settings.database, self._found
        database = pg.Database(
            f"{self._name}-database",
            resource_group_name=found.group,
            server_name=found.name,
            database_name=wanted.name,
            charset=wanted.charset,
            collation=wanted.collation,
            opts=pulumi.ResourceOptions(
                parent=self,
                provider=found.provider,
                protect=self._args.settings.protect,
                # Azure refuses to change either (azurerm: ForceNew); the provider does not know it.
                replace_on_changes=["charset", "collation"],
                delete_before_replace=True,
            ),
        )
        refuse_to_overwrite(
            database,
            f"database {wanted.name} of {found.name}",
            partial(
                pg.get_database,
                database_name=wanted.name,
                resource_group_name=found.group,
                server_name=found.name,
                opts=pulumi.InvokeOptions(provider=found.provider),
            ),
            "Set database.existing: true to use it, or choose another database.name. If it is the stack's own, and its"
            " charset or collation changed: put that back, for another one deletes all that is in it",
            ours=lambda _: False,
        )
        return database
