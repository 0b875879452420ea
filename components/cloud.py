"""Addresses and token scopes of the cloud that the environment names: the one place that knows sovereign clouds.

ARM_ENVIRONMENT or AZURE_ENVIRONMENT chooses the cloud, by the names that azure-native takes, so that provider and
program are in the same one. AZURE_RESOURCE_MANAGER_ENDPOINT, where set, leads the program's own calls to Azure Resource
Manager elsewhere (a private cloud, or the emulator). Scopes stay those of the cloud.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace

from pulumi import RunError


@dataclass(frozen=True, kw_only=True)
class Cloud:
    """One cloud, by the name that `az cloud list` shows. Endpoints have no trailing slash; suffixes no leading dot."""

    name: str
    authority: str
    resource_manager: str
    resource_manager_scope: str
    database_scope: str
    postgres_suffix: str
    openai_suffix: str
    cognitive_suffix: str
    cognitive_scope: str
    ai_services_suffix: str
    vault_suffix: str


# Source: azure-cli's cloud definitions (azure.cli.core.cloud), azure-identity's AzureAuthorityHosts, and the Entra
# guides of flexible server. Azure OpenAI in China is unverified: no public page names its suffix; nor
# that of services.ai outside of the public cloud (azure-docs, "Private endpoint DNS zone values", has the public one).
# The suffix of vaults is that of their private zones, from the same page; their addresses have `vault` in its place.
_CLOUDS = {
    "AzureCloud": Cloud(
        name="AzureCloud",
        authority="https://login.microsoftonline.com",
        resource_manager="https://management.azure.com",
        resource_manager_scope="https://management.azure.com/.default",
        database_scope="https://ossrdbms-aad.database.windows.net/.default",
        postgres_suffix="postgres.database.azure.com",
        openai_suffix="openai.azure.com",
        cognitive_suffix="cognitiveservices.azure.com",
        cognitive_scope="https://cognitiveservices.azure.com/.default",
        ai_services_suffix="services.ai.azure.com",
        vault_suffix="vaultcore.azure.net",
    ),
    "AzureUSGovernment": Cloud(
        name="AzureUSGovernment",
        authority="https://login.microsoftonline.us",
        resource_manager="https://management.usgovcloudapi.net",
        resource_manager_scope="https://management.usgovcloudapi.net/.default",
        database_scope="https://ossrdbms-aad.database.usgovcloudapi.net/.default",
        postgres_suffix="postgres.database.usgovcloudapi.net",
        openai_suffix="openai.azure.us",
        cognitive_suffix="cognitiveservices.azure.us",
        cognitive_scope="https://cognitiveservices.azure.us/.default",
        ai_services_suffix="services.ai.azure.us",
        vault_suffix="vaultcore.usgovcloudapi.net",
    ),
    "AzureChinaCloud": Cloud(
        name="AzureChinaCloud",
        authority="https://login.chinacloudapi.cn",
        resource_manager="https://management.chinacloudapi.cn",
        resource_manager_scope="https://management.chinacloudapi.cn/.default",
        database_scope="https://ossrdbms-aad.database.chinacloudapi.cn/.default",
        postgres_suffix="postgres.database.chinacloudapi.cn",
        openai_suffix="openai.azure.cn",
        cognitive_suffix="cognitiveservices.azure.cn",
        cognitive_scope="https://cognitiveservices.azure.cn/.default",
        ai_services_suffix="services.ai.azure.cn",
        vault_suffix="vaultcore.azure.cn",
    ),
}


# Other names for the same, in lower case. Source: pulumi-azure-native, provider/pkg/azure/cloud (FromName), which takes
# a name that it does not know for the public cloud, in silence.
_NAMES = {
    **{name.lower(): name for name in _CLOUDS},
    "public": "AzureCloud",
    "usgov": "AzureUSGovernment",
    "usgovernment": "AzureUSGovernment",
    "azureusgovernmentcloud": "AzureUSGovernment",
    "usgovernmentl4": "AzureUSGovernment",
    "china": "AzureChinaCloud",
}


def cloud() -> Cloud:
    """Return the cloud that the environment names.

    Raises:
        RunError: the name of the cloud or the endpoint is none that this program can use.
    """
    variable = "ARM_ENVIRONMENT" if os.environ.get("ARM_ENVIRONMENT") else "AZURE_ENVIRONMENT"
    given = os.environ.get(variable) or "AzureCloud"
    name = _NAMES.get(given.lower())
    if name is None:
        raise RunError(f"{variable} is {given!r}; allowed: {', '.join(_CLOUDS)}")
    endpoint = os.environ.get("AZURE_RESOURCE_MANAGER_ENDPOINT", "").rstrip("/")
    if not endpoint:
        return _CLOUDS[name]
    if not endpoint.startswith("https://"):
        raise RunError(
            f"AZURE_RESOURCE_MANAGER_ENDPOINT is {endpoint!r}; allowed: an address that starts with https://"
        )
    return replace(_CLOUDS[name], resource_manager=endpoint)
