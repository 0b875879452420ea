"""A postmaster process: found, started, waited for and stopped, whoever started it."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import psutil

from emulator.postgres.account import Account
from emulator.postgres.backend import BackendError
from emulator.postgres.installation import Installation

_POLL_SECONDS = 0.01
_FAST_SHUTDOWN_SECONDS = 30.0
_IMMEDIATE_SHUTDOWN_SECONDS = 10.0


_children: dict[int, subprocess.Popen[bytes]] = {}
"""Postmasters that this process started, by number, to be reaped whoever finds that they ended."""


class StartFailed(BackendError):
    """Report a postmaster that ended before it was ready; `log` is what it wrote."""

    def __init__(self, message: str, log: str) -> None:
        """Keep what the postmaster wrote beside the message."""
        super().__init__(message)
        self.log = log


class Postmaster:
    """The postmaster of one data directory.

    It outlives the emulator when that is killed, so it is always looked up by its data directory, never only by a
    process object.
    """

    def __init__(self, installation: Installation, data: Path, log: Path, account: Account) -> None:
        """Name the installation, the data directory, the log file and the account that runs it."""
        self._installation = installation
        self._data = data
        self._log = log
        self._account = account

    def find(self) -> psutil.Process | None:
        """Return the running postmaster of the data directory, if there is one."""
        try:
            process = psutil.Process(int(self._status_lines()[0]))
            if _is_alive(process) and str(self._data) in process.cmdline():
                return process
        except (IndexError, ValueError, psutil.Error):
            pass
        return None

    def runs_with(self, arguments: Sequence[str]) -> bool:
        """Return whether a postmaster runs with these arguments."""
        process = self.find()
        try:
            return process is not None and process.cmdline() == self._command(arguments)
        except psutil.Error:
            return False

    def start(
        self,
        arguments: Sequence[str],
        variables: Mapping[str, str] | None = None,
        timeout_seconds: float = 60.0,
    ) -> None:
        """Start it and wait until it takes connections.

        Args:
            arguments: Of the server program.
            variables: More of its environment.
            timeout_seconds: How long it may take.

        Raises:
            StartFailed: It ended, or was not ready in time.
        """
        self._end_orphans()
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with self._log.open("ab") as log:
            self._log.chmod(0o600)
            beginning = log.tell()
            child = subprocess.Popen(
                self._command(arguments),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._data,
                env=_environment() | self._installation.environment() | dict(variables or {}),
                start_new_session=True,
                **self._account.process_options(),
            )
        _children[child.pid] = child
        if not _wait(lambda: child.poll() is not None or self._is_ready(child.pid), timeout_seconds):
            child.kill()
            child.wait()
            raise StartFailed(f"PostgreSQL was not ready after {timeout_seconds:g} s", self._written(beginning))
        if child.poll() is not None:
            written = self._written(beginning)
            reasons = [line for line in written.splitlines() if "FATAL" in line or "HINT" in line or "error" in line]
            raise StartFailed(f"PostgreSQL did not start: {' '.join(reasons[-4:]) or written[-500:]}", written)

    def stop(self) -> None:
        """End all sessions and stop; nothing happens when it does not run.

        Raises:
            BackendError: It is still there after every signal.
        """
        process = self.find()
        if process is None:
            return
        steps = ((signal.SIGINT, _FAST_SHUTDOWN_SECONDS), (signal.SIGQUIT, _IMMEDIATE_SHUTDOWN_SECONDS))
        for number, seconds in (*steps, (signal.SIGKILL, _IMMEDIATE_SHUTDOWN_SECONDS)):
            with suppress(psutil.NoSuchProcess):
                process.send_signal(number)
            if _wait(lambda: not _is_alive(process), seconds):
                return
        raise BackendError(f"PostgreSQL process {process.pid} does not end")

    def _command(self, arguments: Sequence[str]) -> list[str]:
        return [*self._installation.server_command(), "-D", str(self._data), *arguments]

    def _status_lines(self) -> list[str]:
        """Return postmaster.pid: process id, data directory, ..., and on line 8 its state."""
        try:
            return (self._data / "postmaster.pid").read_text().splitlines()
        except OSError:
            return []

    def _is_ready(self, pid: int) -> bool:
        lines = self._status_lines()
        return len(lines) >= 8 and lines[0] == str(pid) and lines[7].strip() == "ready"

    def _written(self, beginning: int) -> str:
        with self._log.open("rb") as log:
            log.seek(beginning)
            return log.read().decode(errors="replace").strip()

    def _end_orphans(self) -> None:
        """After a killed postmaster, end what it left and forget it.

        A busy session outlives its postmaster, and a new one must not run beside it. The file that the dead one left
        may name a process number that another program has by now, which would keep PostgreSQL from starting.
        """
        file = self._data / "postmaster.pid"
        if not file.exists():
            return
        program = self._installation.server_command()[0]
        orphans = []
        for process in psutil.process_iter():
            try:
                if process.exe() == program and process.cwd() == str(self._data):
                    process.kill()
                    orphans.append(process)
            except psutil.Error:
                continue
        psutil.wait_procs(orphans, timeout=_IMMEDIATE_SHUTDOWN_SECONDS)
        file.unlink(missing_ok=True)


def _is_alive(process: psutil.Process) -> bool:
    """Return whether a process still runs; one that ended is reaped where it is a child of this process."""
    child = _children.get(process.pid)
    if child is not None and child.poll() is not None:
        del _children[process.pid]
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _wait(condition: Callable[[], bool], seconds: float) -> bool:
    """Wait until a condition holds; return whether it did in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True


def _environment() -> dict[str, str]:
    """Return the few variables that a server needs; none of the emulator's own, which can hold secrets.

    COPY TO PROGRAM finds curl by this path.
    """
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}
