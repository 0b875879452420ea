"""RestartIfPending: restarts a flexible server when a static parameter of the stack waits for it, and only then."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pulumi
from pulumi.dynamic import Resource

from components.dynamic.access import camel
from components.dynamic.props import Props
from components.dynamic.provider import Provider
from components.dynamic.server_management import POLL_SECONDS, TIMEOUT_SECONDS, is_gone, managing, operate
from database.errors import DatabaseError
from database.progress import Ticker, progress

if TYPE_CHECKING:
    from azure.mgmt.postgresqlflexibleservers import PostgreSQLManagementClient


@dataclass(frozen=True, kw_only=True)
class RestartIfPendingArgs:
    """Inputs of RestartIfPending.

    Attributes:
        resource_manager: https address of Azure Resource Manager.
        resource_manager_scope: scope of its tokens.
        subscription_id: the subscription.
        resource_group: the server's resource group.
        server_name: the server.
        triggers: static parameters of the stack, name -> value; only these are looked at.
    """

    resource_manager: pulumi.Input[str]
    resource_manager_scope: pulumi.Input[str]
    subscription_id: pulumi.Input[str]
    resource_group: pulumi.Input[str]
    server_name: pulumi.Input[str]
    triggers: pulumi.Input[Mapping[str, pulumi.Input[str]]]

    def props(self, **outs: None) -> dict[str, Any]:
        """Return a fresh dict of the inputs by the names that the engine stores, and `outs` to be filled in."""
        return {**outs, **{camel(name): getattr(self, name) for name in self.__dataclass_fields__}}


@dataclass(frozen=True)
class WantedRestart:
    """The inputs, decoded."""

    resource_manager: str
    resource_manager_scope: str
    subscription_id: str
    resource_group: str
    server_name: str
    parameters: frozenset[str]

    @property
    def resource_id(self) -> str:
        """The id in the stack's state."""
        return f"{self.server_name}/restart"

    @property
    def title(self) -> str:
        """What it is, for errors."""
        return f"restart of server {self.server_name}"


class RestartIfPendingProvider(Provider[WantedRestart]):
    """Asks Resource Manager which parameters wait for a restart; restarts and waits until the server is ready."""

    inputs = frozenset(
        {"resourceManager", "resourceManagerScope", "subscriptionId", "resourceGroup", "serverName", "triggers"}
    )
    identity = ("subscriptionId", "resourceGroup", "serverName")

    def decode(self, props: Props) -> WantedRestart:
        """Decode inputs, or outputs, which hold them too."""
        return WantedRestart(
            resource_manager=props.text("resourceManager"),
            resource_manager_scope=props.text("resourceManagerScope"),
            subscription_id=props.text("subscriptionId"),
            resource_group=props.text("resourceGroup"),
            server_name=props.text("serverName"),
            parameters=frozenset(props.mapping("triggers")),
        )

    def due(self, had: Mapping[str, Any], news: Mapping[str, Any]) -> bool:  # noqa: ARG002
        """Tell whether the last refresh found a parameter that waits."""
        return bool(had.get("pending"))

    def make(self, wanted: WantedRestart) -> dict[str, Any]:
        """Restart if something waits."""
        with managing(wanted) as client:
            _await_ready(client, wanted)
            pending = _pending(client, wanted)
            if not pending:
                return {"restarted": False, "pending": []}
            progress(f"restarting {wanted.server_name} for {', '.join(pending)}: open connections are cut off")
            _restart(client, wanted)
            _await_ready(client, wanted)
            still = _pending(client, wanted)
        if still:
            raise DatabaseError(
                f"{wanted.title}: it was restarted, and {', '.join(still)} still waits for a restart: look at the "
                f"value of that parameter, then run `pulumi up` again."
            )
        return {"restarted": True, "pending": []}

    def change(self, had: Mapping[str, Any], wanted: WantedRestart) -> dict[str, Any]:  # noqa: ARG002
        """Restart if something waits."""
        return self.make(wanted)

    def find(self, had: Mapping[str, Any], wanted: WantedRestart) -> dict[str, Any] | None:
        """Look at what waits now; gone when the server is."""
        with managing(wanted) as client:
            if _state(client, wanted) is None:
                return None
            return {"restarted": bool(had.get("restarted")), "pending": _pending(client, wanted)}

    def remove(self, had: Mapping[str, Any], wanted: WantedRestart) -> None:
        """Do nothing: a restart leaves nothing behind."""


class RestartIfPending(Resource, module="postgresql", name="RestartIfPending"):
    """A restart of the server when one of the stack's static parameters waits for it; otherwise none."""

    restarted: pulumi.Output[bool]
    pending: pulumi.Output[list[str]]

    def __init__(self, name: str, args: RestartIfPendingArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(RestartIfPendingProvider(), name, args.props(restarted=None, pending=None), opts)


def _state(client: PostgreSQLManagementClient, wanted: WantedRestart) -> str | None:
    from azure.core.exceptions import ResourceNotFoundError  # noqa: PLC0415

    try:
        server = client.servers.get(wanted.resource_group, wanted.server_name)
    except ResourceNotFoundError as error:
        if is_gone(error):
            return None
        raise  # a subscription that is not found is a wrong sign-in, not a server that is gone
    return str(getattr(server.state, "value", server.state) or "")


def _await_ready(client: PostgreSQLManagementClient, wanted: WantedRestart) -> None:
    deadline = time.monotonic() + TIMEOUT_SECONDS
    ticker = Ticker()
    while True:
        state = _state(client, wanted)
        if state == "Ready":
            return
        if state in {None, "Stopped", "Disabled", "Dropping", "Inaccessible"} or time.monotonic() >= deadline:
            raise DatabaseError(
                f"{wanted.title}: the server is {state or 'not there'} and not Ready: start it (`az postgres flexible-"
                f"server start`) and run `pulumi up` again."
            )
        ticker.tick(f"waiting for {wanted.server_name} to be Ready (it is {state})")
        time.sleep(POLL_SECONDS)


def _pending(client: PostgreSQLManagementClient, wanted: WantedRestart) -> list[str]:
    if not wanted.parameters:
        return []
    listed = client.configurations.list_by_server(wanted.resource_group, wanted.server_name)
    return sorted(
        str(parameter.name)
        for parameter in listed
        if parameter.name in wanted.parameters and parameter.is_config_pending_restart
    )


def _restart(client: PostgreSQLManagementClient, wanted: WantedRestart) -> None:
    operate(wanted, lambda: client.servers.begin_restart(wanted.resource_group, wanted.server_name), "restarting")
