"""Settings of monitoring: where logs and metrics go, who is told, what threatens the server."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from components.section import Listed, Section, matching

Email = Annotated[str, AfterValidator(matching(r"[^@\s]{1,64}@[^@\s]+\.[^@\s.]{2,}", "an e-mail address"))]
WorkspaceId = Annotated[
    str,
    AfterValidator(
        matching(
            r"(?i)/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft\.OperationalInsights/workspaces/[^/]+",
            "the id of a Log Analytics workspace (`az monitor log-analytics workspace show --query id`)",
        )
    ),
]


class MonitoringSettings(Section):
    """Logs and metrics of the server and the AI accounts, alerts on them, and a workbook."""

    enabled: bool = Field(default=False, description="Whether logs and metrics are collected; Azure bills them.")
    workspace_id: WorkspaceId | None = Field(
        default=None, description="A Log Analytics workspace that is there; one is created when left out."
    )
    retention_days: int = Field(
        default=30, ge=30, le=730, description="Days that a created workspace keeps what it has: 30 to 730."
    )
    alerts: bool = Field(default=True, description="Whether alerts are created; docs/monitoring.md lists them.")
    emails: Listed[Email] = Field(default=(), description="Addresses that an alert is sent to.")
    latency_ms: int = Field(
        default=10_000, ge=1, description="From which average on, in ms, the answers of an AI account count as slow."
    )
    workbook: bool = Field(
        default=True, description="Whether a workbook shows progress, quota and failures of the vectorization."
    )
    threat_protection: bool = Field(
        default=False,
        description="Whether Microsoft Defender watches the server for attacks; billed, and not part of `enabled`.",
    )
