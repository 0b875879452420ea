"""The part of every command that runs before there is a `.venv`: standard library only."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from tools import environment
from tools.failure import INTERRUPTED, Failure, from_os_error
from tools.places import VENV, VENV_PYTHON

STARTED = "POSTGRES_GENAI_STARTED"  # carries the time of the start over the change of interpreter
CHECKS = ("test", "lint")  # the commands that need the test tools as well


def main(arguments: list[str]) -> int:
    """Bring `.venv` up to date, go on inside it, and turn failures into sentences.

    Returns:
        The exit status. Inside the wrong interpreter it does not return: the process becomes the one of `.venv`.
    """
    started = os.environ.pop(STARTED, "") or str(time.time())
    # Images of containers often forbid bytecode, and then every preview compiles azure-native again: 4 s of processor.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False
    try:
        command = next((argument for argument in arguments if not argument.startswith("-")), "")
        environment.ensure(environment.CHECKS if command in CHECKS else environment.PROGRAM)
        if Path(sys.prefix).resolve() != VENV.resolve():
            python = str(VENV_PYTHON)
            os.environ[STARTED] = started
            os.execv(python, [python, "-m", "tools", *arguments])  # noqa: S606
        from tools import steps
        from tools.cli import run

        steps.began = float(started)
        return run(arguments)
    except Failure as failure:
        print(failure, file=sys.stderr)
        return failure.code
    except OSError as error:
        print(from_os_error(error), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted. Run the command again: it goes on where it stopped.", file=sys.stderr)
        return INTERRUPTED
