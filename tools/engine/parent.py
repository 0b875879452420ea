"""Ends a plugin when its engine dies.

An engine that is killed leaves its plugins running, and a `create` in one of them goes on unseen, possibly beside the
next engine's. A plugin that watches its parent ends with it, and PostgreSQL rolls back what it had open.
"""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

POLL_SECONDS = 0.2


def end_with_parent(before: Callable[[], None] = lambda: None) -> None:
    """Watch the parent from a thread of its own and leave at once when it is gone.

    Args:
        before: what to do first, for example end the plugin's own children.
    """
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(POLL_SECONDS)
        before()
        os._exit(1)

    threading.Thread(target=watch, name="parent", daemon=True).start()
