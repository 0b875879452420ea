"""What more than one level of tests needs."""

import pytest

from emulator.postgres.debian import DebianInstallations
from emulator.postgres.debian_root import NotOnThisMachine
from emulator.postgres.installation import Installations
from emulator.postgres.kinds import make_ready


@pytest.fixture(scope="session")
def debian() -> type[Installations]:
    """PostgreSQL 17 of Debian, made now where this machine has none yet; where it cannot be, its tests are skipped."""
    try:
        make_ready("debian")
    except NotOnThisMachine as error:
        pytest.skip(str(error))
    return DebianInstallations
