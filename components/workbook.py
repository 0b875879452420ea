"""The workbook that shows how far the vectorization is, what of the quota it uses, and what failed.

The numbers come from one line a minute that workers write into PostgreSQL's log (sql/vectorize/report.sql), which
the server's diagnostic setting brings to the workspace. A workbook is JSON of an open format (microsoft/Application-
Insights-Workbooks, schema/workbook.json); it is put together here from parts.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

_SCHEMA = "https://github.com/Microsoft/Application-Insights-Workbooks/blob/master/schema/workbook.json"
_LOGS = "microsoft.operationalinsights/workspaces"
_SERVERS = "microsoft.dbforpostgresql/flexibleservers"
_ACCOUNTS = "microsoft.cognitiveservices/accounts"
_TIME = "TimeRange"
_HOUR_MS = 3_600_000
_LINE_CHART = 2
_AVERAGE, _TOTAL = 4, 1


@dataclass(frozen=True, kw_only=True)
class WorkbookFacts:
    """What the workbook is about: ids of the workspace, the server and the AI accounts, and the server's name."""

    workspace_id: str
    server_id: str
    account_ids: Sequence[str]

    @property
    def server_name(self) -> str:
        """Return the server's name, as the logs have it."""
        return self.server_id.rpartition("/")[2]


def reports(server_name: str) -> str:
    """Return the query (KQL) for the lines of one server: when, and each line as JSON.

    The table and its columns: azure-databases-docs, "Configure and access logs" (2026-07).
    """
    return (
        "PGSQLServerLogs\n"
        f'| where LogicalServerName == "{server_name}" and Message has "vectorize: "\n'
        "| extend report = parse_json(extract(@'vectorize: (\\{.*\\})', 1, Message))\n"
        "| where isnotempty(report)\n"
        "| project TimeGenerated, report"
    )


def jobs(server_name: str) -> str:
    """Return the query for one row a line and job."""
    numbers = ("rows", "embedded", "pending", "leased", "quarantined", "tokens", "oldestSeconds")
    columns = ", ".join(f"{name} = tolong(one.{name})" for name in numbers)
    return (
        f"{reports(server_name)}\n"
        "| mv-expand one = report.jobs\n"
        f"| project TimeGenerated, job = tostring(one.job), state = tostring(one.state), {columns},\n"
        "    rowsPerSecond = todouble(one.rowsPerSecond), costUsd = todouble(one.costUsd),\n"
        "    index = tostring(one.index), reason = tostring(one.reason)"
    )


def quota(server_name: str) -> str:
    """Return the query for one row a line and deployment: how many percent of the quota were used."""
    return (
        f"{reports(server_name)}\n"
        "| mv-expand one = report.quota\n"
        "| project TimeGenerated, deployment = tostring(one.deployment),\n"
        "    tokens = 100.0 * todouble(one.tokensLastMinute) / todouble(one.tokensPerMinute),\n"
        "    requests = 100.0 * todouble(one.requestsLastMinute) / todouble(one.requestsPerMinute)"
    )


def workbook(facts: WorkbookFacts) -> str:
    """Return the workbook as JSON; the same for the same facts."""
    server = facts.server_name
    items = [
        _text("# Vectorization", "title"),
        _time_range(),
        _text("## Progress", "progress"),
        _query(
            facts,
            "Jobs, as of the last line",
            f"{jobs(server)}\n| summarize arg_max(TimeGenerated, *) by job\n"
            "| extend done = iff(rows > 0, round(100.0 * embedded / rows, 1), 100.0)\n"
            "| project job, state, done, rows, embedded, pending, leased, quarantined, rowsPerSecond, oldestSeconds,\n"
            "    index, tokens, costUsd, asOf = TimeGenerated",
            "table",
        ),
        _query(facts, "Rows that wait", f"{jobs(server)}\n| project TimeGenerated, job, pending", "timechart"),
        _query(facts, "Rows a second", f"{jobs(server)}\n| project TimeGenerated, job, rowsPerSecond", "timechart"),
        _text("## Quota", "quota"),
        _query(
            facts,
            "Tokens of the last minute, % of the quota",
            f"{quota(server)}\n| project TimeGenerated, deployment, tokens",
            "timechart",
        ),
        _query(
            facts,
            "Requests of the last minute, % of the quota",
            f"{quota(server)}\n| project TimeGenerated, deployment, requests",
            "timechart",
        ),
        _metrics("Calls refused for quota (429)", _ACCOUNTS, facts.account_ids, ["BlockedCalls"], _TOTAL),
        _text("## Failures", "failures"),
        _query(facts, "Rows in quarantine", f"{jobs(server)}\n| project TimeGenerated, job, quarantined", "timechart"),
        _query(
            facts,
            "Jobs that stopped",
            f'{jobs(server)}\n| where state == "stopped"\n| summarize since = min(TimeGenerated) by job, reason',
            "table",
        ),
        _metrics("Calls that failed", _ACCOUNTS, facts.account_ids, ["TotalErrors", "ServerErrors"], _TOTAL),
        _text("## Server", "server"),
        _metrics(
            "CPU, memory and storage, %",
            _SERVERS,
            [facts.server_id],
            ["cpu_percent", "memory_percent", "storage_percent"],
            _AVERAGE,
        ),
        _metrics("Connections", _SERVERS, [facts.server_id], ["active_connections"], _AVERAGE),
    ]
    book = {
        "version": "Notebook/1.0",
        "items": [item for item in items if item is not None],
        "fallbackResourceIds": [facts.workspace_id],
        "$schema": _SCHEMA,
    }
    return json.dumps(book, sort_keys=True)


def _text(markdown: str, name: str) -> dict[str, Any]:
    return {"type": 1, "content": {"json": markdown}, "name": name}


def _time_range() -> dict[str, Any]:
    parameter = {
        "id": "5b0a4f0e-1a3b-4a77-9d43-6f6c0f6f8a01",
        "version": "KqlParameterItem/1.0",
        "name": _TIME,
        "label": "Time range",
        "type": 4,
        "isRequired": True,
        "value": {"durationMs": 24 * _HOUR_MS},
        "typeSettings": {
            "selectableValues": [{"durationMs": hours * _HOUR_MS} for hours in (1, 6, 24, 72, 168, 720)],
            "allowCustom": True,
        },
    }
    content = {"version": "KqlParameterItem/1.0", "parameters": [parameter], "style": "pills", "queryType": 0}
    return {"type": 9, "content": {**content, "resourceType": _LOGS}, "name": "parameters"}


def _query(facts: WorkbookFacts, title: str, query: str, visualization: str) -> dict[str, Any]:
    return {
        "type": 3,
        "content": {
            "version": "KqlItem/1.0",
            "query": query,
            "size": 0,
            "title": title,
            "timeContextFromParameter": _TIME,
            "queryType": 0,
            "resourceType": _LOGS,
            "crossComponentResources": [facts.workspace_id],
            "visualization": visualization,
        },
        "name": title,
    }


def _metrics(
    title: str, resource_type: str, resource_ids: Sequence[str], metrics: Sequence[str], aggregation: int
) -> dict[str, Any] | None:
    """Return a chart of metrics; None where there is nothing to chart."""
    if not resource_ids:
        return None
    shown = [
        {"namespace": resource_type, "metric": f"{resource_type}--{metric}", "aggregation": aggregation}
        for metric in metrics
    ]
    content = {
        "version": "MetricsItem/2.0",
        "chartId": re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-"),
        "size": 0,
        "title": title,
        "chartType": _LINE_CHART,
        "resourceType": resource_type,
        "metricScope": 0,
        "resourceIds": list(resource_ids),
        "timeContextFromParameter": _TIME,
        "metrics": shown,
    }
    return {"type": 10, "content": content, "name": title}
