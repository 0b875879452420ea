"""The operating system account that PostgreSQL runs under, and the folders that follow from it."""

from __future__ import annotations

import hashlib
import os
import pwd
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emulator.postgres.backend import BackendError

ROOT_FOLDER = Path("/var/lib/postgres-genai")
"""Where servers live when the emulator runs as root: `nobody`, who runs them, may not enter the home of root."""

SHORT_FOLDER = Path("/tmp")  # noqa: S108 - only mkdtemp makes folders in it; TMPDIR can be too long for a socket's path
"""Where a socket goes whose own path would be too long."""


@dataclass(frozen=True)
class Account:
    """An account by its numbers; `foreign` when it is not the one that the emulator itself runs under."""

    uid: int
    gid: int
    foreign: bool

    @classmethod
    def choose(cls) -> Account:
        """Return the present account, or `nobody` for root, because PostgreSQL refuses to run as root.

        Raises:
            BackendError: The emulator runs as root on a system without the account `nobody`.
        """
        if os.geteuid() != 0:
            return cls(os.geteuid(), os.getegid(), foreign=False)
        try:
            entry = pwd.getpwnam("nobody")
        except KeyError:
            raise BackendError(
                "PostgreSQL does not run as root and this system has no account `nobody`: "
                "run the emulator as an ordinary user"
            ) from None
        return cls(entry.pw_uid, entry.pw_gid, foreign=True)

    def process_options(self) -> dict[str, Any]:
        """Return what `subprocess` needs to run a process under this account."""
        return {"user": self.uid, "group": self.gid, "extra_groups": []} if self.foreign else {}

    def give(self, path: Path) -> Path:
        """Make this account the owner of a file or folder, and return it."""
        if self.foreign:
            os.chown(path, self.uid, self.gid, follow_symlinks=False)
        return path

    def make_private_folder(self, path: Path) -> Path:
        """Make a folder, if there is none, that only this account (and root) may enter, and return it."""
        path.mkdir(mode=0o700, exist_ok=True)
        path.chmod(0o700)
        return self.give(path)

    def make_open_folder(self, path: Path) -> Path:
        """Make a folder and its missing parents, passable for this account whatever the umask, and return it."""
        missing = [folder for folder in (path, *path.parents) if not folder.exists()]
        for folder in reversed(missing):
            folder.mkdir(mode=0o700, exist_ok=True)
            if self.foreign:
                folder.chmod(0o711)
        return path

    def base_folder(self, home: Path) -> Path:
        """Return the folder for the servers of an emulator's home; it may not exist yet."""
        if not self.foreign:
            return home
        return ROOT_FOLDER / hashlib.sha256(os.fsencode(home.resolve())).hexdigest()[:16]

    def cache_folder(self, what: str = "templates") -> Path:
        """Return the folder for something that all emulators of this account share; it may not exist yet."""
        if self.foreign:
            return ROOT_FOLDER / what
        cache = os.environ.get("XDG_CACHE_HOME")
        return (Path(cache) if cache else Path.home() / ".cache") / "postgres-genai" / what
