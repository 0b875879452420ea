"""A flexible server that is there: what was read of it, and what stands in the way of using it.

The program changes nothing of it, so each sentence names the command for whoever may. Commands: Azure CLI reference,
`az postgres flexible-server`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pulumi
from pulumi_azure_native import dbforpostgresql as pg

from components.asking import read, read_if_there
from components.catalogue.extensions import PRELOADS
from components.catalogue.server_sizes import VERSIONS
from components.computed import group_and_name
from components.existing_server_rules import CRON_DATABASE
from components.mistakes import Mistake
from components.server_parameters import ALLOWLIST, PRELOAD, merge_allowlist
from components.server_rules import split
from components.settings import StackSettings

_SETTING = "existing.server"
_READY = "Ready"


@dataclass(frozen=True, kw_only=True)
class FoundParameter:
    """A server parameter: its value, and whether that waits for a restart."""

    value: str
    waits: bool = False


@dataclass(frozen=True, kw_only=True)
class FoundServer:
    """A server as it is. While it is not Ready, the rest is not asked for.

    Attributes:
        id: its ARM id as the service spells it.
        fqdn: its host name.
        location: its region.
        version: major version of PostgreSQL.
        state: Ready, Stopped, Updating, ...
        primary: whether it can be written to.
        principal_id: object id of its own identity, or None where it has none.
        subnet_id: the subnet that it lies in, or None.
        entra: whether Entra principals sign in.
        user_object_id: object id of the principal that the program signs in as.
        user: under what name that principal is an administrator, or None where it is none.
        parameters: those that matter, by name.
        has_database: whether the database of the settings is there.
        provider: provider for its subscription, or None for the default one.
    """

    id: str
    fqdn: str
    location: str
    version: str
    state: str
    primary: bool
    principal_id: str | None
    subnet_id: str | None
    entra: bool
    user_object_id: str
    user: str | None = None
    parameters: Mapping[str, FoundParameter] = field(default_factory=dict)
    has_database: bool = False
    provider: pulumi.ProviderResource | None = None

    @property
    def group(self) -> str:
        """Return the name of its resource group."""
        return group_and_name(self.id)[0]

    @property
    def name(self) -> str:
        """Return its name."""
        return group_and_name(self.id)[1]

    def mistakes(self, settings: StackSettings) -> Iterator[Mistake]:
        """Yield what stands in the way, each with the way out."""
        if self.state != _READY:
            start = f": `{self._az('start', server='--name')}`" if self.state == "Stopped" else ""
            yield self._mistake(f"is {self.state} and not Ready{start}")
            return
        if not self.primary:
            yield self._mistake("is a read replica, in which nothing can be written; name its primary")
        if self.version not in VERSIONS:
            yield self._mistake(f"is PostgreSQL {self.version}; allowed: {', '.join(VERSIONS)}")
        if settings.uses_ai and settings.ai.authentication == "managed-identity" and self.principal_id is None:
            yield self._mistake(
                "has no identity of its own, with which azure_ai signs in:"
                f" `{self._az('identity update')} --system-assigned Enabled`, then"
                f" `{self._az('restart', server='--name')}`; or set ai.authentication to keys"
            )
        yield from self._parameter_mistakes(settings)
        yield from self._sign_in_mistakes(settings)
        if settings.network.mode == "injected" and self.subnet_id is None:
            yield Mistake("network.mode", f"is injected, and {self.name} lies in no subnet; say public")
        if settings.database.existing and not self.has_database:
            yield Mistake("database.existing", f"{self.name} has no database {settings.database.name}; leave it out")

    def remarks(self, settings: StackSettings) -> Iterator[str]:
        """Yield what is no mistake, and should be known."""
        if self.location != settings.location:
            yield f"{_SETTING}: {self.name} lies in {self.location}, and the rest of the stack in {settings.location}"
        if self.subnet_id is not None and settings.network.mode != "injected":
            yield (
                f"{_SETTING}: {self.name} lies in a subnet: whoever runs `pulumi up` must be in its network, or in one"
                " that is peered with it (docs/networks.md)"
            )

    def _parameter_mistakes(self, settings: StackSettings) -> Iterator[Mistake]:
        wanted = settings.enabled_extensions
        allowed, preloaded = self.parameters[ALLOWLIST].value, self.parameters[PRELOAD]
        missing = sorted(set(wanted) - set(split(allowed)))
        if missing:
            command = self._set(ALLOWLIST, merge_allowlist(allowed, wanted))
            yield self._mistake(f"does not allow {', '.join(missing)}: `{command}`")
        libraries = {PRELOADS[name] for name in wanted if name in PRELOADS}
        absent = sorted(libraries - set(split(preloaded.value)))
        restart = f"`{self._az('restart', server='--name')}`, which cuts connections off"
        if absent:
            command = self._set(PRELOAD, ",".join([*split(preloaded.value), *absent]))
            yield self._mistake(f"does not preload {', '.join(absent)}: `{command}`, then {restart}")
        elif libraries and preloaded.waits:
            yield self._mistake(f"waits for a restart before it preloads {', '.join(sorted(libraries))}: {restart}")
        lives = self.parameters.get(CRON_DATABASE)
        if lives is not None and lives.value != settings.cron_database:
            yield Mistake(
                f"parameters.{CRON_DATABASE}",
                f"pg_cron lives in the database {lives.value} of {self.name}; say {CRON_DATABASE}: {lives.value}",
            )

    def _sign_in_mistakes(self, settings: StackSettings) -> Iterator[Mistake]:
        user = settings.database_user
        if not self.entra:
            yield self._mistake(
                f"lets nobody sign in with Entra: `{self._az('update', server='--name')} --microsoft-entra-auth"
                " Enabled`"
            )
        elif self.user is None:
            kind = _kind_of_user(settings)
            yield self._mistake(
                f"has no administrator {user} ({self.user_object_id}): `{self._az('microsoft-entra-admin create')}"
                f' --display-name "{user}" --object-id {self.user_object_id} --type {kind}`'
            )
        elif self.user != user:
            yield Mistake(
                "authentication", f"signs in as {user}, and {self.name} knows {self.user_object_id} as {self.user}"
            )

    def _mistake(self, message: str) -> Mistake:
        return Mistake(_SETTING, f"{self.name} {message}")

    def _set(self, parameter: str, value: str) -> str:
        return f"{self._az('parameter set')} --name {parameter} --value {value}"

    def _az(self, command: str, *, server: str = "--server-name") -> str:
        subscription = self.id.split("/")[2]
        return (
            f"az postgres flexible-server {command} --subscription {subscription} --resource-group {self.group}"
            f" {server} {self.name}"
        )


def read_server(
    server_id: str, settings: StackSettings, deployer_object_id: str, provider: pulumi.ProviderResource | None
) -> FoundServer:
    """Read a server, and of what is in it that which the settings need.

    Args:
        server_id: its ARM id.
        settings: the stack's settings.
        deployer_object_id: object id of the signed-in principal.
        provider: provider for the server's subscription, or None for the default one.

    Raises:
        UnreadError: it is not there, or may not be read.
    """
    group, name = group_and_name(server_id)
    options = pulumi.InvokeOptions(provider=provider)
    place: dict[str, Any] = {"resource_group_name": group, "server_name": name, "opts": options}
    found = read(_SETTING, server_id, partial(pg.get_server, **place))
    user_object_id = _object_id_of_user(settings, deployer_object_id)
    facts: dict[str, Any] = {
        "id": str(found.id),
        "fqdn": str(found.fully_qualified_domain_name),
        "location": str(found.location).lower().replace(" ", ""),
        "version": str(found.version),
        "state": str(found.state),
        "primary": found.replication_role in (None, "None", "Primary"),
        "principal_id": (found.identity.principal_id if found.identity else None) or None,
        "subnet_id": (found.network.delegated_subnet_resource_id if found.network else None) or None,
        "entra": found.auth_config is not None and found.auth_config.active_directory_auth == "Enabled",
        "user_object_id": user_object_id,
        "provider": provider,
    }
    if found.state != _READY:
        return FoundServer(**facts)
    names = [ALLOWLIST, PRELOAD, *([CRON_DATABASE] if "pg_cron" in settings.enabled_extensions else [])]
    parameters = {}
    for parameter in names:
        ask = partial(pg.get_configuration, configuration_name=parameter, **place)
        value = read(_SETTING, f"{server_id}/configurations/{parameter}", ask)
        parameters[parameter] = FoundParameter(
            value=str(value.value or ""), waits=bool(value.is_config_pending_restart)
        )
    administrator = read_if_there(
        _SETTING,
        f"{server_id}/administrators/{user_object_id}",
        partial(pg.get_administrators_microsoft_entra, object_id=user_object_id, **place),
    )
    database = read_if_there(
        _SETTING,
        f"{server_id}/databases/{settings.database.name}",
        partial(pg.get_database, database_name=settings.database.name, **place),
    )
    return FoundServer(
        **facts,
        user=administrator.principal_name if administrator is not None else None,
        parameters=parameters,
        has_database=database is not None,
    )


def _object_id_of_user(settings: StackSettings, deployer_object_id: str) -> str:
    administrators = settings.authentication.administrators
    named = {one.name: one.object_id for one in administrators}
    return named.get(settings.database_user, deployer_object_id)


def _kind_of_user(settings: StackSettings) -> str:
    access = settings.authentication
    named = {one.name: one.type for one in access.administrators}
    if access.deployer is not None:
        named[access.deployer.name] = access.deployer.type
    return named[settings.database_user]
