"""`preview`: what `up` would do, and what each new job would cost where the program itself cannot know it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from tools import gate, session, sources
from tools.commands import preflight
from tools.commands.up import QUIET, ready
from tools.failure import Failure
from tools.stack import PROJECT, config_values, explain_config
from tools.steps import Steps

if TYPE_CHECKING:
    from tools.events import Change
    from tools.pulumi import Pulumi

PREFLIGHT_SECONDS = 6.0
AS_DATA = {"--json", "-j"}


def preview(stack: str, target: str, arguments: list[str]) -> int:
    """Preview the stack.

    Returns:
        The engine's exit status, or 1 where the policies deny what it shows.
    """
    steps = Steps()
    pulumi = ready(stack, target, steps)
    beside = preflight.Beside(pulumi, PREFLIGHT_SECONDS)
    data = bool(AS_DATA.intersection(arguments))
    with steps.step("pulumi preview", "Previewing ..."):
        seen = gate.preview(pulumi, [*QUIET, *arguments], data=data)
    code, events = seen.code, seen.events
    if code and not events.changes:
        explain_config(stack)
    if warnings := seen.warnings():
        print("\n".join(warnings), file=sys.stderr if data else sys.stdout, flush=True)
    print(seen.text, end="")
    unknown = [change for change in sources.new_jobs(events) if not change.inputs.get("estimate")]
    if unknown and not code:
        with steps.step("estimate", "Asking the database for rows and sizes ..."):
            for line in estimates(pulumi, unknown):
                print(line)
    with steps.step("preflight"):
        print("\n".join([seen.sentence(), *beside.lines()]), file=sys.stderr if data else sys.stdout)
    print(steps.line(), file=sys.stderr)
    return code or int(bool(seen.denied))


def estimates(pulumi: Pulumi, jobs: list[Change]) -> list[str]:
    """Estimate new jobs from the database itself, where it can be reached within two seconds."""
    specs = [spec for change in jobs if isinstance(spec := change.inputs.get("job"), dict)]
    if not specs:
        return []
    tables = {str(spec["table"]) for spec in specs}
    try:
        measured = session.within(sources.REACH_SECONDS, lambda: measure(pulumi, tables))
    except Failure as failure:
        reason = failure.what.splitlines()[0].rstrip(".")
        return [f"{spec['name']}: rows, tokens and cost are not known ({reason})" for spec in specs]
    return [say(pulumi.name, spec, measured) for spec in specs]


def measure(pulumi: Pulumi, tables: set[str]) -> dict[str, Any]:
    """Ask the database for the rows and sizes of the tables in the schemas of some, and which of those are not there.

    Raises:
        Failure: the stack is not up, or its database cannot be reached.
    """
    from database.errors import DatabaseError
    from database.statistics import collect, missing

    seconds = sources.REACH_SECONDS
    try:
        with session.connect(pulumi, pulumi.outputs(), timeout_seconds=seconds, patient=False) as connection:
            measured = collect(connection, {table.partition(".")[0].lower() for table in tables})
            return {**measured, "missing": missing(connection, tables)}
    except DatabaseError as error:
        raise Failure(str(error)) from None


def say(stack: str, spec: dict[str, Any], measured: dict[str, Any]) -> str:
    """Say one job's estimate in a sentence, by the program's own arithmetic."""
    from components.estimate import estimate, sentence
    from components.job_quota import quota_of
    from components.settings import StackSettings

    settings = StackSettings.parse(config_values(stack), stack=stack)
    job = settings.jobs[spec["name"]]
    if job.table in measured["missing"]:
        path = f"{PROJECT}:jobs.{spec['name']}.table"
        return f"{path}: there is no table {job.table} now. Create it before `make up`, or correct its name."
    known = estimate(job, quota_of(job, settings), measured["tables"], measured["asOf"])
    return f"{spec['name']}: {sentence(known, job)}"
