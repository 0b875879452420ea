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
    """Physical names of one stack's resources."""

    resource_group: str
    server: str
    openai: str
    language: str

    @classmethod
    def of(cls, prefix: str, stack: str, suffix: str) -> Names:
        """Return the names for a prefix of at most 12 characters and a suffix of SUFFIX_LENGTH."""
        base = f"{prefix}-{short_stack(stack)}"
        return cls(
            resource_group=f"rg-{base}",
            server=f"psql-{base}-{suffix}",
            openai=f"oai-{base}-{suffix}",
            language=f"lang-{base}-{suffix}",
        )


def tags_of(tags: Mapping[str, str], project: str, stack: str) -> dict[str, str]:
    """Return the stack's tags with those that say where a resource comes from; the stack's own win."""
    return {"managed-by": "pulumi", "project": project, "stack": stack, **tags}


def role_assignment_name(scope: str, principal_id: str, role_id: str) -> str:
    """Return the GUID of a role assignment: the same for the same facts, so that a second `up` finds it again."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{scope.lower()}|{principal_id.lower()}|{role_id.lower()}"))
