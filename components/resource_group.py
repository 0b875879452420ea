"""The resource group of a stack: created, or one that is there."""

from __future__ import annotations

from collections.abc import Mapping

from pulumi_azure_native import resources

from components.naming import Names
from components.settings import StackSettings


def resource_group(settings: StackSettings, names: Names, tags: Mapping[str, str]) -> resources.ResourceGroup:
    """Create the group, or read the one that the settings name, which must be there and is never deleted."""
    if settings.existing.resource_group is not None:
        return resources.ResourceGroup.get("group", settings.existing.resource_group)
    return resources.ResourceGroup(
        "group", resource_group_name=names.resource_group, location=settings.location, tags=dict(tags)
    )
