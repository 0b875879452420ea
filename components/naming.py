"""Physical names within Azure's limits, and tags.

A name is kind, prefix and stack, so that a reader of the portal knows what it is; where it must be unique in the world
(server, accounts), a random suffix follows, kept in state. The suffix matters after a destroy too: a deleted account
holds its name and subdomain for 48 hours (pulumi-azure-native #2529).
"""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass

import pulumi

SUFFIX_LENGTH = 6
_LONGEST_STACK = 24  # 12 (prefix) + 24 + 6 (suffix) + kind and hyphens stay under 63, the shortest of Azure's limits


def short_stack(stack: str) -> str:
    """Return the stack's name in lower-case letters, digits and hyphens; a digest keeps long or odd ones apart."""
    slug = re.sub(r"[^a-z0-9]+", "-", stack.lower()).strip("-")
    if slug == stack and len(slug) <= _LONGEST_STACK:
        return slug
    digest = hashlib.sha256(stack.encode()).hexdigest()[:6]
    return f"{slug[: _LONGEST_STACK - 7].strip('-')}-{digest}".strip("-")


@dataclass(frozen=True, kw_only=True)
class Names:
    """Physical names of one stack's resources; `suffix` holds SUFFIX_LENGTH lower-case letters or digits."""

    prefix: str
    stack: str
    suffix: pulumi.Input[str]

    @property
    def resource_group(self) -> str:
        """Return the resource group's name (at most 90 characters)."""
        return f"rg-{self._base}"

    @property
    def server(self) -> pulumi.Output[str]:
        """Return the flexible server's name (3 to 63 characters, unique in the world)."""
        return self._unique("psql")

    @property
    def openai(self) -> pulumi.Output[str]:
        """Return the Azure OpenAI account's name and subdomain (2 to 64 characters, unique in the world)."""
        return self._unique("oai")

    @property
    def language(self) -> pulumi.Output[str]:
        """Return the Language account's name and subdomain (2 to 64 characters, unique in the world)."""
        return self._unique("lang")

    @property
    def workspace(self) -> str:
        """Return the Log Analytics workspace's name (4 to 63 characters, unique in its resource group)."""
        return f"log-{self._base}"

    @property
    def key_vault(self) -> pulumi.Output[str]:
        """Return the key vault's name (3 to 24 characters, unique in the world): too short for the stack's name."""
        return pulumi.Output.concat(f"kv-{self.prefix}-", self.suffix)

    @property
    def worker_identity(self) -> str:
        """Return the name of the workers' identity, and of its role in the database (3 to 63 characters)."""
        return f"id-{self._base}-workers"

    @property
    def scaler_login(self) -> str:
        """Return the name of the login with which the scaler of the workers asks (at most 63 characters)."""
        return f"{self._base}-scaler"

    @property
    def network(self) -> str:
        """Return the virtual network's name (2 to 64 characters, unique in its resource group)."""
        return f"vnet-{self._base}"

    def server_zone(self, suffix: str) -> str:
        """Return the private DNS zone of a server in a subnet.

        It ends with the suffix of servers and is never a server's own name, which has one label less (azurerm #24549).
        """
        return f"{self._base}.private.{suffix}"

    def endpoint(self, what: str) -> str:
        """Return a private endpoint's name (1 to 80 characters, unique in its resource group)."""
        return f"pe-{what}-{self._base}"

    @property
    def _base(self) -> str:
        return f"{self.prefix}-{short_stack(self.stack)}"

    def _unique(self, kind: str) -> pulumi.Output[str]:
        return pulumi.Output.concat(f"{kind}-{self._base}-", self.suffix)


def tags_of(tags: Mapping[str, str], project: str, stack: str) -> dict[str, str]:
    """Return the stack's tags with those that say where a resource comes from; the stack's own win."""
    return {"managed-by": "pulumi", "project": project, "stack": stack, **tags}


def role_assignment_name(scope: str, principal_id: str, role_id: str) -> str:
    """Return the GUID of a role assignment: the same for the same facts, so that a second `up` finds it again."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{scope.lower()}|{principal_id.lower()}|{role_id.lower()}"))
