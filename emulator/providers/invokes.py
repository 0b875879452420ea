"""Functions of `azure-native`: who is signed in, the keys of an account, and the getter of every resource type."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from emulator.providers import shapes, translation
from emulator.providers.arm_client import ArmClient, ArmError
from emulator.providers.resource_types import PACKAGE, RESOURCE_TYPES, ResourceType

_ACTIONS: Mapping[str, tuple[str, str]] = {
    "azure-native:cognitiveservices:listAccountKeys": ("azure-native:cognitiveservices:Account", "listKeys"),
    "azure-native:operationalinsights:getSharedKeys": ("azure-native:operationalinsights:Workspace", "sharedKeys"),
    "azure-native:operationalinsights:getWorkspaceSharedKeys": (
        "azure-native:operationalinsights:Workspace",
        "sharedKeys",
    ),
}
"""Functions that are a POST on a resource: the resource's type and the action."""

_GETTERS = {f"azure-native:{entry.module}:get{entry.name}": entry for entry in RESOURCE_TYPES.values()}


class UnknownFunction(Exception):
    """A function that the emulator does not have; the message says which there are."""


@dataclass(frozen=True)
class Invoker:
    """Answers functions.

    Attributes:
        arm: Resource Manager.
        token: Returns the token of the signed-in principal.
    """

    arm: ArmClient
    token: Callable[[], str]

    def invoke(self, function: str, arguments: Mapping[str, Any], subscription_id: str) -> dict[str, Any]:
        """Return what a function gives.

        Raises:
            UnknownFunction: There is no such function here.
            MissingParameter: An argument that names the resource is absent.
            ArmError: ARM refuses; the message begins with the request.
        """
        if function == "azure-native:authorization:getClientConfig":
            return self._client_config(subscription_id)
        if function in _ACTIONS:
            type_token, action = _ACTIONS[function]
            resource_type = RESOURCE_TYPES[type_token]
            path = f"{translation.arm_id(resource_type, arguments, subscription_id)}/{action}"
            response = self._asked(path, lambda: self.arm.post(path, resource_type.api_version))
            return _described(resource_type, function, response)
        if function in _GETTERS:
            resource_type = _GETTERS[function]
            path = translation.arm_id(resource_type, arguments, subscription_id)
            response = self._asked(path, lambda: self.arm.get(path, resource_type.api_version))
            return _described(resource_type, function, response) | {"azureApiVersion": resource_type.api_version}
        known = ", ".join(sorted(["azure-native:authorization:getClientConfig", *_ACTIONS, *_GETTERS]))
        raise UnknownFunction(f"Invoke type {function} not found: the emulator has {known}.")

    def _client_config(self, subscription_id: str) -> dict[str, Any]:
        """Return who is signed in, from the token's claims (provider/pkg/provider/auth_getclientconfig.go)."""
        payload = self.token().split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return {
            "clientId": claims.get("appid", ""),
            "objectId": claims["oid"],
            "subscriptionId": subscription_id,
            "tenantId": claims["tid"],
        }

    @staticmethod
    def _asked(path: str, ask: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        try:
            return ask()
        except ArmError as error:
            error.args = (f"request failed {path}: {error}",)
            raise


def _described(resource_type: ResourceType, function: str, response: Mapping[str, Any]) -> dict[str, Any]:
    described = shapes.results(PACKAGE, resource_type.module, function.rsplit(":", maxsplit=1)[-1])
    if "properties" in response and resource_type.lifts_properties:
        return translation.outputs_of(resource_type, described, response)
    return {name: value for name, value in response.items() if name in described and value is not None}
