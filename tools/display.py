"""Where tables are printed: as wide as the terminal, and wide enough for a log where there is none."""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

LOG_COLUMNS = 140


def console() -> Console:
    """Return a console on standard output; in a pipe or a log, a table is not squeezed to 80 columns."""
    from rich.console import Console

    width = None if sys.stdout.isatty() else max(LOG_COLUMNS, shutil.get_terminal_size().columns)
    return Console(highlight=False, width=width)
