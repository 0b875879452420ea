"""PostgreSQL 17 from Debian trixie, with pgvector, age, pg_cron, contrib and TLS."""

from __future__ import annotations

import shlex
import sys
from functools import cached_property
from pathlib import Path
from typing import ClassVar

from emulator.postgres import debian_root
from emulator.postgres.account import Account
from emulator.postgres.configuration import nearest_locale
from emulator.postgres.debian_root import MAJOR, Sometimes
from emulator.postgres.installation import Installation, Installations, exact_version, replace_text

_RIGHTS = Path(__file__).parent / "rights"


class DebianInstallation(Installation):
    """A folder whose programs run with the libraries and locales in it, whatever the system's own are."""

    has_tls: ClassVar[bool] = True

    @property
    def program_folder(self) -> Path:
        """Return where the programs are."""
        return self.folder / "lib" / "postgresql" / str(MAJOR) / "bin"

    @property
    def extension_folder(self) -> Path:
        """Return where CREATE EXTENSION looks."""
        return self.folder / "share" / "postgresql" / str(MAJOR) / "extension"

    @property
    def library_folder(self) -> Path:
        """Return where loadable libraries are."""
        return self.folder / "lib" / "postgresql" / str(MAJOR) / "lib"

    def server_command(self) -> list[str]:
        """Return the words that start the server."""
        return [*self._loader(), str(self.program_folder / "server")]

    def initdb_command(self) -> list[str]:
        """Return the words that make a data directory."""
        return [*self._loader(), str(self.program_folder / "initdb")]

    def environment(self) -> dict[str, str]:
        """Return the variables that its programs need."""
        return {"LOCPATH": str(self.folder / "locales")}

    def locale(self, wanted: str = "en_US.utf8") -> str:
        """Return the name of a locale, or of the nearest that there is."""
        return nearest_locale(wanted, [path.name for path in (self.folder / "locales").iterdir()])

    def _loader(self) -> list[str]:
        return debian_root.loader(self.folder.resolve())


def make_root(account: Account) -> Path:
    """Return the machine's folder, made if there is none, telling of it on standard error.

    Raises:
        BackendError: It cannot be made here; the text says why.
    """
    return debian_root.root(account, Sometimes(lambda line: print(line, file=sys.stderr, flush=True)))


class DebianInstallations(Installations):
    """What the machine's folder carries, with a stand-in for `azure_ai`."""

    stand_ins = (Path(__file__).parent / "azure_ai",)

    @cached_property
    def offered(self) -> dict[int, Installation]:
        """Return the one version that there is; the first call on a machine makes it, which takes a minute.

        Raises:
            BackendError: It cannot be made here; the text says why.
        """
        folder = make_root(self._account)
        version = exact_version(DebianInstallation("", folder).server_command())
        return {MAJOR: DebianInstallation(version, folder)}

    def _copy(self, source: Installation) -> Installation:
        copy = DebianInstallation(source.version, self._folder / f"debian-{source.folder.name}")
        self._copy_once(source.folder, copy.folder)
        # initdb starts the `postgres` beside it, as the system would.
        words = shlex.join(copy.server_command())
        replace_text(copy.program_folder / "postgres", f'#!/bin/sh\nexec {words} "$@"\n', 0o755)
        for rights in sorted(_RIGHTS.glob("*.sql")):
            self._append_rights(source, copy, rights)
        return copy

    def _append_rights(self, source: Installation, copy: Installation, rights: Path) -> None:
        """Let the script that creates an extension give administrators, who are no superusers, their rights."""
        for script in source.extension_folder.glob(f"{rights.stem}--*{source.extension_version(rights.stem)}.sql"):
            text = script.read_text(encoding="utf-8") + rights.read_text(encoding="utf-8")
            replace_text(copy.extension_folder / script.name, text)
