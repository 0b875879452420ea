"""Composition root: settings -> components -> exports."""

from typing import Any

import pulumi
import pulumi_random as random
from pulumi_azure_native import authorization

from components.ai_accounts import AiAccounts, AiAccountsArgs
from components.cloud import cloud
from components.computed import name_of
from components.database_server import DatabaseServer
from components.existing_server import ExistingServer, ExistingServerArgs
from components.flexible_server import FlexibleServer, FlexibleServerArgs
from components.found import Found
from components.naming import SUFFIX_LENGTH, Names, tags_of
from components.network import Network, NetworkArgs
from components.operations import Operations, OperationsArgs
from components.resource_group import resource_group
from components.settings import StackSettings
from components.vector_database import VectorDatabase, VectorDatabaseArgs

settings = StackSettings.load()
found = Found.look(settings)
settings = found.applied_to(settings)
for note in settings.notes:
    pulumi.log.info(note)
client = authorization.get_client_config_output()
tags = tags_of(settings.tags, pulumi.get_project(), pulumi.get_stack())
suffix = random.RandomString("suffix", length=SUFFIX_LENGTH, special=False, upper=False)
names = Names(prefix=settings.name_prefix, stack=pulumi.get_stack(), suffix=suffix.result)
group = resource_group(settings, names, tags)
tenant_id = settings.authentication.tenant_id or client.tenant_id
azure: dict[str, Any] = {"cloud": cloud(), "subscription_id": client.subscription_id, "tenant_id": tenant_id}
placement: dict[str, Any] = {"resource_group_name": name_of(group), "location": settings.location, "tags": tags}

stack: dict[str, Any] = {"names": names, "settings": settings, "cloud": azure["cloud"]}
network = Network("network", NetworkArgs(**placement, **stack)) if settings.network.private else None
server: DatabaseServer
deployer: dict[str, Any] = {"settings": settings, "deployer_object_id": client.object_id}
if found.server is not None:
    server = ExistingServer("server", ExistingServerArgs(**deployer, cloud=azure["cloud"], found=found.server))
else:
    wanted = FlexibleServerArgs.of(**deployer, **placement, **azure, server_name=names.server, network=network)
    server = FlexibleServer("server", wanted)
accounts = AiAccountsArgs(**placement, **stack, **server.principals, network=network, found=found)
ai = AiAccounts("ai", accounts) if settings.uses_ai else None
database = VectorDatabase(
    "database",
    VectorDatabaseArgs(
        settings=settings,
        connection=server.connection,
        password=server.password,
        deleted_with=server.deleted_with,
        ready=[server.ready],
        ai=ai,
    ),
)
parts: dict[str, Any] = {"server": server, "network": network, "ai": ai, "database": database}
operations = Operations(
    "operations",
    OperationsArgs(**placement, **azure, group_id=group.id, names=names, settings=settings, **parts),
)

pulumi.export("resourceGroup", name_of(group))
for part in (*parts.values(), operations):
    for key, value in part.exports.items() if part else ():
        pulumi.export(key, value)
