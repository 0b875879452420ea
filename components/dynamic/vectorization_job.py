"""VectorizationJob: a declared vectorization or enrichment, its backfill to the end, and what is known of it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pulumi
from pulumi.dynamic import DiffResult, Resource

from components.dynamic.access import DatabaseArgs, connection_of, resource_id
from components.dynamic.props import Props, normal, unknown
from components.dynamic.provider import Provider
from database import health, vectorization
from database.connection import ConnectionSpec, connect, opener, session
from database.errors import DatabaseError
from database.progress import passing, progress


@dataclass(frozen=True, kw_only=True)
class VectorizationJobArgs(DatabaseArgs):
    """Inputs of a VectorizationJob.

    Attributes:
        deployment: name, model, dimensions, tokensPerMinute, requestsPerMinute, pricePerMillionTokens (USD); without
            dimensions for a chat model, without tokens for a function of Language, without a price where none is known.
        job: the job as `JobSpec.to_json()` gives it; its name and table say which job it is.
        workers: connections that embed at the same time during the backfill.
        timeout_seconds: longest backfill inside one run of the engine; the next run, or any worker, goes on.
        engine: digest of the engine's SQL; a job, whose functions are made of it, is defined again when it changed.
        revision: raise it to run the backfill again without another change.
        remove_on_delete: whether delete removes the vectors with the job.
        estimate: rows, tokens, requests, costUsd, minutes, asOf: shown in the preview, never compared.
    """

    deployment: pulumi.Input[Mapping[str, Any]]
    job: pulumi.Input[Mapping[str, Any]]
    engine: pulumi.Input[str | None] | None = None
    workers: pulumi.Input[int] = 4
    timeout_seconds: pulumi.Input[int] = 3600
    revision: pulumi.Input[int] = 1
    remove_on_delete: pulumi.Input[bool] = False
    estimate: pulumi.Input[Mapping[str, Any] | None] | None = None


@dataclass(frozen=True)
class WantedJob:
    """The inputs, decoded."""

    connection: ConnectionSpec
    deployment: vectorization.Deployment
    job: vectorization.JobSpec
    workers: int
    timeout_seconds: int
    remove_on_delete: bool

    @property
    def resource_id(self) -> str:
        """The id in the stack's state."""
        return resource_id(self.connection, "job", self.job.name)

    @property
    def title(self) -> str:
        """What it is, for errors."""
        kind = "vectorization" if self.job.operation == "embed" else self.job.operation
        return f"{kind} job {self.job.name} on {self.job.table} in database {self.connection.database}"


# Inputs whose change asks for other vectors, which are filled in beside those that searches use.
GENERATION = ("deployment.model", "job.dimensions", "job.type", "job.target", "job.column")
# Inputs of an enrichment whose change does every row again in its place, and those that make it another job.
AGAIN = ("deployment.model", "job.template", "job.arguments")
FIXED = ("job.operation", "job.type", "job.target", "job.column")


class VectorizationJobProvider(Provider[WantedJob]):
    """Declares the job, says what it will cost, runs the backfill; finds what was changed or removed by SQL."""

    inputs = frozenset(
        {
            "connection",
            "password",
            "deployment",
            "job",
            "engine",
            "workers",
            "timeoutSeconds",
            "revision",
            "removeOnDelete",
            "estimate",
        }
    )
    remarks = frozenset({"estimate", "workers", "timeoutSeconds"})
    identity = ("connection.host", "connection.database", "job.name", "job.table")

    def decode(self, props: Props) -> WantedJob:
        """Decode inputs, or outputs, which hold them too."""
        deployment = props.inside("deployment")
        props.integer("revision", minimum=0, maximum=1_000_000, default=1)
        return WantedJob(
            connection=connection_of(props),
            deployment=vectorization.Deployment(
                name=deployment.text("name"),
                model=deployment.text("model"),
                dimensions=deployment.optional_integer("dimensions", minimum=1, maximum=16_000),
                tokens_per_minute=deployment.optional_integer("tokensPerMinute", minimum=1, maximum=10**9),
                requests_per_minute=deployment.integer("requestsPerMinute", minimum=1, maximum=10**9),
                price_per_million_tokens=(
                    deployment.number("pricePerMillionTokens") if deployment.has("pricePerMillionTokens") else None
                ),
            ),
            job=_job(props),
            workers=props.integer("workers", minimum=1, maximum=64, default=4),
            timeout_seconds=props.integer("timeoutSeconds", minimum=1, maximum=7 * 86_400, default=3600),
            remove_on_delete=props.flag("removeOnDelete", default=False),
        )

    def due(self, had: Mapping[str, Any], news: Mapping[str, Any]) -> bool:  # noqa: ARG002
        """Tell whether the last run was cut off, or the last refresh found the job damaged, paused or stopped."""
        status = had.get("status")
        known = status if isinstance(status, Mapping) else {}
        return bool(had.get("unfinished") or had.get("damage")) or known.get("state") in {"paused", "stopped"}

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        """Compare, and say what the change will cost, by the figures recorded last.

        Raises:
            DatabaseError: an enrichment cannot become that in place.
        """
        found = super().diff(_id, _olds, _news)
        if found.replaces:
            return found
        wanted = self.decode(Props(_news))
        embeds = wanted.job.operation == self.decode(Props(_olds)).job.operation == "embed"
        fixed = [] if embeds else [path for path in FIXED if self._differs(_olds, _news, path)]
        if fixed:
            raise DatabaseError(
                f"{wanted.title}: {', '.join(fixed)} changed, and what it wrote cannot become that in place. Take the "
                f"job out of the config and run `pulumi up`, or give the other one another name."
            )
        paths = [path for path in (GENERATION if embeds else AGAIN) if self._differs(_olds, _news, path)]
        if paths:
            progress(_announcement(wanted.job, _news.get("estimate"), paths))
        return found

    def make(self, wanted: WantedJob) -> dict[str, Any]:
        """Declare the job and run it."""
        return self._run(wanted, damaged=False)

    def change(self, had: Mapping[str, Any], wanted: WantedJob) -> dict[str, Any]:
        """Declare it anew, and embed what that makes due."""
        return self._run(wanted, damaged=bool(had.get("damage")))

    def _run(self, wanted: WantedJob, *, damaged: bool) -> dict[str, Any]:
        """Declare the job paused, say what is to come, then run it."""
        name = wanted.job.name
        with session(wanted.connection, lock="catalog") as conn:
            for line in vectorization.define(conn, wanted.deployment, wanted.job, state="paused"):
                progress(line)
            if damaged:
                health.sweep(conn, name)
            passing(f"{name}: {_sentence(vectorization.estimate(conn, name))}")
        began = time.monotonic()
        status = vectorization.backfill(
            opener(wanted.connection, application_name=f"postgres-genai {name}"),
            name,
            workers=wanted.workers,
            timeout_seconds=wanted.timeout_seconds,
            progress=passing,
            say=progress,
        )
        # Before its time is up it ends only when it has caught up; what is pending then, writers changed meanwhile.
        in_time = time.monotonic() - began < wanted.timeout_seconds
        remaining = 0 if in_time else status.pending + status.leased
        if remaining:
            progress(
                f"{name}: {remaining} rows remain after {wanted.timeout_seconds} s (timeoutSeconds). Nothing "
                f"is lost: `pulumi up` goes on from here, and so does any worker (`CALL vectorize.work('{name}')`)."
            )
        unfinished = bool(remaining) or status.next_generation is not None
        return {"status": _status(status), "unfinished": unfinished, "damage": []}

    def find(self, had: Mapping[str, Any], wanted: WantedJob) -> dict[str, Any] | None:
        """Read the stored definition, its column and triggers, and its status."""
        name = wanted.job.name
        with connect(wanted.connection) as conn:
            found = vectorization.read(conn, name) if health.installed(conn) else None
            if found is None:
                return None
            damage = health.damage(conn, name)
            status = vectorization.status(conn, name)[0]
        deployment, job, _ = found
        outs: dict[str, Any] = {"status": _status(status), "damage": damage}
        outs["unfinished"] = status.next_generation is not None or (
            bool(had.get("unfinished")) and status.pending + status.leased > 0
        )
        if changed := _drift(job, wanted.job):
            outs["job"] = {**had["job"], **changed}
        if deployment != wanted.deployment:
            outs["deployment"] = _deployment(deployment)
        return outs

    def remove(self, had: Mapping[str, Any], wanted: WantedJob) -> None:  # noqa: ARG002
        """Remove the job and its triggers; the vectors stay unless the stack says otherwise."""
        with session(wanted.connection, lock="catalog") as conn:
            if not health.installed(conn) or vectorization.read(conn, wanted.job.name) is None:
                return
            vectorization.remove(conn, wanted.job.name, keep_vectors=not wanted.remove_on_delete)
        if not wanted.remove_on_delete:
            progress(f"{wanted.title} is removed; its vectors stay")


class VectorizationJob(Resource, module="postgresql", name="VectorizationJob"):
    """A job of the vectorization engine. What it makes: a column or side table, triggers, vectors, an index.

    The deployment it embeds with, and the extensions and SQL that it needs, are not part of it.
    """

    status: pulumi.Output[dict[str, Any]]

    def __init__(self, name: str, args: VectorizationJobArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        props = args.props(status=None, unfinished=None, damage=None)
        super().__init__(VectorizationJobProvider(), name, props, opts)


def _job(props: Props) -> vectorization.JobSpec:
    """Decode the job; where something is unknown or wrong, the placeholder has what is needed for a check only."""
    inside = props.inside("job")
    name, table, template = inside.text("name"), inside.text("table"), inside.text("template")
    deployment = inside.text("deployment")
    values = props.mapping("job")
    fallback = vectorization.JobSpec(name=name, table=table, template=template, deployment=deployment)
    if unknown(values) or not all((name, table, template, deployment)):
        return fallback
    try:
        return vectorization.JobSpec.from_json(normal(values))
    except (TypeError, ValueError, KeyError) as error:
        props.refuse("job", f"is no job: {error}")
        return fallback


def _drift(stored: vectorization.JobSpec, wanted: vectorization.JobSpec) -> dict[str, Any]:
    """Return the stored values that are not as wanted; what the stack left open is whatever the engine chose."""
    has, asked = stored.to_json(), wanted.to_json()
    if not wanted.key:
        has["key"] = asked["key"]
    if has["table"].replace('"', "").lower() == asked["table"].replace('"', "").lower():
        has["table"] = asked["table"]
    return {name: value for name, value in has.items() if normal(value) != normal(asked.get(name))}


def _deployment(deployment: vectorization.Deployment) -> dict[str, Any]:
    plain = {
        "name": deployment.name,
        "model": deployment.model,
        "dimensions": deployment.dimensions,
        "tokensPerMinute": deployment.tokens_per_minute,
        "requestsPerMinute": deployment.requests_per_minute,
        "pricePerMillionTokens": deployment.price_per_million_tokens,
    }
    return {name: value for name, value in plain.items() if value is not None}


def _status(status: vectorization.JobStatus) -> dict[str, Any]:
    known = {
        "rows": status.rows,
        "embedded": status.embedded,
        "empty": status.empty,
        "remaining": status.pending + status.leased,
        "quarantined": status.quarantined,
        "tokens": status.tokens,
        "costUsd": None if status.cost_usd is None else round(float(status.cost_usd), 6),
        "state": status.state,
        "generation": status.generation,
        "asOf": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    return {name: value for name, value in known.items() if value is not None}


def _announcement(job: vectorization.JobSpec, estimate: Any, paths: list[str]) -> str:
    """Say what the change of these inputs will take; `estimate` is an input of the resource."""
    what = f"{job.name}: {', '.join(paths)} changed, so every row is "
    if job.operation == "embed":
        what += "embedded into a new generation"
        beside = "searches use the present one until it is complete, and it is kept after that"
    else:
        what += f"done again ({job.operation})"
        beside = "each value is replaced in its place"
    if not isinstance(estimate, Mapping) or unknown(estimate):
        return f"{what}; {beside}. Its rows are not known: run `pulumi refresh` first to see the cost."
    minutes = "under a minute" if estimate["minutes"] < 1 else f"{estimate['minutes']:,.0f} min"
    return (
        f"{what}: {int(estimate['rows']):,} rows, about {int(estimate['tokens']):,} tokens, "
        f"{_money(estimate.get('costUsd'))}, {minutes} under the quota, as of "
        f"{estimate.get('asOf') or 'an unknown time'}; {beside}."
    )


def _sentence(estimate: vectorization.Estimate) -> str:
    if not estimate.rows:
        return "no row is left to do"
    quota = "under a minute" if estimate.minutes < 1 else f"{estimate.minutes:.0f} min"
    return (
        f"{estimate.rows:,} rows to do, about {estimate.tokens:,} tokens in {estimate.requests:,} requests, "
        f"{_money(estimate.cost_usd)}, {quota} under the quota"
    )


def _money(usd: float | None) -> str:
    return "at a price that is not known here" if usd is None else f"{usd:.4f} USD"
