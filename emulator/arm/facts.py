"""What a subscription and its regions say about themselves: the lists that a preflight reads, and no resource holds."""

from __future__ import annotations

import re

from emulator.arm import offers, permissions, resource_providers
from emulator.arm.body import Json
from emulator.arm.catalogue import normal_location
from emulator.arm.errors import ArmError
from emulator.arm.kind import Answer, Plane
from emulator.identity import Principal

_PROVIDER = re.compile(r"/subscriptions/([^/]+)/providers(?:/([^/]+))?(?:/(register|unregister))?", re.IGNORECASE)
_PERMISSIONS = re.compile(r"(/subscriptions/.+)/providers/microsoft\.authorization/permissions", re.IGNORECASE)
_CAPABILITIES = re.compile(
    r"/subscriptions/[^/]+/providers/microsoft\.dbforpostgresql/locations/([^/]+)/capabilities", re.IGNORECASE
)
_COGNITIVE = re.compile(
    r"/subscriptions/[^/]+/providers/microsoft\.cognitiveservices/(skus|checkdomainavailability)", re.IGNORECASE
)


def answer(plane: Plane, method: str, path: str, body: Json, principal: Principal) -> Answer | None:
    """Answer a question about the subscription or a region, or return None where it is another question.

    Raises:
        ArmError: The region or the provider is not known.
    """
    path = path.rstrip("/")
    if (found := _PROVIDER.fullmatch(path)) and (method == "POST") == bool(found[3]):
        return Answer(200, _providers(plane, found[1], found[2], found[3]))
    if (found := _PERMISSIONS.fullmatch(path)) and method == "GET":
        return Answer(200, {"value": permissions.of(plane.store, principal, plane.deployer, found[1])})
    if (found := _CAPABILITIES.fullmatch(path)) and method == "GET":
        return Answer(200, {"value": [offers.server_capabilities(plane.catalogue, _location(plane, found[1]))]})
    if found := _COGNITIVE.fullmatch(path):
        if found[1].lower() == "skus" and method == "GET":
            return Answer(200, {"value": offers.account_skus(plane.catalogue)})
        if found[1].lower() != "skus" and method == "POST":
            return Answer(200, offers.domain_availability(plane.store, body))
    return None


def _providers(plane: Plane, subscription: str, namespace: str | None, action: str | None) -> Json:
    if namespace is None:
        return {"value": resource_providers.listed(plane.store, plane.catalogue, subscription)}
    if action is None:
        return resource_providers.one(plane.store, plane.catalogue, subscription, namespace)
    return resource_providers.set_registration(plane.store, plane.catalogue, subscription, namespace, action.lower())


def _location(plane: Plane, given: str) -> str:
    location = normal_location(given)
    if location not in plane.catalogue.locations:
        raise ArmError(
            400, "InvalidLocation", f"The location '{given}' is not one of this subscription."
        )  # code and text: unverified
    return location
