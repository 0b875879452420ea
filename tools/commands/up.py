"""`up` and `refresh`: the engine's work, between making everything ready and saying what there is."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from tools import busy, gate, sources
from tools import target as targets
from tools.carried import hollow_extensions, refuse_missing_extensions
from tools.commands import summary
from tools.failure import INTERRUPTED, Failure
from tools.pending import forget_settled
from tools.pulumi import open_stack, way_in
from tools.stack import explain_config
from tools.steps import Steps

if TYPE_CHECKING:
    from tools.events import Events
    from tools.pulumi import Pulumi

QUIET = ("--suppress-outputs",)
WITHOUT_ASKING = ("--yes", "--skip-preview")
CONSENT = frozenset({*WITHOUT_ASKING, "-y", "-f"})


def up(stack: str, target: str, arguments: list[str], *, as_json: bool) -> int:
    """Bring the stack up.

    Returns:
        The engine's exit status.
    """
    steps = Steps()
    if target == targets.EMULATOR:
        refuse_missing_extensions(stack, targets.backend())
        for line in hollow_extensions(stack, targets.backend()):
            print(line, file=sys.stderr)
    pulumi = ready(stack, target, steps)
    with steps.step("policies", "Checking what would change ..."):
        seen = gate.preview(pulumi, [*QUIET, *arguments])
    if seen.code and not seen.events.changes:
        explain_config(stack)
    if warnings := seen.warnings():
        print("\n".join(warnings), file=sys.stderr)
    if seen.code or seen.denied:
        print(seen.text, file=sys.stderr)
        raise stopped(seen)
    with steps.step("policies", "Looking for the tables of new jobs ..."):
        sources.refuse_missing(pulumi, seen.events)
    if not pulumi.local:
        print(seen.text, file=sys.stderr if as_json else sys.stdout)
        ask(arguments)
    print(seen.sentence(), file=sys.stderr)
    if seen.warned:
        print(f"Why they warn: {pulumi.make('preview')}", file=sys.stderr)
    with steps.step("pulumi up"):
        to = sys.stderr if as_json else None
        code, events = busy.change(pulumi, "up", [*QUIET, *WITHOUT_ASKING, *without_consent(arguments)], to=to)
    if code:
        raise ended(pulumi, code)
    with steps.step("summary"):
        forget_settled(pulumi)
        facts = summary.facts(pulumi, events)
    facts["seconds"] = {name: round(seconds, 1) for name, seconds in steps.seconds.items()}
    if as_json:
        json.dump(facts, sys.stdout, indent=2)
        print()
    else:
        summary.show(pulumi, facts, events, steps)
    return 0


def refresh(stack: str, target: str, arguments: list[str]) -> int:
    """Refresh the stack's state from what is really there.

    Returns:
        The engine's exit status.
    """
    steps = Steps()
    pulumi = ready(stack, target, steps)
    with steps.step("pulumi refresh"):
        code, events = pulumi.change("refresh", [*QUIET, *consent(pulumi), *arguments])
    for line in drift(pulumi, code, events):
        print(line)
    print(steps.line())
    return code


def drift(pulumi: Pulumi, code: int, events: Events) -> list[str]:
    """Say what a refresh found, and what puts it back."""
    lines = ["Interrupted; what was compared so far is recorded."] if code == INTERRUPTED else []
    if events.drifted:
        found = ", ".join(f"{name} ({what})" for name, what in sorted(events.drifted.items()))
        lines += [f"Not as declared any more: {found}.", f"That is recorded now; to put it back: {pulumi.make('up')}"]
    elif not code:
        lines.append("All that was declared is there as it was declared.")
    return lines


def ready(stack: str, target: str, steps: Steps) -> Pulumi:
    """Make everything ready for the engine, timing it."""
    with steps.step("ready", "Making ready: engine, emulator, stack ..." if target == targets.EMULATOR else ""):
        return open_stack(stack, target)


def stopped(seen: gate.Preview) -> Failure:
    """Say why nothing was begun."""
    if seen.code == INTERRUPTED:
        return Failure("Interrupted while it looked at what would change; nothing was changed.", "", INTERRUPTED)
    if not seen.denied:
        way_out = way_in(seen.text) or "Mend what it names above, then run `make up` again."
        return Failure("The preview failed, so nothing was changed.", way_out)
    return Failure(
        f"The policies of {seen.environment} deny this, so nothing was changed: {', '.join(seen.denied)}.",
        "Mend what they name above; docs/policies.md says how an exemption is given.",
    )


def ended(pulumi: Pulumi, code: int) -> Failure:
    """Say what became of an `up` that did not come to its end."""
    if code == INTERRUPTED:
        return Failure(
            "Interrupted; what `pulumi up` did so far is recorded.", f"To go on from there: {pulumi.make('up')}", code
        )
    return Failure(
        f"`pulumi up` ended with status {code}; what it did so far is recorded.",
        f"Mend what it names above, then go on from there: {pulumi.make('up')}",
        code,
    )


def ask(arguments: list[str]) -> None:
    """Ask whether to do what the preview says, where nobody has said so.

    Raises:
        Failure: the answer is no, or there is nobody to ask.
    """
    if CONSENT.intersection(arguments):
        return
    if not sys.stdin.isatty():
        raise Failure("Nobody is here to say yes to this preview.", "Say it beforehand: make up ARGS=--yes")
    import typer

    if not typer.confirm("Do this?"):
        raise Failure("Nothing was changed.")


def without_consent(arguments: list[str]) -> list[str]:
    """Return the arguments without those that are given in any case."""
    return [argument for argument in arguments if argument not in CONSENT]


def consent(pulumi: Pulumi) -> tuple[str, ...]:
    """Return the arguments that keep the engine from asking: on this machine only, where nothing costs."""
    return WITHOUT_ASKING if pulumi.local else ()
