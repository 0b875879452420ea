"""Log Analytics workspaces, diagnostic settings and alert rules: what differs from the catalogue."""

from __future__ import annotations

import base64
import datetime as dt
import re
import secrets
from dataclasses import replace

from emulator.arm import body as bodies
from emulator.arm.errors import ArmError
from emulator.arm.kind import Answer, Call, Kind
from emulator.arm.store import Resource

WORKSPACE = "Microsoft.OperationalInsights/workspaces"
SETTING = "Microsoft.Insights/diagnosticSettings"

_SINKS = ("workspaceId", "storageAccountId", "eventHubAuthorizationRuleId", "serviceBusRuleId", "marketplacePartnerId")

# azure-docs, "Supported resource log categories for Azure Monitor"; what is not listed here is not checked.
_CATEGORIES = {
    "microsoft.dbforpostgresql/flexibleservers": {
        "PostgreSQLLogs",
        "PostgreSQLFlexSessions",
        "PostgreSQLFlexQueryStoreRuntime",
        "PostgreSQLFlexQueryStoreWaitStats",
        "PostgreSQLFlexTableStats",
        "PostgreSQLFlexDatabaseXacts",
        "PostgreSQLFlexPGBouncer",
    },
    "microsoft.cognitiveservices/accounts": {"Audit", "RequestResponse", "Trace", "AzureOpenAIRequestUsage"},
    "microsoft.keyvault/vaults": {"AuditEvent", "AzurePolicyEvaluationDetails"},
}
_GROUPS = {"allLogs", "audit"}


class Workspaces(Kind):
    """Microsoft.OperationalInsights/workspaces."""

    def made(self, call: Call, body: dict[str, object], existing: Resource | None) -> Resource:
        """Return the workspace with its keys."""
        resource = super().made(call, body, existing)
        keys = {
            name: base64.b64encode(secrets.token_bytes(64)).decode()
            for name in ("primarySharedKey", "secondarySharedKey")
        }
        return replace(resource, private=resource.private or keys)

    async def act(self, call: Call) -> Answer:
        """List the keys."""
        workspace = self.existing(call)
        if (call.action or "").lower() == "sharedkeys":
            return Answer(200, dict(workspace.private))
        return await super().act(call)


class DiagnosticSettings(Kind):
    """Microsoft.Insights/diagnosticSettings, at any resource."""

    def check_rules(self, resource: Resource, existing: Resource | None) -> None:
        """Refuse a setting that leads nowhere, an unknown category, and a second way to the same place.

        The text about a category is that of azurerm #2985, the one about a sink that is used that of
        bicep-registry-modules #3407; the others are unverified.
        """
        del existing
        properties = resource.body["properties"]
        if not any(properties.get(sink) for sink in _SINKS):
            raise ArmError(400, "BadRequest", "At least one data sink needs to be specified.")
        scope_id = resource.id.rpartition("/providers/")[0]
        scope = self.store.get(scope_id)
        known = _CATEGORIES.get(scope.type.lower()) if scope else None
        wanted = {str(name) for name in bodies.find(properties, "logs[].category")}
        if known is not None:
            for name in sorted(wanted - known):
                why = f"known: {', '.join(sorted(known))}"
                raise ArmError(400, "BadRequest", f"Category '{name}' is not supported.", why)
            for name in bodies.find(properties, "logs[].categoryGroup"):
                if name not in _GROUPS:
                    raise ArmError(400, "BadRequest", f"Category group '{name}' is not supported.")
        self._check_alone(resource, scope_id, wanted)

    def _check_alone(self, resource: Resource, scope_id: str, wanted: set[str]) -> None:
        sink = str(resource.body["properties"].get("workspaceId") or "").lower()
        for other in self.store.of_type(SETTING, scope_id):
            taken = {str(name) for name in bodies.find(other.body, "properties.logs[].category")}
            same = str(other.body["properties"].get("workspaceId") or "").lower() == sink
            beside = other.key != resource.key and other.key.rpartition("/providers/")[0] == scope_id.lower()
            if sink and same and beside and wanted & taken:
                name = min(wanted & taken)
                raise ArmError(
                    409,
                    "Conflict",
                    f"Data sink '{sink}' is already used in diagnostic setting '{other.name}' for category '{name}'. "
                    "Data sinks can't be reused in different settings on the same category for the same resource.",
                )


class MetricAlerts(Kind):
    """Microsoft.Insights/metricAlerts."""

    def check_rules(self, resource: Resource, existing: Resource | None) -> None:
        """Refuse a window shorter than the time between two evaluations ("Create or edit a metric alert rule")."""
        del existing
        properties = resource.body["properties"]
        window, frequency = (_seconds(str(properties[name])) for name in ("windowSize", "evaluationFrequency"))
        if window < frequency:
            raise ArmError(
                400, "BadRequest", "The window size must be greater than or equal to the evaluation frequency."
            )


class QueryRules(Kind):
    """Microsoft.Insights/scheduledQueryRules."""

    def check_rules(self, resource: Resource, existing: Resource | None) -> None:
        """Refuse a change of the scope (text: hashicorp/terraform-provider-azurerm #24327)."""
        if existing and existing.body["properties"]["scopes"] != resource.body["properties"]["scopes"]:
            raise ArmError(400, "BadRequest", "Scope can not be updated")


class Budgets(Kind):
    """Microsoft.Consumption/budgets, at a subscription or a group."""

    def check_rules(self, resource: Resource, existing: Resource | None) -> None:
        """Refuse a period that does not begin with a month, and notifications that reach nobody.

        Source: the documentation of the properties in azure-rest-api-specs, costmanagement 2024-08-01.
        """
        del existing
        properties = resource.body["properties"]
        start = str(properties["timePeriod"]["startDate"])
        try:
            day = dt.datetime.fromisoformat(start).date()
        except ValueError:
            raise ArmError(400, "BadRequest", f"Invalid start date '{start}'.") from None
        if day.day != 1 or day < dt.date(2017, 6, 1):
            why = "the start date is the first day of a month, not before June 2017"
            raise ArmError(400, "BadRequest", "Invalid budget start date.", why)
        notifications = properties.get("notifications") or {}
        if len(notifications) > 5:
            raise ArmError(400, "BadRequest", "A budget can have up to five notifications.")
        for name, notification in notifications.items():
            if not any(notification.get(who) for who in ("contactEmails", "contactRoles", "contactGroups")):
                raise ArmError(400, "BadRequest", f"Notification '{name}' has no contact.")


def _seconds(duration: str) -> int:
    """Return the seconds of an ISO 8601 duration of days, hours and minutes, such as `PT5M` or `P1D`."""
    units = {"D": 86400, "H": 3600, "M": 60}
    return sum(int(number) * units[unit] for number, unit in re.findall(r"(\d+)([DHM])", duration))
