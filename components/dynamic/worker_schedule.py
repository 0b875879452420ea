"""WorkerSchedule: workers that pg_cron runs inside the server."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import pulumi
from pulumi.dynamic import Resource

from components.dynamic.access import DatabaseArgs, connection_of, resource_id
from components.dynamic.props import Props, normal
from components.dynamic.provider import Provider
from database import schedule
from database.connection import ConnectionSpec, connect, session
from database.progress import progress


@dataclass(frozen=True, kw_only=True)
class WorkerScheduleArgs(DatabaseArgs):
    """Inputs of a WorkerSchedule.

    Attributes:
        parallel: how many workers.
        cron_database: the database that pg_cron lives in (`cron.database_name`).
    """

    parallel: pulumi.Input[int]
    cron_database: pulumi.Input[str]


@dataclass(frozen=True)
class WantedSchedule:
    """The inputs, decoded."""

    connection: ConnectionSpec
    parallel: int
    cron_database: str

    @property
    def resource_id(self) -> str:
        """The id in the stack's state."""
        return resource_id(self.connection, "schedule", "workers")

    @property
    def title(self) -> str:
        """What it is, for errors."""
        return f"scheduled workers of database {self.connection.database}"

    @property
    def cron(self) -> ConnectionSpec:
        """Where pg_cron lives."""
        return replace(self.connection, database=self.cron_database)


class WorkerScheduleProvider(Provider[WantedSchedule]):
    """Declares the jobs of pg_cron, finds what was changed or removed by SQL, and takes them away."""

    inputs = frozenset({"connection", "password", "parallel", "cronDatabase"})
    identity = ("connection.host", "connection.database", "cronDatabase")

    def decode(self, props: Props) -> WantedSchedule:
        """Decode inputs, or outputs, which hold them too."""
        return WantedSchedule(
            connection=connection_of(props),
            parallel=props.integer("parallel", minimum=1, maximum=64),
            cron_database=props.text("cronDatabase"),
        )

    def due(self, had: Mapping[str, Any], news: Mapping[str, Any]) -> bool:
        """Tell whether another version declared the jobs, or the last refresh found them altered or cut off."""
        wanted = self.decode(Props(news))
        now = {
            "jobs": schedule.names(wanted.connection.database, wanted.parallel, wanted.cron_database),
            "definition": schedule.DEFINITION,
            "statementTimeout": "0",
        }
        return any(normal(had.get(name, value)) != value for name, value in now.items())

    def make(self, wanted: WantedSchedule) -> dict[str, Any]:
        """Declare the jobs, or adopt those of an earlier run."""
        return self.change({}, wanted)

    def change(self, had: Mapping[str, Any], wanted: WantedSchedule) -> dict[str, Any]:
        """Declare the jobs anew; those that are too many go."""
        database = wanted.connection.database
        with session(wanted.connection, lock="catalog") as conn:
            before = schedule.lift_statement_timeout(conn)
        with session(wanted.cron, lock="catalog") as conn:
            changed = schedule.declare(conn, database, wanted.parallel)
        if changed:
            progress(f"pg_cron: declared {wanted.parallel} workers for database {database}")
        return {
            "jobs": schedule.names(database, wanted.parallel, wanted.cron_database),
            "definition": schedule.DEFINITION,
            "statementTimeout": "0",
            "timeoutBefore": had.get("timeoutBefore") if before is None else before,
        }

    def find(self, had: Mapping[str, Any], wanted: WantedSchedule) -> dict[str, Any] | None:  # noqa: ARG002
        """Read the jobs; one that was altered counts as missing."""
        with connect(wanted.cron) as conn:
            jobs = schedule.healthy(conn, wanted.connection.database, wanted.parallel)
        if not jobs:
            return None
        with connect(wanted.connection) as conn:
            timeout = schedule.statement_timeout(conn)
        return {"jobs": jobs, "statementTimeout": timeout}

    def remove(self, had: Mapping[str, Any], wanted: WantedSchedule) -> None:
        """Take the jobs away; calls that run are ended, and their batches go back to the queue."""
        with session(wanted.cron, lock="catalog") as conn:
            schedule.remove(conn, wanted.connection.database)
        before = had.get("timeoutBefore")
        if isinstance(before, str):
            with session(wanted.connection, lock="catalog") as conn:
                schedule.restore_statement_timeout(conn, before)


class WorkerSchedule(Resource, module="postgresql", name="WorkerSchedule"):
    """Workers for every job of one database, run by pg_cron. The extension is not part of it."""

    jobs: pulumi.Output[list[str]]

    def __init__(self, name: str, args: WorkerScheduleArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        props = args.props(jobs=None, definition=None, statementTimeout=None, timeoutBefore=None)
        super().__init__(WorkerScheduleProvider(), name, props, opts)
