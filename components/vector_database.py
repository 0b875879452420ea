"""VectorDatabase: what happens inside PostgreSQL, in the order in which each step finds what it needs.

extensions -> azure_ai settings -> SQL of the project (engine, search, sample) -> vector columns -> statistics -> jobs
and graphs -> workers that pg_cron runs.
Each job is one resource, and jobs run side by side: they share the deployment's quota inside the database. A preview
shows beside each job what a full backfill would cost.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi

from components.ai_accounts import AiAccounts
from components.dynamic.azure_ai_settings import AzureAiSettings, AzureAiSettingsArgs
from components.dynamic.extension import Extension, ExtensionArgs
from components.dynamic.graph import Graph, GraphArgs
from components.dynamic.source_statistics import SourceStatistics, SourceStatisticsArgs
from components.dynamic.sql_migration import SqlMigration, SqlMigrationArgs
from components.dynamic.vector_schema import VectorSchema, VectorSchemaArgs
from components.dynamic.vectorization_job import VectorizationJob, VectorizationJobArgs
from components.dynamic.worker_schedule import WorkerSchedule, WorkerScheduleArgs
from components.estimate import BackfillEstimate, absence, estimate, sentence
from components.job_quota import JobQuota, quota_of
from components.job_settings import JobSettings
from components.settings import StackSettings
from database import migrations
from database.vectorization import JobSpec


@dataclass(frozen=True, kw_only=True)
class VectorDatabaseArgs:
    """What the inside of a database is made of.

    Attributes:
        settings: the stack's settings; extensions, deployments, vector columns, jobs, sample and retention are read.
        connection: host, database, user, authentication and token scope.
        password: password of the user (a secret), or None with Entra.
        deleted_with: the server; when it is deleted, nothing in it needs a delete of its own. None where it stays.
        ready: resources to wait for before the first connection.
        ai: the AI accounts, or None where the stack has no azure_ai.
    """

    settings: StackSettings
    connection: Mapping[str, pulumi.Input[str]]
    password: pulumi.Input[str] | None
    deleted_with: pulumi.Resource | None
    ready: Sequence[pulumi.Resource]
    ai: AiAccounts | None


class VectorDatabase(pulumi.ComponentResource):
    """A database that embeds its own data.

    Attributes:
        ready: resources to wait for before a worker runs: the engine is there, and the jobs with their backfills.
        exports: installed extensions, those left out, and what is known of each job since the last `up` or `refresh`.
    """

    ready: list[pulumi.Resource]
    exports: dict[str, Any]

    def __init__(self, name: str, args: VectorDatabaseArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("pgai:database:VectorDatabase", name, {}, opts)
        self._name, self._args, self._settings = name, args, args.settings
        self._last: list[pulumi.Resource] = list(args.ready)
        self._access: dict[str, Any] = {"connection": dict(args.connection), "password": args.password}
        self._extensions: dict[str, pulumi.Output[str]] = {}
        self._jobs: list[pulumi.Resource] = []
        for extension in self._settings.enabled_extensions:
            self._extension(extension)
        if args.ai is not None:
            self._azure_ai(args.ai)
            self._sql("vectorize")
            self._sql("search")
        if self._settings.sample:
            self._sql("sample")
        for column in sorted(self._settings.vector_columns):
            self._vector_column(column)
        statistics = SourceStatistics(f"{name}-statistics", SourceStatisticsArgs(**self._access), self._next())
        self._last = [statistics]
        self.exports = {
            "extensions": self._extensions,
            "unavailable": dict(self._settings.unavailable),
            "jobs": {job: self._job(job, statistics) for job in sorted(self._settings.jobs)},
        }
        if self._settings.graphs:
            self.exports["graphs"] = {name: self._graph(name) for name in sorted(self._settings.graphs)}
        if self._settings.workers.schedule is not None:
            self._schedule(self._settings.workers.schedule.parallel)
        self.ready = self._jobs or self._last
        self.register_outputs(self.exports)

    def _next(self, *, keep: bool = False) -> pulumi.ResourceOptions:
        """Return the options of the next step: after the one before, and gone when the server goes.

        Args:
            keep: whether the step holds data, which stays in the database when it leaves the program.
        """
        return pulumi.ResourceOptions(
            parent=self,
            depends_on=self._last,
            deleted_with=self._args.deleted_with,
            retain_on_delete=keep and self._settings.retain_data,
        )

    def _extension(self, extension: str) -> None:
        access = dict(self._access)
        if extension == "pg_cron":
            access["connection"] = {**self._args.connection, "database": self._settings.cron_database}
        created = Extension(
            f"{self._name}-extension-{extension}",
            ExtensionArgs(**access, extension=extension, drop_on_delete=True),
            self._next(),
        )
        self._extensions[extension] = created.installed_version
        self._last = [created]

    def _azure_ai(self, ai: AiAccounts) -> None:
        """Give azure_ai its endpoints, and prove them with one small embedding where a deployment makes vectors."""
        embedding = [name for name, deployment in sorted(self._settings.deployments.items()) if deployment.facts.embeds]
        first = embedding[0] if embedding else None
        options = pulumi.ResourceOptions.merge(self._next(), pulumi.ResourceOptions(depends_on=ai.ready))
        self._last = [
            AzureAiSettings(
                f"{self._name}-azure-ai",
                AzureAiSettingsArgs(
                    **self._access,
                    openai_endpoint=ai.openai_endpoint,
                    openai_key=ai.openai_key,
                    language_endpoint=ai.language_endpoint,
                    language_key=ai.language_key,
                    authentication=self._settings.ai.authentication,
                    verify_deployment=first,
                    verify_dimensions=self._settings.deployments[first].facts.dimensions if first else None,
                ),
                options,
            )
        ]

    def _sql(self, folder: str) -> None:
        self._last = [
            SqlMigration(
                f"{self._name}-sql-{folder}",
                SqlMigrationArgs.for_folder(folder, **self._access),
                self._next(keep=True),
            )
        ]

    def _vector_column(self, name: str) -> None:
        wanted = self._settings.vector_columns[name]
        self._last = [
            VectorSchema(
                f"{self._name}-column-{name}",
                VectorSchemaArgs(
                    **self._access,
                    table=wanted.table,
                    column=wanted.column,
                    type=wanted.type,
                    dimensions=wanted.dimensions,
                    drop_on_delete=not self._settings.retain_data,
                ),
                self._next(keep=True),
            )
        ]

    def _job(self, name: str, statistics: SourceStatistics) -> pulumi.Output[dict[str, Any]]:
        wanted = self._settings.jobs[name]
        quota = quota_of(wanted, self._settings)

        recorded = pulumi.Output.all(statistics.tables, statistics.as_of)
        job = VectorizationJob(
            f"{self._name}-job-{name}",
            VectorizationJobArgs(
                **self._access,
                deployment=quota.to_props(),
                job=job_spec(name, wanted, quota).to_json(),
                engine=migrations.digest("vectorize"),
                workers=wanted.workers,
                timeout_seconds=wanted.timeout_seconds,
                revision=wanted.revision,
                remove_on_delete=not self._settings.retain_data,
                estimate=recorded.apply(lambda known: _props(estimate(wanted, quota, *_recorded(known)))),
            ),
            self._next(),
        )
        self._jobs.append(job)
        if pulumi.runtime.is_dry_run():
            pulumi.Output.all(statistics.tables, statistics.as_of, job.status).apply(
                lambda known: self._say(name, job, known), run_with_unknowns=True
            )
        return job.status.apply(lambda status: {"table": wanted.table, **(status or {})})

    def _say(self, name: str, job: VectorizationJob, known: Any) -> None:
        """Say beside a job what is known of its table; `known` are tables, time and status as far as they are."""
        wanted = self._settings.jobs[name]
        tables, as_of = _recorded(known)
        made = migrations.tables_of("sample") if self._settings.sample else frozenset()
        if absent := absence(name, wanted, tables, as_of, made):
            pulumi.log.warn(absent, resource=job)
            return
        status = known[2] if isinstance(known, list) else None
        done = int(status.get("embedded") or 0) if isinstance(status, Mapping) else 0
        found = estimate(wanted, quota_of(wanted, self._settings), tables, as_of)
        pulumi.log.info(sentence(found, wanted, done=done), resource=job)

    def _graph(self, name: str) -> pulumi.Output[dict[str, Any]]:
        """Declare and load a graph, beside the jobs: nothing of it is called, and it draws on no quota."""
        wanted = self._settings.graphs[name]
        graph = Graph(
            f"{self._name}-graph-{name}",
            GraphArgs(
                **self._access,
                graph=wanted.plain(name),
                engine=migrations.digest("vectorize"),
                workers=wanted.workers,
                timeout_seconds=wanted.timeout_seconds,
                revision=wanted.revision,
                remove_on_delete=not self._settings.retain_data,
            ),
            self._next(),
        )
        self._jobs.append(graph)
        return graph.labels

    def _schedule(self, parallel: int) -> None:
        """Let pg_cron run workers, once the jobs are there and their backfills are over."""
        self._last = self._jobs or self._last
        self._last = [
            WorkerSchedule(
                f"{self._name}-workers",
                WorkerScheduleArgs(**self._access, parallel=parallel, cron_database=self._settings.cron_database),
                self._next(),
            )
        ]


def _recorded(known: Any) -> tuple[Mapping[str, Any] | None, str | None]:
    """Return tables and time as far as they are known: a preview of a new stack knows neither."""
    tables, as_of = known[:2] if isinstance(known, list) else (None, None)
    return (tables if isinstance(tables, Mapping) else None), (as_of if isinstance(as_of, str) else None)


def _props(found: BackfillEstimate | None) -> dict[str, Any] | None:
    return found.to_props() if found else None


def job_spec(name: str, job: JobSettings, quota: JobQuota) -> JobSpec:
    """Return the job as the engine takes it."""
    return JobSpec(
        name=name,
        table=job.table,
        template=job.template,
        deployment=quota.name,
        key=job.key,
        operation=job.operation.kind,
        arguments=job.operation.arguments,
        target=job.target_kind,
        column=job.column,
        type=job.value_type,
        dimensions=job.dimensions or quota.dimensions or 0,
        distance=job.distance,
        index=job.index.kind,
        index_options=dict(job.index.options),
        index_coverage=job.index.coverage,
        batch_size=job.texts_in_request,
        chunking=({"max_tokens": job.chunking.max_tokens, "overlap": job.chunking.overlap} if job.chunking else None),
        full_text={"language": job.full_text.language} if job.full_text else None,
    )
