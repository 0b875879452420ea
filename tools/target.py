"""Where a stack lives: on the emulator of this machine, or on Azure. The environment is all that differs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

from tools.failure import Failure
from tools.places import ROOT, emulator_home, stacks

if TYPE_CHECKING:
    from collections.abc import Mapping

EMULATOR = "emulator"
AZURE = "azure"
NAMES = (EMULATOR, AZURE)
EMBEDDED = "embedded"

# What a person's shell may carry for another cloud, backend or database, and would lead the program astray.
FOREIGN = ("ARM_", "AZURE_", "PG", "PULUMI_")
KEPT = ("PULUMI_DEBUG_COMMANDS", "PULUMI_DEBUG_GRPC", "PULUMI_PARALLEL")


def ensure_emulator() -> dict[str, str]:
    """Start the emulator where it is not running, and return the environment that leads to it.

    Raises:
        Failure: it does not start, has another backend than BACKEND, or BACKEND names none.
    """
    environment = emulator_environment()
    wanted = os.environ.get("BACKEND")
    if environment is None or wanted not in (None, "", _recorded_backend()):
        _make_ready(backend())
        _emulator("start")
        environment = emulator_environment()
    if environment is None:
        raise Failure(
            "The emulator started and then could not be asked for its environment.", "See: python -m emulator logs"
        )
    return environment


def backend() -> str:
    """Return which backend runs PostgreSQL on this machine: the one that BACKEND names, or that the emulator has.

    Raises:
        Failure: BACKEND names none.
    """
    from emulator.postgres.kinds import refusal

    wanted = os.environ.get("BACKEND")
    if wanted and (reason := refusal(wanted)):
        raise Failure(reason)
    return wanted or _recorded_backend()


def what_runs(fqdn: str | None) -> dict[str, str]:
    """Return what the emulator says of its backend and of a server: name, runs, asked, version; empty without it."""
    from emulator.launcher import LaunchError, control, settings_of_running
    from emulator.state import Home, StateError

    try:
        status = control(settings_of_running(Home.at(str(emulator_home()))), "GET", "/emulator/status")
    except (LaunchError, StateError):
        return {}
    server = next((one for one in status["servers"] if one["fqdn"] == fqdn and one["runs"]), None)
    if server is None or "backend" not in status:
        return {}
    return {**status["backend"], "asked": server["asked"], "version": server["runs"]}


def emulator_environment() -> dict[str, str] | None:
    """Return the environment that leads to a running emulator, or None."""
    answer = _call("env", "--json")
    if answer.returncode:
        return None
    try:
        values: dict[str, str] = json.loads(answer.stdout)
    except ValueError:
        return None
    return {name: str(value) for name, value in values.items()}


def stop_emulator() -> None:
    """Stop the emulator; no process and no port stay behind.

    Raises:
        Failure: it does not stop.
    """
    _emulator("stop")


def reset_emulator() -> None:
    """Stop the emulator and remove what it keeps outside its folder too.

    Raises:
        Failure: it does not.
    """
    _emulator("reset")


def for_emulator(emulator: Mapping[str, str]) -> dict[str, str]:
    """Return the engine's environment: the person's own without foreign settings, a local backend, the emulator."""
    own = {name: value for name, value in os.environ.items() if name in KEPT or not name.startswith(FOREIGN)}
    return {**own, **local_backend(), **emulator}


def local_backend() -> dict[str, str]:
    """Return the settings of the engine that keep everything in the stacks folder."""
    home = stacks()
    return {
        "PULUMI_BACKEND_URL": f"file://{home / 'backend'}",
        "PULUMI_HOME": str(home / "home"),
        "PULUMI_CONFIG_PASSPHRASE_FILE": str(home / "passphrase"),
        **quiet_engine(),
    }


def quiet_engine() -> dict[str, str]:
    """Return the settings that keep the engine from asking the network for news and from advertising."""
    # Without cgo Go knows a user from /etc/passwd or $USER, and in a container there may be neither.
    user = os.environ.get("USER") or str(os.getuid())
    return {"PULUMI_SKIP_UPDATE_CHECK": "true", "PULUMI_NEO": "false", "PULUMI_SUPPRESS_NEO_LINK": "true", "USER": user}


def _recorded_backend() -> str:
    """Return the backend that the emulator's folder has; the default of a new one."""
    try:
        recorded = json.loads((emulator_home() / "emulator.json").read_text(encoding="utf-8")).get("backend")
    except (OSError, ValueError, AttributeError):
        recorded = None
    return recorded or EMBEDDED


def _make_ready(name: str) -> None:
    """Make what a backend needs once a machine, here and not in the emulator's own start, so that its progress is seen.

    Raises:
        Failure: it cannot be made.
    """
    from emulator.postgres.backend import BackendError
    from emulator.postgres.kinds import make_ready

    try:
        make_ready(name)
    except BackendError as error:
        raise Failure(f"PostgreSQL cannot be made ready: {error}.", "") from None


def _emulator(command: str) -> None:
    answer = _call(command)
    if answer.returncode:
        said = (answer.stderr or answer.stdout).strip()
        raise Failure(f"The emulator did not {command}: {said or 'it gave no reason'}", "See: python -m emulator logs")


def _call(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "EMULATOR_HOME": str(emulator_home())}
    command = [sys.executable, "-m", "emulator", *arguments]
    return subprocess.run(
        command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
