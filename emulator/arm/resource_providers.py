"""Resource providers of the subscription: which are registered, and what an unregistered one refuses.

Source: azure-docs, "Azure resource providers and types" and "Resolve errors for resource provider registration". A real
subscription begins with most of them unregistered; this one with all of them registered, so that a first `up` works.
"""

from __future__ import annotations

from emulator.arm.body import Json
from emulator.arm.catalogue import Catalogue
from emulator.arm.errors import ArmError
from emulator.arm.store import Resource, Store

TYPE = "Microsoft.Resources/providers"


def listed(store: Store, catalogue: Catalogue, subscription: str) -> list[Json]:
    """Return every provider with its state."""
    return [one(store, catalogue, subscription, name) for name in _namespaces(catalogue).values()]


def one(store: Store, catalogue: Catalogue, subscription: str, namespace: str) -> Json:
    """Return one provider with its state.

    Raises:
        ArmError: There is none of that name.
    """
    known = _namespaces(catalogue).get(namespace.lower())
    if known is None:
        raise ArmError(404, "InvalidResourceNamespace", f"The resource namespace '{namespace}' is invalid.")
    types = [rules for name, rules in sorted(catalogue.types.items()) if name.startswith(f"{known.lower()}/")]
    return {
        "id": f"/subscriptions/{subscription}/providers/{known}",
        "namespace": known,
        "registrationPolicy": "RegistrationRequired",
        "registrationState": "NotRegistered" if store.get(_mark(subscription, known)) else "Registered",
        "resourceTypes": [
            {"resourceType": rules.type.partition("/")[2], "apiVersions": list(rules.api_versions)} for rules in types
        ],
    }


def set_registration(store: Store, catalogue: Catalogue, subscription: str, namespace: str, action: str) -> Json:
    """Register or unregister a provider, and return it; what is kept is that one is unregistered."""
    found = one(store, catalogue, subscription, namespace)
    name = str(found["namespace"])
    if action == "register":
        store.remove(_mark(subscription, name))
    else:
        store.put(Resource(_mark(subscription, name), TYPE, name, {"registrationState": "NotRegistered"}))
    return one(store, catalogue, subscription, name)


def check(store: Store, subscription: str, namespace: str) -> None:
    """Refuse to make a resource whose provider is not registered.

    Raises:
        ArmError: 409, MissingSubscriptionRegistration.
    """
    if store.get(_mark(subscription, namespace)):
        raise ArmError(
            409,
            "MissingSubscriptionRegistration",
            f"The subscription is not registered to use namespace '{namespace}'. See "
            "https://aka.ms/rps-not-found for how to register subscriptions.",
        )


def _namespaces(catalogue: Catalogue) -> dict[str, str]:
    names = {rules.type.partition("/")[0] for rules in catalogue.types.values()}
    return {name.lower(): name for name in sorted(names)}


def _mark(subscription: str, namespace: str) -> str:
    """Return the id of the mark that a provider is unregistered; no path of a resource begins with it."""
    return f"/subscriptions/{subscription}/unregistered/{namespace}"
