"""Addresses and token scopes of the cloud that the environment names: the one place that knows sovereign clouds.

AZURE_ENVIRONMENT chooses the cloud; AZURE_RESOURCE_MANAGER_ENDPOINT, where set, leads the program's own calls to Azure
Resource Manager elsewhere (a private cloud, or the emulator). Scopes stay those of the cloud.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace

from pulumi import RunError


@dataclass(frozen=True, kw_only=True)
class Cloud:
    """One cloud. Endpoints have no trailing slash; suffixes have no leading dot."""

    resource_manager: str
    resource_manager_scope: str
    database_scope: str
    postgres_suffix: str
    openai_suffix: str
    cognitive_suffix: str


# Source: azure-cli's cloud definitions (azure.cli.core.cloud) and the Entra guides of flexible server. Azure OpenAI in
# China is unverified: no public page names its suffix.
_CLOUDS = {
    "AzurePublic": Cloud(
        resource_manager="https://management.azure.com",
        resource_manager_scope="https://management.azure.com/.default",
        database_scope="https://ossrdbms-aad.database.windows.net/.default",
        postgres_suffix="postgres.database.azure.com",
        openai_suffix="openai.azure.com",
        cognitive_suffix="cognitiveservices.azure.com",
    ),
    "AzureUSGovernment": Cloud(
        resource_manager="https://management.usgovcloudapi.net",
        resource_manager_scope="https://management.usgovcloudapi.net/.default",
        database_scope="https://ossrdbms-aad.database.usgovcloudapi.net/.default",
        postgres_suffix="postgres.database.usgovcloudapi.net",
        openai_suffix="openai.azure.us",
        cognitive_suffix="cognitiveservices.azure.us",
    ),
    "AzureChina": Cloud(
        resource_manager="https://management.chinacloudapi.cn",
        resource_manager_scope="https://management.chinacloudapi.cn/.default",
        database_scope="https://ossrdbms-aad.database.chinacloudapi.cn/.default",
        postgres_suffix="postgres.database.chinacloudapi.cn",
        openai_suffix="openai.azure.cn",
        cognitive_suffix="cognitiveservices.azure.cn",
    ),
}


def cloud() -> Cloud:
    """Return the cloud that the environment names.

    Raises:
        RunError: AZURE_ENVIRONMENT or the endpoint is none that this program can use.
    """
    name = os.environ.get("AZURE_ENVIRONMENT") or "AzurePublic"
    if name not in _CLOUDS:
        raise RunError(f"AZURE_ENVIRONMENT is {name!r}; allowed: {', '.join(_CLOUDS)}")
    endpoint = os.environ.get("AZURE_RESOURCE_MANAGER_ENDPOINT", "").rstrip("/")
    if not endpoint:
        return _CLOUDS[name]
    if not endpoint.startswith("https://"):
        raise RunError(
            f"AZURE_RESOURCE_MANAGER_ENDPOINT is {endpoint!r}; allowed: an address that starts with https://"
        )
    return replace(_CLOUDS[name], resource_manager=endpoint)
