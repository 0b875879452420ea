"""The one exception whose text is for the person at the terminal."""

from __future__ import annotations

import errno

INTERRUPTED = 130  # the exit status of what a person ended with Ctrl-C


class Failure(Exception):
    """Something the person can do something about.

    Args:
        what: what happened and where, one sentence.
        way_out: what to do, one sentence; may be empty when the first says it all.
        code: the exit status.
    """

    def __init__(self, what: str, way_out: str = "", code: int = 1) -> None:
        super().__init__(what if not way_out else f"{what}\n{way_out}")
        self.what = what
        self.way_out = way_out
        self.code = code


def from_os_error(error: OSError) -> Failure:
    """Turn the operating system's refusal into a sentence."""
    place = f" ({error.filename})" if error.filename else ""
    if error.errno == errno.ENOSPC:
        return Failure(
            f"The disk is full{place}.", "Free some space (set-up needs about 2 GB), then run the command again."
        )
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return Failure(
            f"No permission to write{place}.", "Run from a folder that you own, or mend the owner of that path."
        )
    return Failure(f"{error.strerror or error}{place}.")
