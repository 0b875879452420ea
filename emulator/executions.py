"""Executions of Container Apps jobs: the worker of this repository, as processes of this machine.

No container is made and no image is pulled: an execution is `python -m database.worker` of this checkout, with the
arguments and the variables of the job's container, and with the job's own identity, as Container Apps gives it (the
identity endpoint and its header). What starts one is what starts it on Azure: the clock, the scaler's query, or
`POST .../start`.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from emulator.arm import body as bodies
from emulator.arm import container_apps
from emulator.arm.store import Resource, Store

_log = logging.getLogger(__name__)

_ROOT = Path(__file__).resolve().parents[1]
_LOOK_SECONDS = 0.5
_END_SECONDS = 10.0
_POLLING_SECONDS = 30  # what a scale rule has unless it says otherwise (azure-docs, "Jobs in Azure Container Apps")
_MOST_EXECUTIONS = 10  # the same for its executions
_KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "VIRTUAL_ENV")


class ScalerError(Exception):
    """What a scaler that could not ask has to say."""


@dataclass
class _State:
    """What is known of one job: what runs, what was asked by hand, when the clock and the scaler were last heard."""

    asked: int
    running: dict[asyncio.subprocess.Process, float] = field(default_factory=dict)
    minute: datetime | None = None
    polled: float = 0.0


class Executions:
    """Starts what is due of each job, ends what lasts too long, and ends everything with the daemon."""

    def __init__(self, store: Store, variables: Callable[[], Mapping[str, str]], logs: Path) -> None:
        """Take what executions need.

        Args:
            store: Has the jobs.
            variables: Lead the worker to the emulator; its identity's header is the job's own.
            logs: Folder in which each job has a file of what its executions print.
        """
        self._store = store
        self._variables = variables
        self._logs = logs
        # What was asked for in an earlier life of the daemon has run then.
        self._states = {job.key: _State(_asked(job)) for job in store.of_type(container_apps.JOBS)}

    async def run(self) -> None:
        """Look after the jobs until cancelled."""
        while True:
            jobs = self._store.of_type(container_apps.JOBS)
            for gone in self._states.keys() - {job.key for job in jobs}:
                await _end(self._states[gone].running)
                del self._states[gone]
            for job in jobs:
                try:
                    await self._look(job)
                except (OSError, LookupError, ValueError) as error:
                    _log.error("job %s: no execution could be started: %r", job.name, error)
            await asyncio.sleep(_LOOK_SECONDS)

    async def end(self) -> None:
        """End every execution: at once what does not end by itself within ten seconds."""
        await _end([process for state in self._states.values() for process in state.running])

    async def _look(self, job: Resource) -> None:
        asked = _asked(job)
        state = self._states.setdefault(job.key, _State(0))
        now = time.monotonic()
        state.running = {process: until for process, until in state.running.items() if _lives(process)}
        for process, until in state.running.items():
            if now > until:
                _log.info("job %s: execution %d took longer than its replicaTimeout", job.name, process.pid)
                process.kill()
        due = asked - state.asked
        state.asked = asked
        configuration = job.body["properties"]["configuration"]
        if configuration["triggerType"] == "Schedule":
            due += _is_time(str(bodies.get(configuration, "scheduleTriggerConfig.cronExpression")), state)
        elif configuration["triggerType"] == "Event":
            due += await self._scaled(job, state, now)
        for _ in range(due):
            process = await self._start(job)
            state.running[process] = now + float(configuration["replicaTimeout"])

    async def _scaled(self, job: Resource, state: _State, now: float) -> int:
        """Return how many executions the scaler starts: what is wanted, less what runs, by KEDA's default strategy.

        Source: keda.sh, "Scaling Jobs" and "PostgreSQL"; that Container Apps leaves the strategy alone is unverified.
        """
        scale = bodies.get(job.body["properties"], "configuration.eventTriggerConfig.scale") or {}
        if now - state.polled < float(scale.get("pollingInterval") or _POLLING_SECONDS):
            return 0
        state.polled = now
        most = int(scale.get("maxExecutions") or _MOST_EXECUTIONS)
        wanted = 0
        for rule in scale.get("rules") or []:
            if rule.get("type") != "postgresql":
                continue
            if rule.get("identity"):
                # microsoft/azure-container-apps #1786: the platform drops the metadata of such a rule.
                _log.error("job %s: KEDAScalerFailed: failed to connect to `user= database=`", job.name)
                continue
            try:
                wanted = max(wanted, await asyncio.to_thread(self._ask, job, rule))
            except ScalerError as error:
                _log.error("job %s: KEDAScalerFailed: %s", job.name, error)
        return max(0, min(wanted, most) - len(state.running))

    def _ask(self, job: Resource, rule: Mapping[str, Any]) -> int:
        """Ask the database as the rule says, and return how many times over its target the answer is."""
        import psycopg

        told = rule["metadata"]
        secrets = job.private.get("secrets") or {}
        given = {str(one["triggerParameter"]): secrets[one["secretRef"]] for one in rule.get("auth") or []}
        here = self._variables()
        try:
            with psycopg.connect(
                host=told["host"],
                dbname=told["dbName"],
                user=told["userName"],
                password=given.get("password"),
                sslmode=told["sslmode"],
                hostaddr=here["PGHOSTADDR"],
                port=here["PGPORT"],
                sslrootcert=here["PGSSLROOTCERT"],
                connect_timeout=10,
                application_name="keda",
            ) as connection:
                row = connection.execute(str(told["query"]).encode()).fetchone()
        except psycopg.Error as error:
            raise ScalerError(str(error).strip()) from None
        return -(-int(row[0]) // int(float(told.get("targetQueryValue") or 1))) if row else 0

    async def _start(self, job: Resource) -> asyncio.subprocess.Process:
        container = job.body["properties"]["template"]["containers"][0]
        secrets = job.private.get("secrets") or {}
        own = {
            str(one["name"]): str(one["value"] if "secretRef" not in one else secrets[one["secretRef"]])
            for one in container.get("env") or []
        }
        environment = {
            **{name: os.environ[name] for name in _KEPT if name in os.environ},
            **self._variables(),
            "IDENTITY_HEADER": str(job.private["identityHeader"]),
            **own,
        }
        with (self._logs / f"job-{job.name}.log").open("a") as lines:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "database.worker", *container.get("args", []),
                cwd=_ROOT, env=environment, stdin=asyncio.subprocess.DEVNULL, stdout=lines, stderr=lines,
            )  # fmt: skip
        _log.info("job %s: execution %d began", job.name, process.pid)
        return process


def _asked(job: Resource) -> int:
    return int(job.private.get("asked", 0))


async def _end(processes: Iterable[asyncio.subprocess.Process]) -> None:
    running = [process for process in processes if _lives(process)]
    for process in running:
        process.terminate()
    for process in running:
        try:
            await asyncio.wait_for(process.wait(), _END_SECONDS)
        except TimeoutError:
            process.kill()


def _lives(process: asyncio.subprocess.Process) -> bool:
    return process.returncode is None


def _is_time(expression: str, state: _State) -> bool:
    """Return whether a new minute has begun at which a schedule starts an execution; times are in UTC."""
    minute = datetime.now(UTC).replace(second=0, microsecond=0)
    before, state.minute = state.minute, minute
    return before is not None and before != minute and matches(expression, minute)


def matches(expression: str, minute: datetime) -> bool:
    """Return whether a cron expression of five fields has a minute; of a field, `*`, `*/n`, and lists of numbers."""
    now = (minute.minute, minute.hour, minute.day, minute.month, minute.isoweekday() % 7)
    fields = expression.split()
    return len(fields) == len(now) and all(_has(field, value) for field, value in zip(fields, now, strict=True))


def _has(field: str, value: int) -> bool:
    every = field.partition("/")
    if every[0] == "*":
        return value % int(every[2] or 1) == 0
    return str(value) in field.split(",")
