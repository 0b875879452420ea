"""The backends by name, each imported when it is wanted: a start of the emulator stays short."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from emulator.postgres.backend import Services

if TYPE_CHECKING:
    from emulator.postgres.embedded import EmbeddedBackend

BACKENDS = ("embedded", "debian")
"""Their names; the first is the one that nobody has to ask for."""


def make_backend(kind: str, home: Path, services: Services) -> EmbeddedBackend:
    """Return the backend of a name.

    Raises:
        BackendError: It cannot run here.
    """
    from emulator.postgres.embedded import EmbeddedBackend

    if kind == "debian":
        from emulator.postgres.debian import DebianInstallations

        return EmbeddedBackend(home, services, DebianInstallations)
    return EmbeddedBackend(home, services)


def make_ready(kind: str) -> None:
    """Make what a backend needs once a machine, telling of it on standard error; quick when it is there.

    Raises:
        BackendError: It cannot be made here.
    """
    if kind == "debian":
        from emulator.postgres.account import Account
        from emulator.postgres.debian import make_root

        make_root(Account.choose())
