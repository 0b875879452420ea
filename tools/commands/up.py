"""`up` and `refresh`: the engine's work, between making everything ready and saying what there is."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from tools import target as targets
from tools.carried import hollow_extensions, refuse_missing_extensions
from tools.commands import summary
from tools.failure import Failure
from tools.pending import forget_settled
from tools.pulumi import open_stack
from tools.stack import explain_config
from tools.steps import Steps

if TYPE_CHECKING:
    from tools.pulumi import Pulumi

QUIET = ("--suppress-outputs",)
WITHOUT_ASKING = ("--yes", "--skip-preview")


def up(stack: str, target: str, arguments: list[str], *, as_json: bool) -> int:
    """Bring the stack up.

    Returns:
        The engine's exit status.
    """
    steps = Steps()
    if target == targets.EMULATOR:
        refuse_missing_extensions(stack)
        for line in hollow_extensions(stack):
            print(line, file=sys.stderr)
    pulumi = ready(stack, target, steps)
    with steps.step("pulumi up"):
        code, events = pulumi.change("up", [*QUIET, *consent(pulumi), *arguments], to_stderr=as_json)
    if code:
        if not events.changes:
            explain_config(stack)
        raise Failure(
            f"`pulumi up` ended with status {code}; what it did so far is recorded.",
            "Mend what it names above, then run `make up` again: it goes on from there.",
            code,
        )
    with steps.step("summary"):
        forget_settled(pulumi)
        facts = summary.facts(pulumi, events)
    facts["seconds"] = {name: round(seconds, 1) for name, seconds in steps.seconds.items()}
    if as_json:
        json.dump(facts, sys.stdout, indent=2)
        print()
    else:
        summary.show(facts, events, steps)
    return 0


def refresh(stack: str, target: str, arguments: list[str]) -> int:
    """Refresh the stack's state from what is really there.

    Returns:
        The engine's exit status.
    """
    steps = Steps()
    pulumi = ready(stack, target, steps)
    with steps.step("pulumi refresh"):
        code, _ = pulumi.change("refresh", [*QUIET, *consent(pulumi), *arguments])
    print(steps.line())
    return code


def ready(stack: str, target: str, steps: Steps) -> Pulumi:
    """Make everything ready for the engine, timing it."""
    with steps.step("ready", "Making ready: engine, emulator, stack ..." if target == targets.EMULATOR else ""):
        return open_stack(stack, target)


def consent(pulumi: Pulumi) -> tuple[str, ...]:
    """Return the arguments that keep the engine from asking: on this machine only, where nothing costs."""
    return WITHOUT_ASKING if pulumi.local else ()
