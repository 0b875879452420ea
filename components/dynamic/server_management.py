"""A management client for one flexible server, for the dynamic resources that call Resource Manager themselves."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from database.errors import DatabaseError
from database.progress import Ticker

if TYPE_CHECKING:
    from azure.core.exceptions import ResourceNotFoundError
    from azure.mgmt.postgresqlflexibleservers import PostgreSQLManagementClient

POLL_SECONDS = 2.0
TIMEOUT_SECONDS = 900
# azurerm #28298 and #29219, bicep-registry-modules #4451: what a server says while it works on something else.
_BUSY = frozenset({"ServerIsBusy", "ServerBusy", "ServerIsNotReady", "AnotherOperationInProgress", "Conflict"})
_GONE = frozenset({"ResourceNotFound", "ResourceGroupNotFound", "ParentResourceNotFound"})


class OnServer(Protocol):
    """What is wanted of a server, and where the server is."""

    @property
    def resource_manager(self) -> str:
        """Https address of Azure Resource Manager."""

    @property
    def resource_manager_scope(self) -> str:
        """Scope of its tokens."""

    @property
    def subscription_id(self) -> str:
        """The subscription."""

    @property
    def resource_group(self) -> str:
        """The server's resource group."""

    @property
    def server_name(self) -> str:
        """The server."""

    @property
    def title(self) -> str:
        """What it is, for errors."""


class managing:  # noqa: N801 - reads as the function that it is: `with managing(wanted) as client`
    """A management client whose errors are explained."""

    def __init__(self, wanted: OnServer) -> None:
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
            polling_interval=POLL_SECONDS,
        )
        return self._client

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        from azure.core.exceptions import AzureError  # noqa: PLC0415

        self._client.close()
        if isinstance(error, AzureError):
            said = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise DatabaseError(
                f"{self._wanted.title}: Azure Resource Manager said: {said} Check that you are signed in (`az login`) "
                f"and may change servers in resource group {self._wanted.resource_group}."
            ) from None


def is_gone(error: ResourceNotFoundError) -> bool:
    """Tell whether the server, or its group, is not there; a subscription that is not found is a wrong sign-in."""
    return error.error is not None and error.error.code in _GONE


def operate(wanted: OnServer, begin: Callable[[], Any], doing: str) -> None:
    """Begin an operation as soon as the server is free, and wait for its end.

    Args:
        wanted: the server.
        begin: begins it and returns its poller.
        doing: what the server is doing then, for the lines of progress: "restarting".

    Raises:
        AzureError: the service refused it.
        DatabaseError: it is not done after TIMEOUT_SECONDS.
    """
    from azure.core.exceptions import HttpResponseError  # noqa: PLC0415

    deadline = time.monotonic() + TIMEOUT_SECONDS
    ticker = Ticker()
    while True:
        try:
            poller = begin()
            break
        except HttpResponseError as error:
            busy = error.error is not None and error.error.code in _BUSY
            if not busy or time.monotonic() >= deadline:
                raise
        ticker.tick(f"{wanted.server_name} is busy with another operation")
        time.sleep(POLL_SECONDS)
    while not poller.done():
        if time.monotonic() >= deadline:
            raise DatabaseError(f"{wanted.title}: not done after {TIMEOUT_SECONDS} s; `pulumi up` again looks anew.")
        ticker.tick(f"{wanted.server_name} is {doing}")
        poller.wait(POLL_SECONDS)
    poller.result()
