"""Names and values that only the service gives, read so that a preview of an existing stack still knows them.

In a preview of an update, the provider calls every output unknown that is no input. What is made of such an output
would then show changes that never come: a tag on the server would seem to replace roles and extensions. So names
come from the resource's id, which stays known, and a computed value is looked up where the preview does not have it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pulumi
from pulumi.output import Unknown


def name_of(resource: pulumi.CustomResource) -> pulumi.Output[str]:
    """Return a resource's physical name; it waits for the resource, and is known in every preview once that exists."""
    return resource.id.apply(lambda resource_id: resource_id.rpartition("/")[2])


def group_and_name(resource_id: str) -> tuple[str, str]:
    """Return the resource group and the name that an ARM id ends with."""
    steps = resource_id.split("/")
    return steps[4], steps[-1]


def computed(
    resource: pulumi.CustomResource,
    structure: pulumi.Output[Any],
    attribute: str | None,
    look_up: Callable[[str], str],
) -> pulumi.Output[str]:
    """Return an attribute of a resource's structured output, such as the principal id of its identity.

    Args:
        resource: the resource; the result is unknown until it exists.
        structure: the output that holds the attribute.
        attribute: its name in Python; None where the output is the value itself.
        look_up: asks the service by the resource's id; used in a preview that does not know the attribute.
    """
    # Not Output.all: it would turn the structure into a plain dict with the wire's names.
    return resource.id.apply(
        lambda resource_id: structure.apply(partial(_read, attribute, look_up, resource_id), run_with_unknowns=True)
    )


def _read(attribute: str | None, look_up: Callable[[str], str], resource_id: str, structure: Any) -> Any:
    value = structure if isinstance(structure, Unknown) or attribute is None else getattr(structure, attribute, None)
    if not pulumi.runtime.is_dry_run() or not (value is None or isinstance(value, Unknown)):
        return value
    return in_preview(look_up, resource_id)


def in_preview(look_up: Callable[[str], str], resource_id: str) -> Any:
    """Ask the service; in a preview, what cannot be asked is unknown."""
    try:
        return look_up(resource_id)
    except Exception:
        if pulumi.runtime.is_dry_run():
            return pulumi.UNKNOWN
        raise
