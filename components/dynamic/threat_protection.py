"""ThreatProtection: whether Microsoft Defender watches a flexible server.

azure-native 3.29.0 has this setting for the retired single server only; the service's own client has it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi
from pulumi.dynamic import Resource

from components.dynamic.access import camel
from components.dynamic.props import Props
from components.dynamic.provider import Provider
from components.dynamic.server_management import is_gone, managing, operate
from database.errors import DatabaseError

_NAME = "Default"  # the only one (REST reference, "Advanced Threat Protection Settings - Create Or Update")


@dataclass(frozen=True, kw_only=True)
class ThreatProtectionArgs:
    """Inputs of ThreatProtection.

    Attributes:
        resource_manager: https address of Azure Resource Manager.
        resource_manager_scope: scope of its tokens.
        subscription_id: the subscription.
        resource_group: the server's resource group.
        server_name: the server.
    """

    resource_manager: pulumi.Input[str]
    resource_manager_scope: pulumi.Input[str]
    subscription_id: pulumi.Input[str]
    resource_group: pulumi.Input[str]
    server_name: pulumi.Input[str]

    def props(self, **outs: None) -> dict[str, Any]:
        """Return a fresh dict of the inputs by the names that the engine stores, and `outs` to be filled in."""
        return {**outs, **{camel(name): getattr(self, name) for name in self.__dataclass_fields__}}


@dataclass(frozen=True)
class WantedProtection:
    """The inputs, decoded."""

    resource_manager: str
    resource_manager_scope: str
    subscription_id: str
    resource_group: str
    server_name: str

    @property
    def resource_id(self) -> str:
        """The id in the stack's state."""
        return f"{self.server_name}/threat-protection"

    @property
    def title(self) -> str:
        """What it is, for errors."""
        return f"threat protection of server {self.server_name}"


class ThreatProtectionProvider(Provider[WantedProtection]):
    """Switches it on, finds that somebody switched it off, and switches it off when it leaves the program."""

    inputs = frozenset({"resourceManager", "resourceManagerScope", "subscriptionId", "resourceGroup", "serverName"})
    identity = ("subscriptionId", "resourceGroup", "serverName")

    def decode(self, props: Props) -> WantedProtection:
        """Decode inputs, or outputs, which hold them too."""
        return WantedProtection(
            resource_manager=props.text("resourceManager"),
            resource_manager_scope=props.text("resourceManagerScope"),
            subscription_id=props.text("subscriptionId"),
            resource_group=props.text("resourceGroup"),
            server_name=props.text("serverName"),
        )

    def due(self, had: Mapping[str, Any], news: Mapping[str, Any]) -> bool:  # noqa: ARG002
        """Tell whether the last refresh found it switched off."""
        return bool(had.get("state", "Enabled") != "Enabled")

    def make(self, wanted: WantedProtection) -> dict[str, Any]:
        """Switch it on."""
        return {"state": _set(wanted, "Enabled")}

    def change(self, had: Mapping[str, Any], wanted: WantedProtection) -> dict[str, Any]:  # noqa: ARG002
        """Switch it on."""
        return self.make(wanted)

    def find(self, had: Mapping[str, Any], wanted: WantedProtection) -> dict[str, Any] | None:  # noqa: ARG002
        """Look whether it is on; gone when the server is."""
        state = _state(wanted)
        return None if state is None else {"state": state}

    def remove(self, had: Mapping[str, Any], wanted: WantedProtection) -> None:  # noqa: ARG002
        """Switch it off; nothing is left to do where the server is gone."""
        if _state(wanted) == "Enabled":
            _set(wanted, "Disabled")


class ThreatProtection(Resource, module="postgresql", name="ThreatProtection"):
    """Microsoft Defender for a server, switched on. Who gets its alerts is said in Defender for Cloud."""

    state: pulumi.Output[str]

    def __init__(self, name: str, args: ThreatProtectionArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(ThreatProtectionProvider(), name, args.props(state=None), opts)


def _state(wanted: WantedProtection) -> str | None:
    from azure.core.exceptions import ResourceNotFoundError  # noqa: PLC0415

    with managing(wanted) as client:
        try:
            found = client.advanced_threat_protection_settings.get(wanted.resource_group, wanted.server_name, _NAME)
        except ResourceNotFoundError as error:
            if is_gone(error):
                return None
            raise  # a subscription that is not found is a wrong sign-in, not a server that is gone
    state = found.properties.state if found.properties else None
    return str(getattr(state, "value", state) or "")


def _set(wanted: WantedProtection, state: str) -> str:
    with managing(wanted) as client:
        settings = client.server_threat_protection_settings
        operate(
            wanted,
            lambda: settings.begin_create_or_update(
                wanted.resource_group, wanted.server_name, _NAME, {"properties": {"state": state}}
            ),
            "changing its threat protection",
        )
    now = _state(wanted)
    if now != state:
        raise DatabaseError(
            f"{wanted.title}: it was to be {state} and is {now or 'unknown'}: a policy of the subscription may decide "
            f"it; look at Defender for Cloud, then run `pulumi up` again."
        )
    return state
