"""What more than one level of tests needs."""

import shutil

import pytest

from emulator.postgres.debian import DebianInstallations
from emulator.postgres.debian_root import NotOnThisMachine
from emulator.postgres.installation import Installations
from emulator.postgres.kinds import make_ready


@pytest.fixture(scope="session")
def debian() -> type[Installations]:
    """PostgreSQL 17 of Debian, made now where this machine has none yet.

    Where there is no dpkg its tests are skipped; a Debian that lacks something else for it fails.
    """
    try:
        make_ready("debian")
    except NotOnThisMachine as error:
        if shutil.which("dpkg-deb"):
            raise
        pytest.skip(str(error))
    return DebianInstallations
