"""The variables that lead a program, its libraries and the engine to the emulator."""

from __future__ import annotations

import os
import shlex

from emulator import state
from emulator.certificates import Certificates
from emulator.state import Home, Settings


def variables(home: Home, settings: Settings) -> dict[str, str]:
    """Return the variables by name."""
    certificates = Certificates(home.tls)
    direct = _without_proxy()
    return {
        "AZURE_SUBSCRIPTION_ID": state.SUBSCRIPTION_ID,
        "ARM_SUBSCRIPTION_ID": state.SUBSCRIPTION_ID,
        "AZURE_TENANT_ID": state.TENANT_ID,
        "ARM_TENANT_ID": state.TENANT_ID,
        "IDENTITY_ENDPOINT": f"http://127.0.0.1:{settings.http_port}/msi/token",
        "IDENTITY_HEADER": settings.identity_header,
        # azure-identity: DefaultAzureCredential asks the managed identity at once, and not seven others before it.
        "AZURE_TOKEN_CREDENTIALS": "ManagedIdentityCredential",
        "AZURE_RESOURCE_MANAGER_ENDPOINT": f"https://127.0.0.1:{settings.https_port}",
        # tools/billed.py: where the names of AI accounts lead, which no DNS knows.
        "AZURE_OPENAI_ADDRESS": f"127.0.0.1:{settings.https_port}",
        "REQUESTS_CA_BUNDLE": str(certificates.bundle),
        "SSL_CERT_FILE": str(certificates.bundle),
        # Two spellings: curl and libcurl read the small one, Python's requests either.
        "NO_PROXY": direct,
        "no_proxy": direct,
        "PGHOSTADDR": "127.0.0.1",
        "PGPORT": str(settings.gateway_port),
        "PGSSLROOTCERT": str(certificates.ca),
        "PULUMI_DEBUG_PROVIDERS": f"azure-native:{settings.azure_native_port},random:{settings.random_port}",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
    }


def _without_proxy() -> str:
    """Return the hosts that no proxy serves: those that are set already, and this machine."""
    given = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
    hosts = [host for host in given.split(",") if host.strip()]
    return ",".join([*hosts, *(host for host in ("127.0.0.1", "localhost") if host not in hosts)])


def exports(values: dict[str, str]) -> str:
    """Return the variables as lines that a shell reads."""
    return "\n".join(f"export {name}={shlex.quote(value)}" for name, value in values.items())
