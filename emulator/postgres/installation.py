"""A private PostgreSQL installation: a copy of one that is there, with the stand-in extensions added.

What is copied is left as it is: it may be read-only, unreadable for the account that runs PostgreSQL, or shared with
another program.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
import threading
from abc import ABC, abstractmethod
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar

from emulator.postgres.account import Account
from emulator.postgres.backend import BackendError
from emulator.postgres.configuration import nearest_locale, system_locales

_NOT_NEEDED = shutil.ignore_patterns("include", "pgxs", "pkgconfig", "*.a", "libecpg*", "libpgtypes*", "man", "doc")

PRELOADABLE = frozenset(
    {
        "age",
        "anon",
        "auto_explain",
        "azure_storage",
        "credcheck",
        "pg_cron",
        "pg_duckdb",
        "pg_failover_slots",
        "pg_hint_plan",
        "pg_partman_bgw",
        "pg_prewarm",
        "pg_squeeze",
        "pg_stat_statements",
        "pgaudit",
        "pglogical",
        "timescaledb",
        "wal2json",
    }
)
"""What shared_preload_libraries takes on the service (azure-databases-docs, server parameters, PostgreSQL 16).

An inert library stands under each name that an installation does not carry, so that the parameter can be set, waits for
a restart and is shown as on the service; what the library would do does not happen.
"""

_NOTABLE = ("age", "pg_cron", "vector")
"""Extensions whose versions differ from the service's, so that people are told them."""


@dataclass(frozen=True)
class Installation:
    """PostgreSQL of one exact version, such as `16.14`, in a folder: where things are, and how programs are called."""

    version: str
    folder: Path

    has_tls: ClassVar[bool] = False

    @property
    def major(self) -> int:
        """Return the major version, such as 16."""
        return int(self.version.split(".")[0])

    @property
    def program_folder(self) -> Path:
        """Return where `postgres` and `initdb` are."""
        return self.folder / "bin"

    @property
    def extension_folder(self) -> Path:
        """Return where CREATE EXTENSION looks."""
        return self.folder / "share" / "postgresql" / "extension"

    @property
    def library_folder(self) -> Path:
        """Return where loadable libraries are."""
        return self.folder / "lib" / "postgresql"

    def server_command(self) -> list[str]:
        """Return the words that start the server; the first is the file that the process then shows as its program."""
        return [str((self.program_folder / "postgres").resolve())]

    def initdb_command(self) -> list[str]:
        """Return the words that make a data directory."""
        return [str(self.program_folder / "initdb")]

    def environment(self) -> dict[str, str]:
        """Return the variables that its programs need."""
        return {}

    def locale(self, wanted: str = "en_US.utf8") -> str:
        """Return the name of a locale, or of the nearest that there is.

        The service's own default is en_US.utf8 (azure-databases-docs, "Databases").
        """
        return nearest_locale(wanted, system_locales())

    def extension_version(self, name: str) -> str | None:
        """Return the version that CREATE EXTENSION would create, or None where there is no such extension."""
        control = self.extension_folder / f"{name}.control"
        if not control.exists():
            return None
        found = re.search(r"^\s*default_version\s*=\s*'([^']*)'", control.read_text(encoding="utf-8"), re.MULTILINE)
        return found[1] if found else None


class Installations(ABC):
    """The installations that one source of PostgreSQL offers, copied into a folder on first use."""

    stand_ins: ClassVar[tuple[Path, ...]]
    """Folders of the extensions that are added because the source does not carry them."""

    def __init__(self, folder: Path, account: Account) -> None:
        """Name the folder for the copies and the account that will run them."""
        self._folder = folder
        self._account = account
        self._ready: dict[int, Installation] = {}
        # Servers are brought back side by side after a restart, each in a thread of its own.
        self._one_at_a_time = threading.Lock()

    @property
    @abstractmethod
    def offered(self) -> dict[int, Installation]:
        """Return what the source carries, by major version.

        Raises:
            BackendError: The source is missing or carries no PostgreSQL that runs here.
        """

    @abstractmethod
    def _copy(self, source: Installation) -> Installation:
        """Return a copy of one that is offered, made if there is none."""

    @cached_property
    def extensions(self) -> frozenset[str]:
        """Return the names that CREATE EXTENSION finds in every version."""
        stand_in = {folder.name for folder in self.stand_ins}
        carried = [{p.stem for p in each.extension_folder.glob("*.control")} for each in self.offered.values()]
        return frozenset(stand_in | set.intersection(*carried))

    @cached_property
    def summary(self) -> str:
        """Return what really runs, in a few words."""
        versions = " and ".join(self.offered[major].version for major in sorted(self.offered))
        newest = self.offered[max(self.offered)]
        found = [(name, newest.extension_version(name)) for name in _NOTABLE]
        carried = ", ".join(f"{name} {version}" for name, version in found if version)
        return f"PostgreSQL {versions} with {carried}"

    def nearest(self, version: str) -> Installation:
        """Return the installation on offer that is nearest to a version, the older of two that are equally near.

        The older one, because what works on it works on the version that was asked for.

        Raises:
            BackendError: The version does not start with a number.
        """
        match = re.match(r"\d+", version)
        if match is None:
            raise BackendError(f"{version!r} is not a PostgreSQL version")
        asked = int(match.group())
        return self.offered[min(self.offered, key=lambda major: (abs(major - asked), major))]

    def provide(self, major: int) -> Installation:
        """Return the private copy of a version, made on the first call of this process.

        Raises:
            BackendError: The copy cannot be made; the text has the system's reason.
        """
        with self._one_at_a_time:
            if major not in self._ready:
                self._ready[major] = self._make(self.offered[major])
            return self._ready[major]

    def _make(self, source: Installation) -> Installation:
        try:
            copy = self._copy(source)
            self._add_extensions(copy)
            self._add_preloadable(copy)
        except OSError as error:
            raise BackendError(f"cannot copy PostgreSQL {source.version} to {self._folder}: {error}") from error
        return copy

    def _copy_once(self, source: Path, target: Path) -> None:
        """Copy a folder whole or not at all; a copy that is there already is kept."""
        if target.exists():
            return
        self._account.make_open_folder(target.parent)
        with tempfile.TemporaryDirectory(prefix=".copy-", dir=target.parent) as scratch:
            copy = Path(scratch) / "copy"
            shutil.copytree(source, copy, ignore=_NOT_NEEDED, symlinks=True, copy_function=_link_or_copy)
            _make_readable(copy, self._account)
            copy.rename(target)

    def _add_extensions(self, installation: Installation) -> None:
        """Put the stand-ins there and let administrators, who are no superusers, create every extension."""
        folder = installation.extension_folder
        for source in (file for stand_in in self.stand_ins for file in sorted(stand_in.glob(f"{stand_in.name}*"))):
            if source.suffix in (".control", ".sql"):
                replace_text(folder / source.name, source.read_text())
        for control in sorted(folder.glob("*.control")):
            text = control.read_text()
            if not re.search(r"^\s*trusted\s*=", text, re.MULTILINE):
                replace_text(control, text.rstrip("\n") + "\ntrusted = true\n")

    def _add_preloadable(self, installation: Installation) -> None:
        """Put an inert library under every name that shared_preload_libraries takes on the service."""
        folder = installation.library_folder
        # A conversion's library has no initialisation: loading it does nothing.
        inert = next(path for path in sorted(folder.iterdir()) if path.stem == "latin2_and_win1250")
        for name in sorted(PRELOADABLE):
            target = folder / (name + inert.suffix)
            if not target.exists():
                shutil.copy2(inert, target)


def exact_version(command: list[str]) -> str:
    """Return what a server program says of itself, such as `16.14`.

    Raises:
        BackendError: It does not run here.
    """
    try:
        output = subprocess.run([*command, "--version"], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        raise BackendError(f"{command[-1]} does not run on this system: {error}") from error
    return output.split()[2]  # postgres (PostgreSQL) 17.6 (Debian ...)


def _link_or_copy(source: str, target: str) -> None:
    """Make a hard link, which costs nothing, or a copy where the file system, the owner or the mode forbids a link."""
    if _is_readable(Path(source)):
        with suppress(OSError):
            os.link(source, target)
            return
    shutil.copy2(source, target)


def _is_readable(file: Path) -> bool:
    """Return whether every account may read a file, and run it where its owner may."""
    mode = file.stat().st_mode
    return bool(mode & 0o004) and bool(mode & 0o001) >= bool(mode & 0o100)


def _make_readable(folder: Path, account: Account) -> None:
    """Let a foreign account read a copy whatever the modes of the wheel's files are; links are readable already."""
    if account.foreign:
        for path in (folder, *folder.rglob("*")):
            if path.is_dir():
                path.chmod(0o755)
            elif not path.is_symlink() and not _is_readable(path):
                path.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)


def replace_text(target: Path, text: str, mode: int = 0o644) -> None:
    """Write a file whole under a new inode, so that no file linked to the old one changes."""
    scratch = target.with_name(f".{target.name}.{os.getpid()}")
    scratch.write_text(text)
    scratch.chmod(mode)
    scratch.replace(target)
