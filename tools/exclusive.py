"""One set-up at a time: a lock that the kernel gives back when its holder dies."""

from __future__ import annotations

import fcntl
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def exclusive(path: Path, doing: str) -> Iterator[None]:
    """Hold the lock file for the length of the block, waiting for another holder and saying so.

    Args:
        path: the lock file; it stays behind, empty.
        doing: what the other one is probably doing, for the line that is shown while waiting.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"Another process is {doing}; waiting for it to finish.", file=sys.stderr, flush=True)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
