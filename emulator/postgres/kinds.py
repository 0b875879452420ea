"""The backends by name, each imported when it is wanted: a start of the emulator stays short."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from emulator.postgres.backend import Services

if TYPE_CHECKING:
    from emulator.postgres.embedded import EmbeddedBackend

BACKENDS = ("embedded", "debian")
"""Their names; the first is the one that nobody has to ask for."""

_WHY_NOT_EXTERNAL = (
    "The emulator has no backend for a PostgreSQL that somebody else runs (external): it makes, restarts and removes "
    "its servers, puts files beside them, and lets Entra users in without a password, for which a superuser's log-in "
    "is not enough (docs/adr/0018-servers-of-its-own.md). Leave BACKEND out, or choose one of: {names}. A flexible "
    "server that is on Azure already is used with existing.server and TARGET=azure (docs/existing.md)."
)


def refusal(kind: str) -> str:
    """Return why there is no backend of a name, and what to do; nothing where there is one."""
    if kind in BACKENDS:
        return ""
    names = ", ".join(BACKENDS)
    # Either form of a libpq connection string may hold a password, so it is not repeated.
    if kind == "external" or "://" in kind or "=" in kind:
        return _WHY_NOT_EXTERNAL.format(names=names)
    return f"BACKEND={kind} is no backend; there are: {names}."


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
