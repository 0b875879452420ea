"""The stand-in azure_ai extension: its SQL, and the program that it sends requests with."""

import shlex
import shutil
import sys
from pathlib import Path


def curl_command() -> str:
    """Return the shell command for the server option `emulator.curl_command`: curl, or our script where there is none.

    The account that runs PostgreSQL must be able to run it.
    """
    found = shutil.which("curl")
    return shlex.quote(found) if found else shlex.join([sys.executable, "-I", str(Path(__file__).with_name("curl.py"))])
