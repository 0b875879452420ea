"""Settings of the workers that embed when `pulumi up` does not run."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from components.section import Section, matching, one_of

_GROUP = r"(?i)/subscriptions/[^/]+/resourceGroups/[^/]+/providers"

Image = Annotated[
    str,
    AfterValidator(
        matching(
            r"[a-z0-9.-]+\.[a-z0-9-]+(:[0-9]+)?(/[a-z0-9._-]+)+(:[\w.-]{1,128}|@sha256:[0-9a-f]{64})",
            "an image with its registry and its tag or digest, such as registry.example.com/postgres-genai-worker:1.0",
        )
    ),
]
RegistryId = Annotated[
    str,
    AfterValidator(
        matching(
            rf"{_GROUP}/Microsoft\.ContainerRegistry/registries/[^/]+",
            "the id of an Azure Container Registry (`az acr show --query id`)",
        )
    ),
]
EnvironmentId = Annotated[
    str,
    AfterValidator(
        matching(
            rf"{_GROUP}/Microsoft\.App/managedEnvironments/[^/]+",
            "the id of a Container Apps environment (`az containerapp env show --query id`)",
        )
    ),
]
SubnetId = Annotated[
    str,
    AfterValidator(
        matching(
            rf"{_GROUP}/Microsoft\.Network/virtualNetworks/[^/]+/subnets/[^/]+",
            "the id of a subnet (`az network vnet subnet show --query id`)",
        )
    ),
]


class ScheduleSettings(Section):
    """Workers that pg_cron runs inside the server."""

    parallel: int = Field(
        default=4, ge=1, le=16, description="Workers at the same time; each is one job of pg_cron and one connection."
    )


class PoolSettings(Section):
    """Workers in containers: a job of Container Apps, from no execution to as many as there is something to do for."""

    image: Image = Field(description="Image of the worker, built from the Dockerfile and pushed to a registry.")
    registry_id: RegistryId | None = Field(
        default=None, description="The Azure Container Registry that has it; left out, anybody can pull it."
    )
    trigger: Annotated[str, AfterValidator(one_of("schedule", "queue"))] = Field(
        default="schedule",
        description="What starts executions: schedule, the clock; or queue, a scaler that asks the database, for which"
        " Container Apps needs a password.",
    )
    every_minutes: int = Field(
        default=5, ge=1, le=30, description="With schedule: minutes between two executions' starts; 1 to 30."
    )
    polling_seconds: int = Field(
        default=30, ge=10, le=3600, description="With queue: seconds between two looks at the queue; 10 to 3600."
    )
    rows_per_execution: int = Field(
        default=10_000, ge=1, description="With queue: for how many waiting rows one more execution is started."
    )
    max_executions: int = Field(default=3, ge=1, le=100, description="Executions at the same time, at most; 1 to 100.")
    connections: int = Field(
        default=4, ge=1, le=64, description="Connections of an execution that embed; two more look and maintain."
    )
    cpu: float = Field(
        default=0.25,
        ge=0.25,
        le=4,
        multiple_of=0.25,
        description="Cores of an execution: 0.25 to 4 in steps of 0.25. It has 2 GiB of memory for each.",
    )
    environment_id: EnvironmentId | None = Field(
        default=None, description="A Container Apps environment that is there; one is created when left out."
    )
    subnet_id: SubnetId | None = Field(
        default=None,
        description="Subnet of the created environment, from which the server is reached; delegated to"
        " Microsoft.App/environments, /27 or larger. Left out, the stack's own network has one, where there is such.",
    )


class WorkerSettings(Section):
    """Workers that embed when `pulumi up` does not run."""

    schedule: ScheduleSettings | None = Field(
        default=None, description="Workers that pg_cron runs inside the server: {parallel}; none when left out."
    )
    pool: PoolSettings | None = Field(
        default=None,
        description="Workers in a Container Apps job: {image, trigger, maxExecutions, cpu, ...}; none when left out.",
    )
