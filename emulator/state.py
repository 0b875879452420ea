"""The emulator's home folder: where everything lies, and files that are written whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import secrets
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import orjson

from emulator.postgres.kinds import BACKENDS, refusal

SUBSCRIPTION_ID = "00000000-0000-4000-8000-000000000002"
TENANT_ID = "00000000-0000-4000-8000-000000000001"
DEPLOYER_ID = "00000000-0000-4000-8000-00000000d001"
DEPLOYER_NAME = "deployer"

_LOCK_POLL_SECONDS = 0.02


class StateError(Exception):
    """A state file that cannot be read or written; the message says which, why, and what to do."""


@dataclass(frozen=True)
class Home:
    """Paths inside the emulator's home folder."""

    root: Path

    @staticmethod
    def at(path: str | None = None) -> Home:
        """Return the home at a path, or where EMULATOR_HOME says, or `.emulator` here."""
        return Home(Path(path or os.environ.get("EMULATOR_HOME") or ".emulator").absolute())

    @property
    def settings(self) -> Path:
        """Ports, secrets and the process id."""
        return self.root / "emulator.json"

    @property
    def resources(self) -> Path:
        """The state of Resource Manager."""
        return self.root / "resources.json"

    @property
    def counters(self) -> Path:
        """Calls and usage so far."""
        return self.root / "counters.json"

    @property
    def tls(self) -> Path:
        """Certificates and keys."""
        return self.root / "tls"

    @property
    def logs(self) -> Path:
        """Log files."""
        return self.root / "logs"

    @property
    def log(self) -> Path:
        """The daemon's own log."""
        return self.logs / "emulator.log"

    def prepare(self) -> None:
        """Make the folders, readable to their owner alone.

        Raises:
            StateError: The home cannot be made.
        """
        try:
            for folder in (self.root, self.tls, self.logs):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise StateError(explain(error, self.root)) from None

    @contextlib.contextmanager
    def locked(self, name: str, wait_seconds: float = 0.0) -> Iterator[bool]:
        """Hold a lock of this home; the system lets go of it when the process dies.

        Args:
            name: `start` (one start or stop at a time) or `daemon` (held by the daemon as long as it lives).
            wait_seconds: How long to wait for whoever holds it.

        Yields:
            Whether the lock is held.

        Raises:
            StateError: The lock's file cannot be opened.
        """
        path = self.root / f"{name}.lock"
        try:
            file = path.open("a")
        except OSError as error:
            raise StateError(explain(error, path)) from None
        with file:
            yield _lock(file.fileno(), wait_seconds)

    def is_running(self) -> bool:
        """Return whether a daemon lives in this home, whatever its process id file says."""
        if not (self.root / "daemon.lock").exists():
            return False
        with self.locked("daemon") as free:
            return not free


@dataclass
class Settings:
    """What emulator.json keeps. Secrets stay the same over restarts, so printed variables stay true."""

    pid: int | None = None
    backend: str = ""
    https_port: int = 0
    http_port: int = 0
    gateway_port: int = 0
    azure_native_port: int = 0
    random_port: int = 0
    identity_header: str = field(default_factory=lambda: secrets.token_hex(24), repr=False)
    control_secret: str = field(default_factory=lambda: secrets.token_hex(24), repr=False)
    signing_key: str = field(default_factory=lambda: secrets.token_hex(32), repr=False)

    @staticmethod
    def read(home: Home) -> Settings:
        """Return the settings of a home; new ones where there are none."""
        stored = read_json(home.settings) or {}
        known = {item.name for item in fields(Settings)}
        return Settings(**{key: value for key, value in stored.items() if key in known})

    def choose_backend(self, home: Home, wanted: str) -> None:
        """Settle which backend runs PostgreSQL in this home: the one that it has, or the wanted one of a new home.

        Args:
            home: Whose settings these are.
            wanted: A backend's name, or nothing for whichever.

        Raises:
            StateError: The home has another one, or there is none of that name.
        """
        if wanted and (reason := refusal(wanted)):
            raise StateError(reason)
        has = self.backend or (BACKENDS[0] if home.settings.exists() else "")
        if wanted and has and wanted != has:
            raise StateError(
                f"The emulator in {home.root} has the backend {has}, and servers of one do not run on another. Leave "
                f"BACKEND={wanted} out, name another folder (EMULATOR_HOME), or remove all that it has: "
                "python -m emulator reset"
            )
        self.backend = wanted or has or BACKENDS[0]

    def write(self, home: Home) -> None:
        """Keep the settings."""
        write_json(home.settings, asdict(self))


def read_json(path: Path) -> dict[str, Any] | None:
    """Return the object in a JSON file, or None when there is no file.

    Raises:
        StateError: The file is there and is not a JSON object.
    """
    try:
        value = orjson.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StateError(explain(error, path)) from None
    except orjson.JSONDecodeError:
        raise StateError(f"{path} is not valid JSON. Run `python -m emulator reset` to begin anew.") from None
    if not isinstance(value, dict):
        raise StateError(f"{path} does not hold an object. Run `python -m emulator reset` to begin anew.")
    return value


def write_json(path: Path, value: object) -> None:
    """Replace a JSON file whole, readable to its owner alone.

    Raises:
        StateError: The file cannot be written; the old one is as it was.
    """
    write_file(path, orjson.dumps(value, option=orjson.OPT_INDENT_2))


def write_file(path: Path, content: bytes, mode: int = 0o600) -> None:
    """Replace a file whole: a reader sees the old one or the new one, a full disk leaves the old one.

    Raises:
        StateError: The file cannot be written.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise StateError(explain(error, path)) from None


def _lock(descriptor: int, wait_seconds: float) -> bool:
    deadline = time.monotonic() + wait_seconds
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(_LOCK_POLL_SECONDS)
        else:
            return True


def explain(error: OSError, path: Path) -> str:
    """Return a sentence for a failed file operation: what happened, where, and what to do."""
    if error.errno == errno.ENOSPC:
        return f"The disk that holds {path} is full. Free some space and try again; nothing that was saved is lost."
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"{path} cannot be written ({error.strerror}). Give this user the right to, or choose another --home."
    return f"{path}: {error.strerror}."
