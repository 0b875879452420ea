"""The tables of new jobs, asked of the database before anything is made: a preview by the engine asks nobody."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tools import session
from tools.failure import Failure
from tools.stack import PROJECT

if TYPE_CHECKING:
    from tools.events import Change, Events
    from tools.pulumi import Pulumi

REACH_SECONDS = 2
JOB = ":VectorizationJob"
COLUMN = ":VectorSchema"
SQL = ":SqlMigration"
NEW = ("create", "create-replacement")


def new_jobs(events: Events) -> list[Change]:
    """Return the jobs that a preview would create."""
    return [change for change in events.of_kind(JOB) if change.operation in NEW]


def refuse_missing(pulumi: Pulumi, events: Events) -> None:
    """Refuse new jobs and vector columns on tables that are not there, and that nothing in the same `up` makes.

    Where the database does not answer at once, it is left to the resources, which say the same later on.

    Raises:
        Failure: names the tables, and where the config names them.
    """
    wanted = tables(events)
    if not wanted:
        return
    try:
        absent = session.within(REACH_SECONDS, lambda: _absent(pulumi, set(wanted.values())))
    except Failure:
        return
    wrong = {path: table for path, table in wanted.items() if table in absent}
    if wrong:
        lines = "\n".join(f"  {PROJECT}:{path}: there is no table {table}" for path, table in wrong.items())
        raise Failure(
            f"Tables that the stack {pulumi.name} names are not in its database; nothing was changed:\n{lines}",
            f"Create them, or correct their names in Pulumi.{pulumi.name}.yaml; then: {pulumi.make('up')}",
        )


def tables(events: Events) -> dict[str, str]:
    """Return the tables that must be there for what is new, by the config path that names them."""
    found = {}
    for change in new_jobs(events):
        job: Any = change.inputs.get("job")
        if isinstance(job, dict):
            found[f"jobs.{job.get('name')}.table"] = str(job.get("table"))
    for change in events.of_kind(COLUMN):
        if change.operation in NEW:
            found[f"vectorColumns.{change.name.partition('-column-')[2]}.table"] = str(change.inputs.get("table"))
    made = _made(events)
    return {path: table for path, table in found.items() if table.lower() not in made}


def _made(events: Events) -> frozenset[str]:
    """Return the tables that folders of SQL make in the same `up`."""
    from database.migrations import tables_of

    folders = [str(one.inputs.get("folder")) for one in events.of_kind(SQL) if one.operation not in ("same", "delete")]
    return frozenset().union(*(tables_of(folder) for folder in folders))


def _absent(pulumi: Pulumi, names: set[str]) -> set[str]:
    from database.errors import DatabaseError
    from database.statistics import missing

    try:
        with session.connect(pulumi, pulumi.outputs(), timeout_seconds=REACH_SECONDS, patient=False) as connection:
            return set(missing(connection, names))
    except DatabaseError as error:
        raise Failure(str(error)) from None
