"""Runs the engine for one stack, on the emulator's local backend or on the person's own."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any

from tools import locks, target
from tools.engine import find as engines
from tools.events import EventPipe, Events, is_real
from tools.failure import INTERRUPTED, Failure
from tools.places import ROOT
from tools.stack import DEFAULT, LocalStack, read_config

if TYPE_CHECKING:
    from collections.abc import Sequence

# What the engine says where nothing of the stack can be read, and what a person does about it.
WAYS_IN = {
    r"PULUMI_ACCESS_TOKEN must be set|not logged in|No credentials": "The engine is not logged in to a backend, which "
    "keeps the stack's state: `pulumi login`, or set PULUMI_BACKEND_URL (docs/first-deployment.md, step 3).",
    r"no stack named": "The backend does not have it: `pulumi stack init` makes it, `pulumi whoami -v` names the "
    "backend (docs/first-deployment.md, step 3).",
    r"passphrase must be set|incorrect passphrase": "Set PULUMI_CONFIG_PASSPHRASE or PULUMI_CONFIG_PASSPHRASE_FILE to "
    "what encrypts this stack's secrets.",
}
# The commands of the engine that take `--config-file`.
WITH_CONFIG = ("up", "preview", "refresh", "destroy", "import")


@dataclass(frozen=True)
class Pulumi:
    """An engine, a stack, and the environment that joins them.

    Attributes:
        engine: the engine to run.
        name: the stack's name.
        environment: the whole environment of the engine's process.
        local: the stack in the local backend, or None on the person's own backend.
    """

    engine: engines.Engine
    name: str
    environment: dict[str, str] = field(repr=False)
    local: LocalStack | None = None

    def command(self, *arguments: str) -> list[str]:
        """Return the command line for the stack's engine."""
        # What is kept on its way to a terminal is meant for it too.
        return [str(self.engine.pulumi), *arguments, "--color", "always" if sys.stdout.isatty() else "never"]

    def make(self, command: str) -> str:
        """Return what a person types to run another command on this stack."""
        stack = "" if self.name == DEFAULT else f" STACK={self.name}"
        return f"make {command}{stack}{'' if self.local else f' TARGET={target.AZURE}'}"

    def change(
        self, operation: str, arguments: Sequence[str], *, to: IO[str] | None = None, errors_too: bool = False
    ) -> tuple[int, Events]:
        """Run one of the operations on the stack; what it prints goes to the terminal.

        Args:
            operation: up, preview, refresh or destroy.
            arguments: more arguments for it.
            to: where standard output goes instead of the terminal.
            errors_too: whether standard error goes there as well.

        Returns:
            The exit status, INTERRUPTED where a person ended it, and what the engine reported.
        """
        if self.local:
            locks.clear_stale(self.local)
        command = self.command(operation, "--stack", self.name, "--suppress-permalink=true", *arguments)
        if self.local:
            command += ["--config-file", str(self.local.config_file)]
        pipe = EventPipe()
        command += ["--event-log", pipe.path]
        environment = {**self.environment, "PULUMI_DEBUG_COMMANDS": "true"}  # `--event-log` asks for it
        code = _run(command, environment, pipe.writing, to=to, errors_too=errors_too)
        return code, pipe.finish()

    def captured(self, arguments: Sequence[str], *, beside: bool = False) -> tuple[int, Events, str]:
        """Preview the stack, and keep what the engine prints instead of printing it.

        Args:
            arguments: more arguments for the preview.
            beside: let what goes to standard error through, so that what is kept is data alone.

        Returns:
            The exit status, what the engine reported, and what it printed.
        """
        with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as kept:
            code, events = self.change("preview", arguments, to=kept, errors_too=not beside)
            kept.seek(0)
            return code, events, kept.read()

    def pass_on(self, arguments: Sequence[str]) -> int:
        """Run any command of the engine as it was written, with the working copy of the config where it takes one."""
        command = [str(self.engine.pulumi), *arguments]
        if self.local and arguments and arguments[0] in WITH_CONFIG:
            command += ["--config-file", str(self.local.config_file)]
        return _run(command, {**self.environment, "PULUMI_STACK": self.name})

    def outputs(self) -> dict[str, Any]:
        """Return the stack's outputs, secrets masked; empty before the first `up`.

        Raises:
            Failure: the stack cannot be read.
        """
        return self._json("stack", "output", "--json")

    def state(self, *, show_secrets: bool = False) -> dict[str, Any]:
        """Return the stack's state as the engine exports it.

        Raises:
            Failure: the stack cannot be read.
        """
        return self._json("stack", "export", *(["--show-secrets"] if show_secrets else []))

    def recorded(self) -> list[dict[str, Any]]:
        """Return all that is in the state: resources, components, the stack itself and its providers."""
        found: list[dict[str, Any]] = (self.state().get("deployment") or {}).get("resources") or []
        return found

    def resources(self) -> list[dict[str, Any]]:
        """Return the resources in the state, without components, the stack itself and its providers."""
        return [item for item in self.recorded() if is_real(item)]

    def _json(self, *arguments: str) -> dict[str, Any]:
        command = [str(self.engine.pulumi), *arguments, "--stack", self.name, "--non-interactive"]
        done = subprocess.run(command, cwd=ROOT, env=self.environment, capture_output=True, text=True, check=False)
        if done.returncode:
            said = done.stderr.strip()
            way_out = way_in(said) or f"Bring it up first: {self.make('up')}"
            raise Failure(f"The stack {self.name} cannot be read: {said}", way_out)
        answer: dict[str, Any] = json.loads(done.stdout or "{}")
        return answer


def open_stack(name: str, where: str) -> Pulumi:
    """Make everything ready that an operation on the stack needs: engine, emulator, stack, working copy.

    Args:
        name: the stack's name.
        where: `emulator` or `azure`.

    Raises:
        Failure: something is missing that cannot be had.
    """
    if where not in target.NAMES:
        raise Failure(f"TARGET={where!r} is unknown.", f"It is one of: {', '.join(target.NAMES)}.")
    local = LocalStack(name)
    read_config(name)  # before anything is started, because a wrong name is the commonest mistake
    engine = engines.find()
    if where == target.AZURE:
        environment = {**os.environ, **target.quiet_engine(), "PATH": _path(engine)}
        return Pulumi(engine, name, environment)
    environment = {**target.for_emulator(target.ensure_emulator()), "PATH": _path(engine)}
    local.prepare(engine.pulumi, environment)
    return Pulumi(engine, name, environment, local)


def way_in(said: str) -> str:
    """Return what to do about an engine that reaches no state of the stack, or "" where it is about something else."""
    return next((way for pattern, way in WAYS_IN.items() if re.search(pattern, said)), "")


def _path(engine: engines.Engine) -> str:
    return os.pathsep.join([str(engine.folder), os.environ.get("PATH", os.defpath)])


def _run(
    command: list[str],
    environment: dict[str, str],
    *descriptors: int,
    to: IO[str] | None = None,
    errors_too: bool = False,
) -> int:
    """Run to the end; an interrupt is the engine's to handle, once to wind down and twice to stop at once."""
    interrupts: list[int] = []
    previous = signal.signal(signal.SIGINT, lambda number, _: interrupts.append(number))
    try:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment,
            stdout=to,
            stderr=subprocess.STDOUT if errors_too else None,
            pass_fds=descriptors,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - sets one signal, no more
        )
        code = process.wait()
    finally:
        signal.signal(signal.SIGINT, previous)
    return INTERRUPTED if code and interrupts else code
