"""What the data planes (gateway, AI services) ask of the state of Resource Manager."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from emulator.identity import Principal


@dataclass(frozen=True)
class Deployment:
    """A model deployment of an account.

    Attributes:
        name: The name that callers put in the URL.
        model: For example `text-embedding-3-small`.
        version: The model's version, for example "1".
        sku: For example `GlobalStandard`.
        capacity: 1 is 1,000 tokens and 6 requests a minute
            (azure-ai-docs, "Manage Azure OpenAI quota": 6 RPM per 1,000 TPM).
    """

    name: str
    model: str
    version: str
    sku: str
    capacity: int


@dataclass(frozen=True)
class Account:
    """An AI account (Azure OpenAI, Language) as its data plane sees it.

    Attributes:
        public_access: Whether this machine may come at all: by public access, or by a private endpoint.
        in_rules: Whether the account's network rules let this machine in.
    """

    resource_id: str
    name: str
    kind: str
    location: str
    endpoint: str
    keys: tuple[str, str] = field(repr=False)
    local_auth: bool
    public_access: bool
    deployments: Mapping[str, Deployment]
    in_rules: bool = True
    sku: str = ""


@dataclass(frozen=True)
class ServerView:
    """A flexible server as the gateway sees it.

    Attributes:
        firewall: Pairs of first and last IPv4 address.
        administrators: Entra administrators: principal name -> object id.
        inside: Whether this machine reaches the server from inside a network: the server lies in a subnet, or has an
            approved private endpoint. Firewall rules do not count then, for its address inside (admission.INSIDE).
        other_names: Host names of its virtual endpoints.
    """

    resource_id: str
    name: str
    fqdn: str
    state: str
    public_access: bool
    firewall: tuple[tuple[str, str], ...]
    entra: bool
    password: bool
    administrator_login: str | None
    administrators: Mapping[str, str]
    inside: bool = False
    other_names: tuple[str, ...] = ()


class Lookup(Protocol):
    """Questions about the present state; in memory, cheap, safe from any thread."""

    def account_by_host(self, host: str) -> Account | None:
        """Return the account whose endpoint has this host name (a port is ignored), or None."""
        ...

    def server_by_host(self, host: str) -> ServerView | None:
        """Return the server with this fully qualified name, or None."""
        ...

    def may(self, principal: Principal, role_ids: Collection[str], scope: str) -> bool:
        """Return whether one of the roles is assigned to the principal at the scope or above it.

        The signed-in principal owns the subscription, which is a right on the control plane alone:
        for data it needs an assignment like anybody else.
        """
        ...
