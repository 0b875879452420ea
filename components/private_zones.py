"""Private DNS zones: which names a stack's network must answer for.

A private endpoint is found by a zone of the public suffix with `privatelink.` before it (azure-docs, "Private endpoint
DNS zone values"); a server in a subnet by a zone of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.account_hosts import all_host_suffixes

if TYPE_CHECKING:
    from components.cloud import Cloud
    from components.settings import StackSettings

PREFIX = "privatelink."


def endpoint_suffixes(settings: StackSettings, cloud: Cloud) -> tuple[str, ...]:
    """Return the suffixes of the host names that private endpoints answer for: of server, accounts and key vault."""
    served: set[str] = set()
    if settings.network.mode == "private-endpoint":
        served.add(cloud.postgres_suffix)
    if settings.accounts_have_endpoints:
        served.update(all_host_suffixes(settings.ai, cloud))
    if settings.vault_has_endpoint:
        served.add(cloud.vault_suffix)
    return tuple(sorted(served))


def is_of_server(zone: str, cloud: Cloud) -> bool:
    """Tell whether a zone, by its name, can be that of a server in a subnet."""
    return zone.endswith(f".{cloud.postgres_suffix}") and not zone.startswith(PREFIX)
