"""Starting and stopping the daemon from another process."""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from emulator.arm.body import Json
from emulator.state import Home, Settings, StateError, explain

_START_SECONDS = 90.0
_STOP_SECONDS = 60.0
_POLL_SECONDS = 0.02


class LaunchError(Exception):
    """Why the daemon cannot be started or reached, in a sentence."""


def start(home: Home, options: list[str], backend: str = "") -> bool:
    """Start a daemon and wait until it is ready.

    Args:
        home: Its home.
        options: Ports that the user insists on, as command line options.
        backend: What runs PostgreSQL, by name; whichever the home has when left out.

    Returns:
        Whether it was started; False when one runs already.

    Raises:
        LaunchError: It did not come up, or one with another backend is there.
        StateError: The home has another backend.
    """
    from emulator.postgres.backend import BackendError
    from emulator.postgres.kinds import make_ready

    home.prepare()
    with _alone(home):
        settings = Settings.read(home)
        settings.choose_backend(home, backend)
        if _comes_up(home):
            return False
        try:
            make_ready(settings.backend)
        except BackendError as error:
            raise LaunchError(str(error)) from None
        reading, writing = os.pipe()
        command = [
            sys.executable,
            "-m",
            "emulator",
            "serve",
            "--home",
            str(home.root),
            "--ready",
            str(writing),
            "--backend",
            settings.backend,
            *options,
        ]
        try:
            errors = (home.logs / "daemon.stderr").open("wb")
        except OSError as error:
            raise LaunchError(explain(error, home.logs)) from None
        with errors:
            process = subprocess.Popen(
                command,
                cwd=Path(__file__).parents[1],
                stdin=subprocess.DEVNULL,
                stdout=errors,
                stderr=errors,
                pass_fds=(writing,),
                start_new_session=True,
            )
        os.close(writing)
        with os.fdopen(reading, "rb") as pipe:
            ready = select.select([pipe], [], [], _START_SECONDS)[0]
            answer = pipe.read() if ready else b""
    if answer == b"ready":
        return True
    process.terminate()
    if answer:
        raise LaunchError(answer.decode())
    raise LaunchError(f"The emulator did not start. {_last_words(home)}")


def _comes_up(home: Home) -> bool:
    """Return whether a daemon runs; one that still starts, because its starter was killed, is waited for."""
    deadline = time.monotonic() + _START_SECONDS
    while home.is_running() and time.monotonic() < deadline:
        if _lives(Settings.read(home).pid):
            return True
        time.sleep(_POLL_SECONDS)
    return False


def _last_words(home: Home) -> str:
    with contextlib.suppress(OSError):
        lines = (home.logs / "daemon.stderr").read_text(errors="replace").strip().splitlines()
        if lines:
            return f"Its last words: {lines[-1]} (more in {home.logs})"
    return f"It said nothing within {_START_SECONDS:.0f} s. Its log: {home.log}"


def stop(home: Home) -> bool:
    """Stop the daemon and wait until it is gone; clear what a killed one left.

    Returns:
        Whether one was running.

    Raises:
        LaunchError: It does not end.
    """
    if not home.root.exists():
        return False
    with _alone(home):
        if _comes_up(home):
            _end(home)
            return True
        _clear_leftovers(home)
        return False


@contextlib.contextmanager
def _alone(home: Home) -> Iterator[None]:
    """Let one start, stop or reset at a time work on a home."""
    with home.locked("start", wait_seconds=_START_SECONDS + _STOP_SECONDS) as held:
        if not held:
            raise LaunchError(
                f"Another start or stop of the emulator in {home.root} does not end. End it, then try again."
            )
        yield


def _end(home: Home) -> None:
    settings = Settings.read(home)
    with contextlib.suppress(LaunchError):
        control(settings, "POST", "/emulator/stop")
    for number in (None, signal.SIGTERM, signal.SIGKILL):
        if number is not None and settings.pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(settings.pid, number)
        deadline = time.monotonic() + (_STOP_SECONDS if number is None else 10.0)
        while time.monotonic() < deadline:
            if not home.is_running() and not _lives(settings.pid):
                if number == signal.SIGKILL:
                    _clear_leftovers(home)
                return
            time.sleep(_POLL_SECONDS)
    raise LaunchError(f"The emulator in {home.root} does not end. Its process is {settings.pid}.")


def _lives(pid: int | None) -> bool:
    """Return whether a process runs; one that only waits to be reaped by its parent does not."""
    import psutil

    try:
        return pid is not None and bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _clear_leftovers(home: Home) -> None:
    """Stop the servers and forget the process id of a daemon that was killed."""
    settings = Settings.read(home)
    if settings.pid is None:
        return
    _backend_do(home, "stop_all")
    settings.pid = None
    settings.write(home)


def reset(home: Home) -> None:
    """Stop the daemon and remove all that it kept.

    Raises:
        LaunchError: It does not end, or something cannot be removed.
    """
    stop(home)
    if not home.root.exists():
        return
    with _alone(home):
        _backend_do(home, "remove_all")
        try:
            for folder in (home.tls, home.logs):
                shutil.rmtree(folder, ignore_errors=True)
            for file in (home.settings, home.resources, home.counters):
                file.unlink(missing_ok=True)
        except OSError as error:
            raise LaunchError(explain(error, home.root)) from None


def _backend_do(home: Home, what: str) -> None:
    """Let a backend without a daemon stop or remove the servers of a home."""
    import asyncio

    from emulator.postgres.backend import BackendError, Services
    from emulator.postgres.kinds import make_backend

    try:
        backend = make_backend(Settings.read(home).backend, home.root, Services("", "", home.tls / "ca.pem"))
        asyncio.run(backend.remove_all() if what == "remove_all" else backend.stop_all())
    except BackendError as error:
        raise LaunchError(str(error)) from None


def control(settings: Settings, method: str, path: str) -> Json:
    """Call the control API of a running daemon.

    Raises:
        LaunchError: It does not answer.
    """
    request = urllib.request.Request(
        f"http://127.0.0.1:{settings.http_port}{path}",
        method=method,
        headers={"X-Emulator-Secret": settings.control_secret},
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=30) as response:
            answer: Json = json.load(response)
            return answer
    except (urllib.error.URLError, TimeoutError, ValueError) as error:
        raise LaunchError(f"The emulator does not answer on port {settings.http_port}: {error}") from None


def settings_of_running(home: Home) -> Settings:
    """Return the settings of the daemon that runs in a home.

    Raises:
        LaunchError: None runs, or it is not ready yet: until then its ports are not what is written down.
    """
    try:
        if home.is_running():
            settings = Settings.read(home)
            if _lives(settings.pid):
                return settings
            raise LaunchError(f"The emulator in {home.root} is starting. `python -m emulator start` waits for it.")
    except StateError as error:
        raise LaunchError(str(error)) from None
    raise LaunchError(f"No emulator runs in {home.root}. Start one: python -m emulator start")
