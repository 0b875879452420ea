"""A stack on this machine: its working copy of the config, its passphrase, its place in the local backend.

`Pulumi.<stack>.yaml` is never written: the engine gets a copy in the stacks folder, which also carries the salt that
the engine needs for its secrets. The copy is made afresh before each command, so that an edit counts at once.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tools.failure import Failure
from tools.places import ROOT, stacks

PROJECT = "postgres-genai"
DEFAULT = "local"  # the stack of a command that names none
NAME = re.compile(r"[A-Za-z0-9_.-]{1,100}")
SALT = "encryptionsalt"
SECRETS_KEYS = (SALT, "encryptedkey", "secretsprovider")


@dataclass(frozen=True)
class LocalStack:
    """One stack in the local backend.

    Attributes:
        name: its name, the middle of `Pulumi.<name>.yaml`.
    """

    name: str

    def __post_init__(self) -> None:
        """Refuse a name that could not be a file's."""
        _check_name(self.name)

    @property
    def config_file(self) -> Path:
        """The working copy that the engine reads."""
        return stacks() / f"{self.name}.yaml"

    @property
    def checkpoint(self) -> Path:
        """The file in which the backend keeps the stack's state."""
        return stacks() / "backend" / ".pulumi" / "stacks" / PROJECT / f"{self.name}.json"

    @property
    def locks(self) -> Path:
        """The folder in which the backend keeps the stack's locks."""
        return stacks() / "backend" / ".pulumi" / "locks" / "organization" / PROJECT / self.name

    def prepare(self, pulumi: Path, environment: dict[str, str]) -> None:
        """Make the stack exist and its working copy true; quick when both are.

        Raises:
            Failure: there is no such config, or its secrets belong to another passphrase.
        """
        config = _for_this_machine(self.name)
        (stacks() / "backend").mkdir(parents=True, exist_ok=True)
        _ensure_passphrase(stacks() / "passphrase")
        salt = self._salt()
        if not self.checkpoint.exists():
            salt = self._init(pulumi, environment) or salt
        if salt:
            config[SALT] = salt
        # A name of its own: `status` may run beside `up`.
        descriptor, part = tempfile.mkstemp(prefix=f"{self.name}.", suffix=".part", dir=stacks())
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            yaml.safe_dump(config, file, sort_keys=False, allow_unicode=True)
        Path(part).replace(self.config_file)

    def _salt(self) -> str:
        """Find the salt in the last working copy, or else in the stack's state."""
        try:
            salt = (yaml.safe_load(self.config_file.read_text(encoding="utf-8")) or {}).get(SALT)
            if isinstance(salt, str):
                return salt
        except (OSError, yaml.YAMLError, AttributeError):
            pass
        try:
            latest = json.loads(self.checkpoint.read_text(encoding="utf-8"))["checkpoint"]["latest"]
            return str(latest["secrets_providers"]["state"]["salt"])
        except (OSError, ValueError, KeyError, TypeError):
            return ""

    def _init(self, pulumi: Path, environment: dict[str, str]) -> str:
        """Create the stack from a folder of its own, so that the engine writes its salt there."""
        with tempfile.TemporaryDirectory(prefix="init-", dir=stacks()) as folder:
            shutil.copy(ROOT / "Pulumi.yaml", folder)
            command = [str(pulumi), "--cwd", folder, "--non-interactive", "stack", "init", self.name, "--no-select"]
            done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
            if done.returncode and "already exists" not in done.stderr:
                raise Failure(f"The stack {self.name} could not be created: {done.stderr.strip()}")
            written = Path(folder) / f"Pulumi.{self.name}.yaml"
            if not written.exists():
                return ""
            return str((yaml.safe_load(written.read_text(encoding="utf-8")) or {}).get(SALT, ""))


def read_config(name: str) -> dict[str, Any]:
    """Read the checked-in file of a stack.

    Raises:
        Failure: the name is none, there is no such file, or it is no YAML mapping.
    """
    _check_name(name)
    path = ROOT / f"Pulumi.{name}.yaml"
    if not path.exists():
        known = sorted(found.name.split(".")[1] for found in ROOT.glob("Pulumi.*.yaml"))
        raise Failure(f"There is no {path.name}.", f"STACK= takes one of: {', '.join(known)}; or write that file.")
    try:
        config = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except yaml.YAMLError as error:
        raise Failure(f"{path.name}: not valid YAML: {' '.join(str(error).split())}.", "Mend that line.") from None
    if not isinstance(config, dict):
        raise Failure(f"{path.name}: holds no mapping.", "Start it with `config:`.")
    values = config.get("config")
    if values is not None and not isinstance(values, dict):
        raise Failure(f"{path.name}: `config` holds no mapping.", f"Write `{PROJECT}:location: eastus2` below it.")
    for key in values or {}:
        if not isinstance(key, str) or ":" not in key:
            raise Failure(f"{path.name}: the key {key!r} has no namespace.", f"Write `{PROJECT}:{key}`.")
    return config


def config_values(name: str) -> dict[str, Any]:
    """Return the program's config values of a stack by their names in YAML."""
    prefix = f"{PROJECT}:"
    values = read_config(name).get("config") or {}
    return {key.removeprefix(prefix): value for key, value in values.items() if key.startswith(prefix)}


def explain_config(name: str) -> None:
    """Raise every mistake in a stack's config at once.

    The engine looks at the types of the topmost keys before the program does, and stops at the first that is wrong.

    Raises:
        Failure: names the mistakes, when there are any.
    """
    from components.mistakes import SettingsError
    from components.settings import StackSettings

    values = config_values(name)
    if _holds_secrets(values):
        return  # the program alone can read them
    try:
        StackSettings.parse(values, project=PROJECT, stack=name)
    except SettingsError as error:
        raise Failure(str(error)) from None


def _check_name(name: str) -> None:
    if not NAME.fullmatch(name):
        raise Failure(f"STACK={name!r} is not a stack's name.", "Use letters, digits, dots, dashes, underscores.")


def _for_this_machine(name: str) -> dict[str, Any]:
    """Return a stack's config without what ties it to another backend's secrets."""
    config = read_config(name)
    if _holds_secrets(config.get("config")):
        raise Failure(
            f"Pulumi.{name}.yaml holds secret values that are encrypted with a key of another backend.",
            "Take them out of a copy of that file, and name the copy with STACK=.",
        )
    return {key: value for key, value in config.items() if key not in SECRETS_KEYS}


def _holds_secrets(value: object) -> bool:
    if isinstance(value, dict):
        return "secure" in value or any(_holds_secrets(inner) for inner in value.values())
    return isinstance(value, list) and any(_holds_secrets(inner) for inner in value)


def _ensure_passphrase(path: Path) -> None:
    """Write a random passphrase once, readable by its owner alone; a reader never sees half of it."""
    if path.exists():
        return
    descriptor, part = tempfile.mkstemp(prefix="passphrase.", dir=path.parent)  # mode 0600
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(secrets.token_urlsafe(32))
    try:
        os.link(part, path)  # refuses to replace what another process wrote meanwhile
    except FileExistsError:
        pass
    finally:
        Path(part).unlink()
