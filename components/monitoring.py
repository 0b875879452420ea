"""Monitoring: logs and metrics of servers and AI accounts in one workspace, alerts on them, a workbook.

Metric alerts are those of components/catalogue/alerts.py, scaled from the server's size and the deployments' quota. Two
more read the line that workers write into PostgreSQL's log every minute: a job stopped, and work waits though nobody
works on it.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import pulumi
from pulumi_azure_native import applicationinsights, monitor, operationalinsights

from components import workbook as book
from components.catalogue import alerts
from components.monitoring_settings import MonitoringSettings

# azure-docs, "Supported resource log categories": what each service has. The texts of statements
# (PostgreSQLQueryStoreSqlText) are left out, for they may hold data.
SERVER_LOGS = (
    "PostgreSQLLogs",
    "PostgreSQLFlexSessions",
    "PostgreSQLFlexQueryStoreRuntime",
    "PostgreSQLFlexQueryStoreWaitStats",
    "PostgreSQLFlexTableStats",
    "PostgreSQLFlexDatabaseXacts",
)
ACCOUNT_LOGS = ("Audit", "RequestResponse", "Trace", "AzureOpenAIRequestUsage")
_LANGUAGE_LOGS = ("Audit", "RequestResponse", "Trace")
_SHORT_NAME = "pgai"  # at most 12 characters; e-mails and messages begin with it


@dataclass(frozen=True, kw_only=True)
class Watched:
    """One resource to watch.

    Attributes:
        name: last part of the names of what is made for it.
        resource_id: its ARM id.
        logs: categories of its logs; none where its owner sends them somewhere.
        namespace: namespace of its metrics.
        alerts: alerts on its metrics.
        tables: "Dedicated" where its logs have tables of their own, None where they share AzureDiagnostics.
    """

    name: str
    resource_id: pulumi.Input[str]
    logs: Sequence[str]
    namespace: str
    alerts: Sequence[alerts.Alert]
    tables: str | None = None


def watched_server(
    resource_id: pulumi.Input[str],
    sku_name: str,
    storage_gb: int,
    *,
    tier: str | None = None,
    iops: int | None = None,
    connections: int | None = None,
) -> Watched:
    """Return the server as something to watch; the arguments are those of `alerts.server_alerts`."""
    return Watched(
        name="server",
        resource_id=resource_id,
        logs=SERVER_LOGS,
        namespace=alerts.SERVER_NAMESPACE,
        alerts=alerts.server_alerts(sku_name, storage_gb, tier=tier, iops=iops, connections=connections),
        tables="Dedicated",
    )


def watched_replica(
    name: str, resource_id: pulumi.Input[str], sku_name: str, storage_gb: int, *, connections: int | None = None
) -> Watched:
    """Return a read replica as something to watch: a server of its size that may also be behind."""
    as_server = watched_server(resource_id, sku_name, storage_gb, connections=connections)
    return replace(as_server, name=f"replica-{name}", alerts=(*as_server.alerts, alerts.REPLICA_LAG))


def watched_server_of_others(resource_id: pulumi.Input[str]) -> Watched:
    """Return a server that was there: its owner sends its logs and knows its size; what jobs log is watched."""
    return Watched(name="server", resource_id=resource_id, logs=(), namespace=alerts.SERVER_NAMESPACE, alerts=())


def watched_account(
    name: str,
    resource_id: pulumi.Input[str],
    *,
    requests_per_minute: int,
    latency_ms: int,
    deploys: bool,
    of_others: bool = False,
) -> Watched:
    """Return an AI account as something to watch.

    Args:
        name: what it is.
        resource_id: its ARM id.
        requests_per_minute: what the quota of its deployments allows.
        latency_ms: from which average on an answer counts as slow.
        deploys: whether it has model deployments, and so logs of their use.
        of_others: whether it was there, and its owner sends its logs.
    """
    own_logs = ACCOUNT_LOGS if deploys else _LANGUAGE_LOGS
    return Watched(
        name=name,
        resource_id=resource_id,
        logs=() if of_others else own_logs,
        namespace=alerts.ACCOUNT_NAMESPACE,
        alerts=alerts.account_alerts(requests_per_minute, latency_ms),
    )


@dataclass(frozen=True, kw_only=True)
class MonitoringArgs:
    """What monitoring is made of.

    Attributes:
        resource_group_name: resource group of what is made here.
        location: Azure region.
        settings: workspace, addresses, what is wanted.
        workspace_name: name of the workspace, where one is created.
        server: the server.
        replicas: its read replicas.
        accounts: the AI accounts.
        tags: tags of what takes them.
    """

    resource_group_name: pulumi.Input[str]
    location: pulumi.Input[str]
    settings: MonitoringSettings
    workspace_name: pulumi.Input[str]
    server: Watched
    replicas: Sequence[Watched] = ()
    accounts: Sequence[Watched] = ()
    tags: Mapping[str, str] = field(default_factory=dict)


class Monitoring(pulumi.ComponentResource):
    """A workspace, diagnostic settings, alerts and a workbook; threat protection is another resource.

    Attributes:
        workspace_id: ARM id of the workspace.
        exports: what the stack says about it.
    """

    workspace_id: pulumi.Output[str]
    exports: dict[str, pulumi.Output[str]]

    def __init__(self, name: str, args: MonitoringArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("pgai:monitoring:Monitoring", name, {}, opts)
        self._name, self._args = name, args
        self.workspace_id = self._workspace()
        everything = (args.server, *args.replicas, *args.accounts)
        for watched in everything:
            if watched.logs:
                self._diagnostics(watched)
        if args.settings.alerts:
            group = self._action_group()
            for watched in everything:
                self._metric_alerts(watched, group)
            self._log_alerts(group)
        self.exports = {"workspaceId": self.workspace_id}
        if args.settings.workbook:
            self.exports["workbookId"] = self._workbook().id
        self.register_outputs(self.exports)

    def _child(self) -> pulumi.ResourceOptions:
        return pulumi.ResourceOptions(parent=self)

    def _workspace(self) -> pulumi.Output[str]:
        if self._args.settings.workspace_id is not None:
            return pulumi.Output.from_input(self._args.settings.workspace_id)
        workspace = operationalinsights.Workspace(
            f"{self._name}-workspace",
            resource_group_name=self._args.resource_group_name,
            workspace_name=self._args.workspace_name,
            location=self._args.location,
            sku=operationalinsights.WorkspaceSkuArgs(name="PerGB2018"),
            retention_in_days=self._args.settings.retention_days,
            tags=dict(self._args.tags),
            opts=self._child(),
        )
        created: pulumi.Output[str] = workspace.id
        return created

    def _diagnostics(self, watched: Watched) -> None:
        # Not deleted with the resource: Azure keeps the setting, and gives it to the next resource of that name
        # (azure-docs, "Diagnostic settings in Azure Monitor").
        monitor.DiagnosticSetting(
            f"{self._name}-logs-{watched.name}",
            name="postgres-genai",
            resource_uri=watched.resource_id,
            workspace_id=self.workspace_id,
            log_analytics_destination_type=watched.tables,
            logs=[monitor.DiagnosticsLogSettingsArgs(category=category, enabled=True) for category in watched.logs],
            metrics=[monitor.DiagnosticsMetricSettingsArgs(category="AllMetrics", enabled=True)],
            opts=self._child(),
        )

    def _action_group(self) -> list[pulumi.Output[str]]:
        """Return the id of the group that alerts are sent to; none without an address."""
        if not self._args.settings.emails:
            return []
        group = monitor.ActionGroup(
            f"{self._name}-people",
            resource_group_name=self._args.resource_group_name,
            action_group_name="postgres-genai",
            group_short_name=_SHORT_NAME,
            location="Global",
            enabled=True,
            email_receivers=[
                monitor.MicrosoftCommonEmailReceiverArgs(
                    name=f"address-{position}", email_address=address, use_common_alert_schema=True
                )
                for position, address in enumerate(self._args.settings.emails, 1)
            ],
            tags=dict(self._args.tags),
            opts=self._child(),
        )
        return [group.id]

    def _metric_alerts(self, watched: Watched, groups: Sequence[pulumi.Output[str]]) -> None:
        for alert in watched.alerts:
            condition = monitor.MetricCriteriaArgs(
                name=alert.name,
                criterion_type="StaticThresholdCriterion",
                metric_namespace=watched.namespace,
                metric_name=alert.metric,
                operator="GreaterThan" if alert.above else "LessThan",
                threshold=alert.threshold,
                time_aggregation=alert.aggregation,
            )
            monitor.MetricAlert(
                f"{self._name}-{watched.name}-{alert.name}",
                resource_group_name=self._args.resource_group_name,
                rule_name=f"{watched.name}-{alert.name}",
                location="global",
                description=alert.meaning,
                severity=alert.severity,
                enabled=True,
                auto_mitigate=True,
                scopes=[watched.resource_id],
                window_size=alert.window,
                evaluation_frequency=alert.frequency,
                criteria=monitor.MetricAlertSingleResourceMultipleMetricCriteriaArgs(
                    odata_type="Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria", all_of=[condition]
                ),
                actions=[monitor.MetricAlertActionArgs(action_group_id=group) for group in groups],
                tags=dict(self._args.tags),
                opts=self._child(),
            )

    def _log_alerts(self, groups: Sequence[pulumi.Output[str]]) -> None:
        server = pulumi.Output.from_input(self._args.server.resource_id).apply(lambda known: known.rpartition("/")[2])
        rules = {
            "stopped": (
                "A vectorization job stopped; its reason says what to do, then CALL vectorize.resume.",
                "PT15M",
                server.apply(lambda known: f'{book.jobs(known)}\n| where state == "stopped"'),
            ),
            "idle": (
                "Rows wait, and no worker has said anything for 15 minutes.",
                "P1D",
                server.apply(
                    lambda known: (
                        f"{book.jobs(known)}\n| summarize arg_max(TimeGenerated, *) by job\n"
                        '| where state == "active" and pending > 0 and TimeGenerated < ago(15m)'
                    )
                ),
            ),
        }
        for rule, (meaning, window, query) in rules.items():
            monitor.ScheduledQueryRule(
                f"{self._name}-vectorize-{rule}",
                resource_group_name=self._args.resource_group_name,
                rule_name=f"vectorize-{rule}",
                location=self._args.location,
                description=meaning,
                severity=2,
                enabled=True,
                auto_mitigate=True,
                scopes=[self.workspace_id],
                # Until the first line has arrived, the table is not there.
                skip_query_validation=True,
                window_size=window,
                evaluation_frequency="PT15M",
                criteria=monitor.ScheduledQueryRuleCriteriaArgs(
                    all_of=[
                        monitor.ConditionArgs(
                            query=query, time_aggregation="Count", operator="GreaterThan", threshold=0
                        )
                    ]
                ),
                actions=monitor.ActionsArgs(action_groups=list(groups)),
                tags=dict(self._args.tags),
                opts=pulumi.ResourceOptions(
                    parent=self,
                    # Azure refuses to move a rule (pulumi-azure-native #4839).
                    replace_on_changes=["scopes"],
                    delete_before_replace=True,
                ),
            )

    def _workbook(self) -> applicationinsights.Workbook:
        accounts = pulumi.Output.all(*(account.resource_id for account in self._args.accounts))
        written = pulumi.Output.all(self.workspace_id, self._args.server.resource_id, accounts).apply(
            lambda known: book.workbook(
                book.WorkbookFacts(workspace_id=known[0], server_id=known[1], account_ids=known[2])
            )
        )
        return applicationinsights.Workbook(
            f"{self._name}-workbook",
            resource_group_name=self._args.resource_group_name,
            # A workbook's name is a GUID; one of the server's, so that a second `up` finds it again.
            resource_name_=pulumi.Output.from_input(self._args.server.resource_id).apply(workbook_name),
            location=self._args.location,
            display_name=name_of_workbook(self._args.server.resource_id),
            category="workbook",
            kind="shared",
            source_id="azure monitor",  # its place in the portal: Monitor, Workbooks
            serialized_data=written,
            tags=dict(self._args.tags),
            opts=self._child(),
        )


def workbook_name(server_id: str) -> str:
    """Return the GUID that names the workbook of a server."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{server_id.lower()}|workbook"))


def name_of_workbook(server_id: pulumi.Input[str]) -> pulumi.Output[str]:
    """Return what people read in the list of workbooks."""
    return pulumi.Output.concat("Vectorization of ", pulumi.Output.from_input(server_id).apply(_last))


def _last(resource_id: str) -> str:
    return resource_id.rpartition("/")[2]
