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
from database.errors import DatabaseError
from database.progress import Ticker, progress

if TYPE_CHECKING:
    from azure.mgmt.postgresqlflexibleservers import PostgreSQLManagementClient

_POLL_SECONDS = 2.0
_TIMEOUT_SECONDS = 900
# azurerm #28298 and #29219, bicep-registry-modules #4451: what a server says while it works on something else.
_BUSY = frozenset({"ServerIsBusy", "ServerBusy", "ServerIsNotReady", "AnotherOperationInProgress", "Conflict"})
_GONE = frozenset({"ResourceNotFound", "ResourceGroupNotFound"})


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
        with _service(wanted) as client:
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
        with _service(wanted) as client:
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


class _service:  # noqa: N801 - reads as the function that it is: `with _service(wanted) as client`
    """A management client whose errors are explained."""

    def __init__(self, wanted: WantedRestart) -> None:
        self._wanted = wanted

    def __enter__(self) -> PostgreSQLManagementClient:
        # Imported here: half a second that a preview, which starts this process too, need not pay.
        from azure.identity import DefaultAzureCredential  # noqa: PLC0415
        from azure.mgmt.postgresqlflexibleservers import PostgreSQLManagementClient  # noqa: PLC0415

        self._client = PostgreSQLManagementClient(
            DefaultAzureCredential(),
            self._wanted.subscription_id,
            base_url=self._wanted.resource_manager,
            credential_scopes=[self._wanted.resource_manager_scope],
            polling_interval=_POLL_SECONDS,
        )
        return self._client

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        from azure.core.exceptions import AzureError  # noqa: PLC0415

        self._client.close()
        if isinstance(error, AzureError):
            said = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise DatabaseError(
                f"{self._wanted.title}: Azure Resource Manager said: {said} Check that you are signed in (`az login`) "
                f"and may read and restart servers in resource group {self._wanted.resource_group}."
            ) from None


def _state(client: PostgreSQLManagementClient, wanted: WantedRestart) -> str | None:
    from azure.core.exceptions import ResourceNotFoundError  # noqa: PLC0415

    try:
        server = client.servers.get(wanted.resource_group, wanted.server_name)
    except ResourceNotFoundError as error:
        if error.error is not None and error.error.code in _GONE:
            return None
        raise  # a subscription that is not found is a wrong sign-in, not a server that is gone
    return str(getattr(server.state, "value", server.state) or "")


def _await_ready(client: PostgreSQLManagementClient, wanted: WantedRestart) -> None:
    deadline = time.monotonic() + _TIMEOUT_SECONDS
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
        time.sleep(_POLL_SECONDS)


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
    from azure.core.exceptions import HttpResponseError  # noqa: PLC0415

    deadline = time.monotonic() + _TIMEOUT_SECONDS
    ticker = Ticker()
    while True:
        try:
            poller = client.servers.begin_restart(wanted.resource_group, wanted.server_name)
            break
        except HttpResponseError as error:
            busy = error.error is not None and error.error.code in _BUSY
            if not busy or time.monotonic() >= deadline:
                raise
        ticker.tick(f"{wanted.server_name} is busy with another operation")
        time.sleep(_POLL_SECONDS)
    while not poller.done():
        if time.monotonic() >= deadline:
            raise DatabaseError(f"{wanted.title}: not done after {_TIMEOUT_SECONDS} s; `pulumi up` again looks anew.")
        ticker.tick(f"{wanted.server_name} is restarting")
        poller.wait(_POLL_SECONDS)
    poller.result()
