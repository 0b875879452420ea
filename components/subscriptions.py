"""Providers for what lies in another subscription than the one that `up` works in."""

from __future__ import annotations

import pulumi
from pulumi_azure_native import Provider


class Subscriptions:
    """One provider for each other subscription, made when something there is first asked for.

    It signs in as the environment or `az login` says. What the config says under `azure-native:` reaches the default
    provider alone.
    """

    def __init__(self, own: str) -> None:
        self._own = own.lower()
        self._others: dict[str, Provider] = {}

    def provider_of(self, resource_id: str) -> pulumi.ProviderResource | None:
        """Return the provider for what an ARM id names, or None where the default one will do."""
        subscription = resource_id.split("/")[2].lower()
        if subscription == self._own:
            return None
        if subscription not in self._others:
            self._others[subscription] = Provider(f"subscription-{subscription}", subscription_id=subscription)
        provider: pulumi.ProviderResource = self._others[subscription]
        return provider
