"""Clears the lock of an engine that died on this host, and of no other."""

from __future__ import annotations

import json
import socket
import sys
from datetime import datetime
from typing import TYPE_CHECKING

import psutil

from tools.failure import Failure

if TYPE_CHECKING:
    from pathlib import Path

    from tools.stack import LocalStack

CLOCK_SECONDS = 5.0  # a process cannot have started later than its lock; allowance for how the two are rounded


def clear_stale(stack: LocalStack) -> None:
    """Remove the stack's locks whose holder is dead.

    Raises:
        Failure: a lock's holder is alive, or on another host, so that nobody here can know.
    """
    if not stack.locks.is_dir():
        return
    for path in sorted(stack.locks.glob("*.json")):
        _clear(path, stack.name)


def _clear(path: Path, name: str) -> None:
    try:
        lock = json.loads(path.read_text(encoding="utf-8"))
        process, host, since = int(lock["pid"]), str(lock["hostname"]), str(lock["timestamp"])
    except FileNotFoundError:
        return  # its holder ended just now
    except (OSError, ValueError, KeyError):
        raise Failure(
            f"The stack {name} has a lock that cannot be read ({path}).", "Remove it when no engine runs."
        ) from None
    if host != socket.gethostname():
        raise Failure(
            f"The stack {name} is locked by process {process} on the host {host} since {since}.",
            "Wait for it to end. When it is surely dead, remove the lock: python -m tools pulumi cancel --yes",
        )
    if _is_alive(process, since):
        raise Failure(
            f"The stack {name} is being changed by another run: process {process}, since {since}.",
            "Wait for it to end, or interrupt it where it runs.",
        )
    path.unlink(missing_ok=True)
    path.with_name(path.name + ".attrs").unlink(missing_ok=True)
    print(f"Cleared the lock of a run that died (process {process}, since {since}).", file=sys.stderr, flush=True)


def _is_alive(process: int, since: str) -> bool:
    """Tell whether the lock's holder lives; a process that started after the lock only has the same number."""
    try:
        found = psutil.Process(process)
        if found.status() == psutil.STATUS_ZOMBIE:
            return False
        return found.create_time() <= datetime.fromisoformat(since).timestamp() + CLOCK_SECONDS
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        return True
