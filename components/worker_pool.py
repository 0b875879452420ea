"""WorkerPool: a Container Apps job that runs the worker of the Dockerfile, from no execution to as many as are wanted.

Its identity may pull the image and sign in to the database as a member of `vectorize_worker`, and nothing else. What
starts an execution is a setting:

- schedule: the clock. Each execution ends when nothing is left to do, or after as long as `maxExecutions` of them may
  overlap; so backlog makes their number grow, and without work each lasts seconds. No password exists anywhere.
- queue: KEDA's scaler for PostgreSQL asks `vectorize.wanted_workers`. KEDA itself can sign in with a workload identity
  (kedacore/keda #5823), but Container Apps cannot lead one to it: `identity` on a rule of this type makes the platform
  drop the rule's metadata (microsoft/azure-container-apps #1786, #1554; open in 2026). What is left is a password: of a
  login that may call this one function, generated, kept as a secret of the job.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pulumi
import pulumi_random as random
from pulumi_azure_native import app, authorization, managedidentity, monitor

from components.computed import computed, group_and_name
from components.dynamic.database_principal import DatabasePrincipal, DatabasePrincipalArgs
from components.naming import Names
from components.role_assignment import role_assignment
from components.worker_settings import PoolSettings

WORKER_ROLE = "vectorize_worker"
WANTED_WORKERS = "vectorize.wanted_workers(integer,integer)"
ACR_PULL = "7f951dda-4ed3-4680-a7ca-43fe172d538d"
LOGS = ("ContainerAppConsoleLogs", "ContainerAppSystemLogs")
_PASSWORD_SECRET = "scaler-password"  # noqa: S105 - the name of the secret
_QUEUE_SECONDS = 3600  # then an execution makes room for another, with a new token and, after an upgrade, a new image
_SPARE_SECONDS = 30  # of the clock's period, in which an execution winds down before the next one starts
_GRACE_SECONDS = 120  # for starting, and for the batches that are under way at the end


@dataclass(frozen=True, kw_only=True)
class WorkerPoolArgs:
    """What a worker pool is made of.

    Attributes:
        resource_group_name: resource group of the job.
        location: Azure region.
        names: physical names.
        settings: image, size, what starts executions, where they run.
        connection: where the database is; an administrator's, with which the identity is registered.
        password: password of that administrator (a secret), or None with Entra.
        deleted_with: the server; when it goes, its roles go. None where it stays.
        ready: what has to be there before a worker runs.
        subnet_id: the subnet that the stack's own network keeps for workers, or None.
        workspace_id: Log Analytics workspace of the executions' logs, or None.
        tags: tags of what takes them.
    """

    resource_group_name: pulumi.Input[str]
    location: pulumi.Input[str]
    names: Names
    settings: PoolSettings
    connection: Mapping[str, pulumi.Input[str]]
    password: pulumi.Input[str] | None
    deleted_with: pulumi.Resource | None
    ready: Sequence[pulumi.Resource]
    subnet_id: pulumi.Input[str] | None = None
    workspace_id: pulumi.Input[str] | None = None
    tags: Mapping[str, str] = field(default_factory=dict)


class WorkerPool(pulumi.ComponentResource):
    """An identity, its right in the database, an environment unless there is one, and the job.

    Attributes:
        exports: the job's id and the name of its identity.
    """

    exports: dict[str, Any]

    def __init__(self, name: str, args: WorkerPoolArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("pgai:workers:WorkerPool", name, {}, opts)
        self._name, self._args, self._settings = name, args, args.settings
        self._identity = managedidentity.UserAssignedIdentity(
            f"{name}-identity",
            resource_group_name=args.resource_group_name,
            resource_name_=args.names.worker_identity,
            location=args.location,
            tags=dict(args.tags),
            opts=self._child(),
        )
        self._needs: list[pulumi.Resource] = [self._worker_principal()]
        if self._settings.registry_id is not None:
            self._needs.append(self._right_to_pull(self._settings.registry_id))
        scaler_password = self._scaler() if self._settings.trigger == "queue" else None
        environment_id = self._settings.environment_id or self._environment().id
        job = self._job(environment_id, scaler_password)
        self.exports = {"workerJobId": job.id, "workerIdentity": args.names.worker_identity}
        self.register_outputs(self.exports)

    def _child(self, *depends_on: pulumi.Resource) -> pulumi.ResourceOptions:
        return pulumi.ResourceOptions(parent=self, depends_on=depends_on)

    def _in_database(self) -> pulumi.ResourceOptions:
        return pulumi.ResourceOptions(parent=self, depends_on=self._args.ready, deleted_with=self._args.deleted_with)

    def _worker_principal(self) -> DatabasePrincipal:
        return DatabasePrincipal(
            f"{self._name}-principal",
            DatabasePrincipalArgs(
                connection=dict(self._args.connection),
                password=self._args.password,
                principal=self._args.names.worker_identity,
                object_id=computed(self._identity, self._identity.principal_id, None, _principal_id),
                roles=[WORKER_ROLE],
            ),
            self._in_database(),
        )

    def _right_to_pull(self, registry_id: str) -> authorization.RoleAssignment:
        principal = computed(self._identity, self._identity.principal_id, None, _principal_id)
        return role_assignment(f"{self._name}-pull", registry_id, principal, ACR_PULL, self._child())

    def _scaler(self) -> pulumi.Output[str]:
        """Let the scaler ask its one question, and return its password."""
        password = random.RandomPassword(f"{self._name}-scaler-password", length=32, special=False, opts=self._child())
        self._needs.append(
            DatabasePrincipal(
                f"{self._name}-scaler",
                DatabasePrincipalArgs(
                    connection=dict(self._args.connection),
                    password=self._args.password,
                    principal=self._args.names.scaler_login,
                    login_password=password.result,
                    functions=[WANTED_WORKERS],
                ),
                self._in_database(),
            )
        )
        return pulumi.Output.secret(password.result)

    def _environment(self) -> app.ManagedEnvironment:
        subnet_id = self._settings.subnet_id or self._args.subnet_id
        environment = app.ManagedEnvironment(
            f"{self._name}-environment",
            resource_group_name=self._args.resource_group_name,
            environment_name="workers",
            location=self._args.location,
            # With profiles, the environment takes a delegated subnet, and one of /27 is enough.
            workload_profiles=[app.WorkloadProfileArgs(name="Consumption", workload_profile_type="Consumption")],
            vnet_configuration=(
                app.VnetConfigurationArgs(infrastructure_subnet_id=subnet_id, internal=True)
                if subnet_id is not None
                else None
            ),
            # By a diagnostic setting, for which no key of the workspace is needed.
            app_logs_configuration=(
                app.AppLogsConfigurationArgs(destination="azure-monitor") if self._args.workspace_id else None
            ),
            tags=dict(self._args.tags),
            opts=self._child(),
        )
        if self._args.workspace_id is not None:
            monitor.DiagnosticSetting(
                f"{self._name}-logs",
                name="postgres-genai",
                resource_uri=environment.id,
                workspace_id=self._args.workspace_id,
                logs=[monitor.DiagnosticsLogSettingsArgs(category=category, enabled=True) for category in LOGS],
                opts=self._child(),
            )
        return environment

    def _job(self, environment_id: pulumi.Input[str], scaler_password: pulumi.Output[str] | None) -> app.Job:
        seconds = execution_seconds(self._settings)
        return app.Job(
            f"{self._name}-job",
            resource_group_name=self._args.resource_group_name,
            job_name="workers",
            location=self._args.location,
            environment_id=environment_id,
            workload_profile_name="Consumption" if self._settings.environment_id is None else None,
            identity=app.ManagedServiceIdentityArgs(type="UserAssigned", user_assigned_identities=[self._identity.id]),
            configuration=app.JobConfigurationArgs(
                trigger_type="Schedule" if scaler_password is None else "Event",
                schedule_trigger_config=_clock(self._settings) if scaler_password is None else None,
                event_trigger_config=None if scaler_password is None else self._scale(),
                secrets=(
                    None if scaler_password is None else [app.SecretArgs(name=_PASSWORD_SECRET, value=scaler_password)]
                ),
                registries=(
                    [
                        app.RegistryCredentialsArgs(
                            server=self._settings.image.partition("/")[0], identity=self._identity.id
                        )
                    ]
                    if self._settings.registry_id
                    else None
                ),
                replica_timeout=seconds + _GRACE_SECONDS,
                replica_retry_limit=0,  # the next execution goes on where this one ended
            ),
            template=app.JobTemplateArgs(containers=[self._container(seconds)]),
            tags=dict(self._args.tags),
            opts=self._child(*self._needs),
        )

    def _container(self, seconds: int) -> app.ContainerArgs:
        connection = self._args.connection
        variables: dict[str, pulumi.Input[str]] = {
            "PGHOST": connection["host"],
            "PGDATABASE": connection["database"],
            "PGUSER": self._args.names.worker_identity,
            "WORKER_ENTRA": "true",
            "WORKER_TOKEN_SCOPE": connection["tokenScope"],
            # Which of the job's identities DefaultAzureCredential takes.
            "AZURE_CLIENT_ID": computed(self._identity, self._identity.client_id, None, _client_id),
        }
        return app.ContainerArgs(
            name="worker",
            image=self._settings.image,
            args=[
                "--until-done",
                "--json",
                f"--connections={self._settings.connections}",
                f"--seconds={seconds}",
            ],
            env=[app.EnvironmentVarArgs(name=name, value=value) for name, value in variables.items()],
            resources=app.ContainerResourcesArgs(cpu=self._settings.cpu, memory=f"{2 * self._settings.cpu:g}Gi"),
        )

    def _scale(self) -> app.JobConfigurationEventTriggerConfigArgs:
        """Return KEDA's rule (keda.sh, "PostgreSQL"; the metadata are texts)."""
        connection, settings = self._args.connection, self._settings
        return app.JobConfigurationEventTriggerConfigArgs(
            parallelism=1,
            replica_completion_count=1,
            scale=app.JobScaleArgs(
                min_executions=0,
                max_executions=settings.max_executions,
                polling_interval=settings.polling_seconds,
                rules=[
                    app.JobScaleRuleArgs(
                        name="waiting-rows",
                        type="postgresql",
                        metadata={
                            "host": connection["host"],
                            "port": "5432",
                            "dbName": connection["database"],
                            "userName": self._args.names.scaler_login,
                            "sslmode": "verify-full",
                            "query": f"SELECT vectorize.wanted_workers({settings.rows_per_execution},"
                            f" {settings.connections})",
                            "targetQueryValue": "1",
                        },
                        auth=[app.ScaleRuleAuthArgs(secret_ref=_PASSWORD_SECRET, trigger_parameter="password")],
                    )
                ],
            ),
        )


def execution_seconds(settings: PoolSettings) -> int:
    """Return how long an execution may last: by the clock, so long that no more than `maxExecutions` overlap."""
    if settings.trigger == "queue":
        return _QUEUE_SECONDS
    return settings.every_minutes * 60 * settings.max_executions - _SPARE_SECONDS


def _clock(settings: PoolSettings) -> app.JobConfigurationScheduleTriggerConfigArgs:
    every = "*" if settings.every_minutes == 1 else f"*/{settings.every_minutes}"
    return app.JobConfigurationScheduleTriggerConfigArgs(
        cron_expression=f"{every} * * * *", parallelism=1, replica_completion_count=1
    )


def _principal_id(identity_id: str) -> str:
    return str(_identity(identity_id).principal_id)


def _client_id(identity_id: str) -> str:
    return str(_identity(identity_id).client_id)


def _identity(identity_id: str) -> Any:
    group, identity = group_and_name(identity_id)
    return managedidentity.get_user_assigned_identity(resource_group_name=group, resource_name=identity)
