"""Settings of the workers that embed when `pulumi up` does not run."""

from __future__ import annotations

from pydantic import Field

from components.section import Section


class ScheduleSettings(Section):
    """Workers that pg_cron runs inside the server."""

    parallel: int = Field(
        default=4, ge=1, le=16, description="Workers at the same time; each is one job of pg_cron and one connection."
    )


class WorkerSettings(Section):
    """Workers that embed when `pulumi up` does not run."""

    schedule: ScheduleSettings | None = Field(
        default=None, description="Workers that pg_cron runs inside the server: {parallel}; none when left out."
    )
