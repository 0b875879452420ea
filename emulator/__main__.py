"""The command line: `python -m emulator start|stop|status|env|logs|fault|types|reset`."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
from pathlib import Path

from emulator.interpreter import move_to_venv

if __name__ == "__main__":
    move_to_venv()

from emulator import launcher
from emulator.ai.faults import KINDS, SERVICES
from emulator.arm.conflicts import KINDS as CONFLICTS
from emulator.arm.conflicts import RANDOM, STRICT
from emulator.environment import exports, variables
from emulator.launcher import LaunchError
from emulator.postgres.kinds import BACKENDS
from emulator.state import Home, Settings, StateError

LOG_COLUMNS = 140


def main(arguments: list[str] | None = None) -> int:
    """Run a command; return the exit status."""
    options = _parser().parse_args(arguments)
    home = Home.at(options.home)
    commands = {
        "start": _start,
        "stop": _stop,
        "status": _status,
        "env": _env,
        "logs": _logs,
        "fault": _fault,
        "types": _types,
        "reset": _reset,
        "serve": _serve,
    }
    try:
        return commands[options.command](home, options)
    except (LaunchError, StateError) as error:
        print(f"emulator: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m emulator", description="Azure on this machine, for this project.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    where = argparse.ArgumentParser(add_help=False)
    where.add_argument("--home", help="state folder (default: EMULATOR_HOME, else .emulator)")
    ports = argparse.ArgumentParser(add_help=False)
    for name in ("https", "http", "gateway"):
        text = f"insist on this port for {name}; without it the last one is used again, or any free one"
        ports.add_argument(f"--{name}-port", type=int, default=0, metavar="PORT", help=text)
    postgres = argparse.ArgumentParser(add_help=False)
    text = f"what runs PostgreSQL in a new folder: {' or '.join(BACKENDS)} (default: BACKEND, else the first)"
    postgres.add_argument("--backend", default=os.environ.get("BACKEND") or "", help=text)
    commands.add_parser("start", parents=[where, ports, postgres], help="start it, and return when it is ready")
    commands.add_parser("stop", parents=[where], help="stop it; what was created is kept")
    status = commands.add_parser("status", parents=[where], help="show resources, servers, ports, calls, usage")
    env = commands.add_parser("env", parents=[where], help="print the variables that lead a program here")
    for command in (status, env):
        command.add_argument("--json", action="store_true", help="print JSON")
    logs = commands.add_parser("logs", parents=[where], help="print the end of a log")
    logs.add_argument("server", nargs="?", help="a server's log instead of the emulator's own")
    logs.add_argument("--lines", type=int, default=100, help="how many lines (default: 100)")
    fault = commands.add_parser("fault", parents=[where], help="let the next requests go wrong, for a drill or a proof")
    text = "what goes wrong with an AI service, or in Resource Manager; none ends it"
    fault.add_argument("kind", choices=(*KINDS, *CONFLICTS, "none"), help=text)
    fault.add_argument(
        "--service", choices=tuple(SERVICES), default="openai", help="which AI service (default: openai)"
    )
    fault.add_argument("--requests", type=int, default=1, help="how many requests (default: 1); strict: 0 ends it")
    fault.add_argument("--rate", type=float, default=0.2, help="share of conflicts, from 0 to 1 (default: 0.2)")
    fault.add_argument("--seed", type=int, default=0, help="what the draw of conflicts follows from (default: 0)")
    commands.add_parser("types", parents=[where], help="print the resource types that azure-native has here")
    commands.add_parser("reset", parents=[where], help="stop it and remove everything that was created")
    serve = commands.add_parser(
        "serve", parents=[where, ports, postgres], help="run in the foreground (what `start` runs)"
    )
    serve.add_argument("--ready", type=int, help=argparse.SUPPRESS)
    return parser


def _start(home: Home, options: argparse.Namespace) -> int:
    insisted = [
        word
        for name in ("https", "http", "gateway")
        if getattr(options, f"{name}_port")
        for word in (f"--{name}-port", str(getattr(options, f"{name}_port")))
    ]
    started = launcher.start(home, insisted, options.backend)
    settings = Settings.read(home)
    print(f"The emulator {'is ready' if started else 'runs already'} (process {settings.pid}) in {home.root}")
    if backend := launcher.control(settings, "GET", "/emulator/status").get("backend"):
        print(f"Its servers run {backend['runs']} (backend {backend['name']}).")
    return 0


def _stop(home: Home, _options: argparse.Namespace) -> int:
    print("The emulator is stopped." if launcher.stop(home) else "No emulator was running.")
    return 0


def _status(home: Home, options: argparse.Namespace) -> int:
    if not home.is_running():
        print(json.dumps({"running": False}) if options.json else f"No emulator runs in {home.root}.")
        return 0
    document = launcher.control(launcher.settings_of_running(home), "GET", "/emulator/status")
    if options.json:
        print(json.dumps(document, indent=2))
        return 0
    from rich.console import Console

    from emulator.report import show

    # In a pipe or a log, a table is not squeezed to 80 columns.
    show(document, Console(width=None if sys.stdout.isatty() else LOG_COLUMNS))
    return 0


def _env(home: Home, options: argparse.Namespace) -> int:
    values = variables(home, launcher.settings_of_running(home))
    print(json.dumps(values, indent=2) if options.json else exports(values))
    return 0


def _logs(home: Home, options: argparse.Namespace) -> int:
    file = home.logs / f"{Path(options.server).name}.log" if options.server else home.log
    if not file.exists():
        known = ", ".join(sorted(path.stem for path in home.logs.glob("*.log"))) or "none"
        raise LaunchError(f"There is no log {file}. Logs: {known}.")
    lines = file.read_text(errors="replace").splitlines()
    print("\n".join(lines[-options.lines :]))
    return 0


def _fault(home: Home, options: argparse.Namespace) -> int:
    path = f"/emulator/fault?kind={options.kind}&requests={options.requests}&rate={options.rate}&seed={options.seed}"
    path += f"&service={options.service}"
    now = launcher.control(launcher.settings_of_running(home), "POST", path)
    conflicts = now["conflicts"]
    lines = [
        f"The next {fault['requests']} requests to {SERVICES[service]}: {fault['kind']}."
        for service, fault in now["faults"].items()
    ]
    if conflicts[STRICT]:
        lines.append("Strict: operations on a server or an account go on until their client has been told of the end.")
    if conflicts["toDraw"]:
        share = f"{options.rate:.0%} of the changes" if options.kind == RANDOM else "Some changes"
        lines.append(f"{share} of a server's or an account's parts meet a conflict, {conflicts['toDraw']} at most.")
    print("\n".join(lines) or "Nothing goes wrong.")
    return 0


def _types(_home: Home, _options: argparse.Namespace) -> int:
    from emulator.providers.documented import table

    print(table(), end="")
    return 0


def _reset(home: Home, _options: argparse.Namespace) -> int:
    launcher.reset(home)
    print(f"Nothing is left in {home.root}.")
    return 0


def _serve(home: Home, options: argparse.Namespace) -> int:
    from emulator import daemon

    def tell(text: str) -> None:
        if options.ready is None:
            print(text, flush=True)
            return
        with contextlib.suppress(BrokenPipeError):  # the starter was killed meanwhile; the next one finds a daemon
            os.write(options.ready, text.encode())
        os.close(options.ready)

    try:
        ports = daemon.Ports(options.https_port, options.http_port, options.gateway_port)
        daemon.serve(home, ports, lambda: tell("ready"), options.backend)
    except (daemon.StartError, StateError) as error:
        tell(str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
