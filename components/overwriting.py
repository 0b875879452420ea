"""What a preview says of something that `up` would create and that is there already, made by somebody else.

The provider finds it in the middle of an `up` ("cannot create already existing resource"), and the service's own PUT
would overwrite it in silence. So a preview looks first. What is in the stack's state has an id in every preview; what
has none is about to be created, or to be made again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pulumi

from components.asking import UnreadError, read_if_there


def refuse_to_overwrite(
    resource: pulumi.CustomResource, what: str, look: Callable[[], Any], do: str, *, ours: Callable[[Any], bool]
) -> None:
    """Let a preview fail where a resource that it would create is there and is not the stack's own.

    Args:
        resource: the resource.
        what: what it is, for the message.
        look: asks the service for it.
        do: the way out.
        ours: tells from the answer whether the stack has made it, and would make it again.
    """

    def compare(resource_id: Any) -> None:
        if isinstance(resource_id, str) and resource_id:
            return
        try:
            found = read_if_there(what, what, look)
        except UnreadError:
            return  # `up` asks again before it creates anything
        if found is not None and not ours(found):
            raise pulumi.RunError(f"{what} is there already, and this stack did not make it: refused. {do}")

    if pulumi.runtime.is_dry_run():
        resource.id.apply(compare, run_with_unknowns=True)
