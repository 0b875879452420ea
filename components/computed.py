"""Values inside a structure that only the service can give, such as an identity's principal id."""

from __future__ import annotations

from typing import Any

import pulumi


def computed(resource: pulumi.CustomResource, structure: pulumi.Output[Any], attribute: str) -> pulumi.Output[str]:
    """Return an attribute of a resource's structured output; unknown for as long as the service has not given it.

    A preview shows the inputs of a structure as its outputs, so before the resource exists the attribute is None and
    not unknown; what is made of it would then be wrong, or fail.
    """

    def read(known: Any) -> Any:
        value = getattr(known, attribute, None)
        return pulumi.UNKNOWN if value is None and pulumi.runtime.is_dry_run() else value

    # Not Output.all: it would turn the structure into a plain dict with the wire's names.
    return resource.id.apply(lambda _: structure.apply(read))
