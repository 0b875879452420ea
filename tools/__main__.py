"""`python -m tools`: makes sure of `.venv`, then goes on inside it.

Kept to syntax that an old Python can read, so that it says what is missing instead of failing to parse.
"""

import os
import shutil
import subprocess
import sys

SUPPORTED = ((3, 11), (3, 12), (3, 13))


def _other_python() -> str:
    """Find a supported Python on PATH under its versioned name, or return ""."""
    for major, minor in reversed(SUPPORTED):
        path = shutil.which(f"python{major}.{minor}")
        if path and subprocess.call([path, "-c", ""], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) == 0:
            return path
    return ""


def main() -> None:
    """Check the machine, set up, and hand over to the command line inside `.venv`."""
    if os.name != "posix":
        sys.exit("postgres-genai runs on Linux and macOS. On Windows, use WSL.")
    version = sys.version_info[:2]
    if version not in SUPPORTED:
        other = _other_python()
        if not other:
            sys.exit(
                f"This is Python {version[0]}.{version[1]}; postgres-genai needs 3.11, 3.12 or 3.13.\n"
                "Install one of them, or name it: make up PYTHON=/path/to/python3.12"
            )
        os.execv(other, [other, "-m", "tools", *sys.argv[1:]])  # noqa: S606
    from tools import bootstrap

    sys.exit(bootstrap.main(sys.argv[1:]))


if __name__ == "__main__":
    main()
