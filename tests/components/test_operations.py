"""Monitoring, threat protection, budget, autostop, key vault: only what is asked for, and no secret in clear."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from pulumi.runtime import rpc

from components.mistakes import SettingsError
from components.naming import role_assignment_name
from tests.components.conftest import PRINCIPAL

WORKSPACE = "/subscriptions/s/resourceGroups/shared/providers/Microsoft.OperationalInsights/workspaces/log-shared"
MONITORED = {"monitoring": {"enabled": True, "emails": ["team@example.com"]}}
READER = "55555555-5555-4555-8555-555555555555"
PASSWORD = {"entra": False, "password": True, "administratorLogin": "pgadmin"}
SECRETS = ("first-key-of-the-account", "second-key-of-the-account", "Ab-3d-Ef")


def alerts(recording: Any) -> dict[str, dict[str, Any]]:
    return {one.inputs["ruleName"]: one.inputs for one in recording.of("azure-native:monitor:MetricAlert")}


def threshold(alert: dict[str, Any]) -> float:
    return float(alert["criteria"]["allOf"][0]["threshold"])


def test_nothing_surrounds_the_server_unless_asked_for(deploy: Callable[..., Any]) -> None:
    recording = deploy()
    below = [one.name for one in recording.registrations if one.parent.startswith("operations")]
    assert below == []


def test_server_and_accounts_send_logs_and_metrics_to_one_workspace(deploy: Callable[..., Any]) -> None:
    recording = deploy(MONITORED)
    workspace = recording.one("operations-monitoring-workspace").inputs
    assert workspace["workspaceName"] == "log-pgai-dev"
    assert workspace["retentionInDays"] == 30
    settings = recording.of("azure-native:monitor:DiagnosticSetting")
    assert {one.name.rpartition("-")[2] for one in settings} == {"server", "openai", "language"}
    for one in settings:
        assert one.inputs["workspaceId"].endswith("/log-pgai-dev")
        assert one.inputs["metrics"] == [{"category": "AllMetrics", "enabled": True}]
        assert one.deleted_with == ""  # Azure keeps a setting whose resource is gone
    logs = {one.name.rpartition("-")[2]: [log["category"] for log in one.inputs["logs"]] for one in settings}
    assert "PostgreSQLLogs" in logs["server"]
    assert "PostgreSQLQueryStoreSqlText" not in logs["server"]
    assert "AzureOpenAIRequestUsage" in logs["openai"]
    assert "AzureOpenAIRequestUsage" not in logs["language"]
    assert recording.one("operations-monitoring-logs-server").inputs["logAnalyticsDestinationType"] == "Dedicated"
    assert recording.exports["workspaceId"].endswith("/log-pgai-dev")


def test_a_workspace_that_is_there_is_used(deploy: Callable[..., Any]) -> None:
    recording = deploy({"monitoring": {"enabled": True, "workspaceId": WORKSPACE}})
    assert not recording.of("azure-native:operationalinsights:Workspace")
    assert recording.one("operations-monitoring-logs-server").inputs["workspaceId"] == WORKSPACE


def test_alerts_are_scaled_from_size_and_quota(deploy: Callable[..., Any]) -> None:
    small = alerts(deploy(MONITORED))
    large = alerts(
        deploy(
            {
                **MONITORED,
                "server": {"sku": {"name": "Standard_D4ds_v5", "tier": "GeneralPurpose"}, "storageGb": 512},
                "deployments": {"embedding": {"model": "text-embedding-3-small", "capacity": 100}},
            }
        )
    )
    for rule in ("server-connections", "server-iops", "openai-blocked"):
        assert threshold(large[rule]) > threshold(small[rule]), rule
    assert threshold(large["server-cpu"]) == threshold(small["server-cpu"]) == 90
    own = alerts(deploy({**MONITORED, "parameters": {"max_connections": 65}}))
    assert threshold(own["server-connections"]) == 40


def test_each_alert_watches_its_resource_and_tells_the_group(deploy: Callable[..., Any]) -> None:
    recording = deploy(MONITORED)
    group = recording.one("operations-monitoring-people")
    assert [one["emailAddress"] for one in group.inputs["emailReceivers"]] == ["team@example.com"]
    assert len(group.inputs["groupShortName"]) <= 12
    for rule, alert in alerts(recording).items():
        watched = {"server": "/Server/psql-", "openai": "/Account/oai-", "language": "/Account/lang-"}
        assert watched[rule.partition("-")[0]] in alert["scopes"][0]
        assert alert["actions"][0]["actionGroupId"].endswith("/postgres-genai")
        assert alert["description"]
    for one in recording.of("azure-native:monitor:ScheduledQueryRule"):
        assert one.inputs["scopes"][0].endswith("/log-pgai-dev")
        assert one.inputs["skipQueryValidation"] is True
        assert 'LogicalServerName == "psql-pgai-dev-abc123"' in one.inputs["criteria"]["allOf"][0]["query"]


def test_a_replica_is_watched_as_a_server_that_may_be_behind(deploy: Callable[..., Any]) -> None:
    size = {"name": "Standard_D2ds_v5", "tier": "GeneralPurpose"}
    larger = {"sku": {"name": "Standard_D8ds_v5", "tier": "GeneralPurpose"}, "storageGb": 128}
    server = {"sku": size, "replicas": {"reports": {}, "large": larger}}
    recording = deploy({**MONITORED, "server": server})
    found = alerts(recording)
    assert "server-lag" not in found, "Azure has that metric on replicas alone"
    for name in ("reports", "large"):
        lag = found[f"replica-{name}-lag"]
        assert lag["criteria"]["allOf"][0]["metricName"] == "physical_replication_delay_in_seconds"
        assert (threshold(lag), lag["windowSize"]) == (300, "PT15M")
        assert lag["scopes"][0].endswith(f"-{name}")
        logs = recording.one(f"operations-monitoring-logs-replica-{name}").inputs
        assert logs["resourceUri"].endswith(f"-{name}")
        assert "PostgreSQLLogs" in [log["category"] for log in logs["logs"]]
    connections = {name: threshold(found[f"{name}-connections"]) for name in ("server", "replica-reports")}
    assert connections["server"] == connections["replica-reports"] < threshold(found["replica-large-connections"])


def test_without_an_address_alerts_tell_nobody_and_a_line_says_so(deploy: Callable[..., Any]) -> None:
    recording = deploy({"monitoring": {"enabled": True}})
    assert not recording.of("azure-native:monitor:ActionGroup")
    assert alerts(recording)["server-cpu"]["actions"] == []
    assert any("monitoring.emails is empty" in line for line in recording.lines)


def test_the_workbook_keeps_its_name(deploy: Callable[..., Any]) -> None:
    first, second = (deploy(MONITORED).one("operations-monitoring-workbook").inputs for _ in range(2))
    assert uuid.UUID(first["resourceName"])
    assert first["resourceName"] == second["resourceName"]
    assert first["displayName"] == "Vectorization of psql-pgai-dev-abc123"
    assert json.loads(first["serializedData"])["version"] == "Notebook/1.0"


def test_alerts_and_workbook_can_be_left_out(deploy: Callable[..., Any]) -> None:
    recording = deploy({"monitoring": {"enabled": True, "alerts": False, "workbook": False}})
    kinds = {one.token.rpartition(":")[2] for one in recording.registrations}
    assert "DiagnosticSetting" in kinds
    assert not {"MetricAlert", "ScheduledQueryRule", "ActionGroup", "Workbook"} & kinds


def test_threat_protection_is_the_last_of_the_server_s_operations(deploy: Callable[..., Any]) -> None:
    recording = deploy({"monitoring": {"threatProtection": True}})
    protection = recording.one("operations-threat-protection")
    assert recording.reaches("operations-threat-protection", "server-database")
    assert protection.deleted_with == "server"
    assert protection.inputs["serverName"] == "psql-pgai-dev-abc123"


def test_a_budget_starts_with_a_month_and_keeps_its_start(deploy: Callable[..., Any]) -> None:
    recording = deploy({"cost": {"budget": {"monthly": 200, "emails": ["team@example.com"]}}})
    budget = recording.one("operations-budget")
    assert re.fullmatch(r"\d{4}-\d{2}-01T00:00:00Z", budget.inputs["timePeriod"]["startDate"])
    assert "timePeriod" in budget.request.ignoreChanges
    assert budget.inputs["scope"].endswith("/ResourceGroup/rg-pgai-dev")
    assert set(budget.inputs["notifications"]) == {"spent-80", "spent-100", "forecast-100"}
    assert len(budget.inputs["notifications"]) <= 5
    assert all(one["contactEmails"] == ["team@example.com"] for one in budget.inputs["notifications"].values())


def test_autostop_may_start_and_stop_that_server_and_nothing_else(deploy: Callable[..., Any]) -> None:
    stop = {"stopAt": "19:30", "startAt": "07:00", "timeZone": "W. Europe Standard Time"}
    recording = deploy({"cost": {"autostop": stop}})
    role = recording.one("operations-autostop-role").inputs
    assert role["permissions"][0]["actions"] == [
        "Microsoft.DBforPostgreSQL/flexibleServers/read",
        "Microsoft.DBforPostgreSQL/flexibleServers/start/action",
        "Microsoft.DBforPostgreSQL/flexibleServers/stop/action",
    ]
    for action, hour, minute in (("stop", "19", 30), ("start", "7", 0)):
        workflow = recording.one(f"operations-autostop-{action}").inputs["definition"]
        schedule = workflow["triggers"]["clock"]["recurrence"]
        assert schedule["timeZone"] == "W. Europe Standard Time"
        assert (schedule["schedule"]["hours"], schedule["schedule"]["minutes"]) == ([hour], [minute])
        assert schedule["schedule"]["weekDays"] == ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday"]
        call = workflow["actions"][action]["inputs"]
        assert re.fullmatch(
            rf"https://management\.azure\.com/.*/psql-[-a-z0-9]+/{action}\?api-version=[-\d]+", call["uri"]
        )
        assert call["authentication"] == {
            "type": "ManagedServiceIdentity",
            "audience": "https://management.azure.com/",
        }
        right = recording.one(f"operations-autostop-{action}-right").inputs
        assert "/Server/psql-" in right["scope"]
        assert right["principalType"] == "ServicePrincipal"
        # The name outlives versions of the program: Azure refuses a second assignment of the same role.
        assert right["roleAssignmentName"] == role_assignment_name(right["scope"], PRINCIPAL, "start-and-stop")
        assert right["roleDefinitionId"].endswith(f"/roleDefinitions/{role['roleDefinitionId']}")
    assert any("the server stops at 19:30" in line for line in recording.lines)


def test_a_server_that_only_stops_has_one_workflow(deploy: Callable[..., Any]) -> None:
    recording = deploy({"cost": {"autostop": {"stopAt": "19:00"}}})
    assert [one.name for one in recording.of("azure-native:logic:Workflow")] == ["operations-autostop-stop"]


def test_the_vault_has_what_the_stack_uses_and_only_its_readers_see_it(deploy: Callable[..., Any]) -> None:
    vault = {"enabled": True, "readers": [{"objectId": READER}], "publicAccess": False}
    recording = deploy({"ai": {"authentication": "keys"}, "authentication": PASSWORD, "keyVault": vault})
    assert len(recording.one("operations-secrets-vault").inputs["vaultName"]) <= 24
    properties = recording.one("operations-secrets-vault").inputs["properties"]
    assert properties["enableRbacAuthorization"] is True
    assert properties["enablePurgeProtection"] is True
    assert properties["enableSoftDelete"] is True
    assert properties["publicNetworkAccess"] == "Disabled"
    assert properties["networkAcls"]["defaultAction"] == "Deny"
    names = {one.inputs["secretName"] for one in recording.of("azure-native:keyvault:Secret")}
    assert names == {"database-password", "openai-key", "language-key"}
    for one in recording.of("azure-native:keyvault:Secret"):
        value = one.inputs["properties"]
        assert value[rpc._special_sig_key] == rpc._special_secret_sig, one.name
    reader = recording.one(f"operations-secrets-reader-{READER}").inputs
    assert reader["roleDefinitionId"].endswith("/4633458b-17de-408a-b874-0445c86b69e6")
    assert recording.exports["keyVaultSecrets"] == ["database-password", "language-key", "openai-key"]
    text = json.dumps(recording.exports, default=repr)
    assert not [secret for secret in SECRETS if secret in text]


def test_the_key_in_use_is_the_one_that_the_database_and_the_vault_get(deploy: Callable[..., Any]) -> None:
    for number, key in ((1, "first-key-of-the-account"), (2, "second-key-of-the-account")):
        recording = deploy({"ai": {"authentication": "keys", "keyInUse": number}, "keyVault": {"enabled": True}})
        assert recording.one("database-azure-ai").inputs["openaiKey"]["value"] == key
        secret = recording.one("operations-secrets-openai-key").inputs["properties"]
        assert secret["value"]["value"] == key


@pytest.mark.parametrize(
    ("config", "path"),
    [
        ({"keyVault": {"enabled": True}}, "keyVault.enabled"),
        ({"ai": {"keyInUse": 2}}, "ai.keyInUse"),
        ({"cost": {"autostop": {"stopAt": "19:00", "startAt": "19:00"}}}, "cost.autostop.startAt"),
        ({"cost": {"autostop": {"stopAt": "19:00"}}, "protect": True}, "cost.autostop"),
        ({"cost": {"autostop": {"stopAt": "7 pm"}}}, "cost.autostop.stopAt"),
        ({"cost": {"budget": {"monthly": 0, "emails": ["a@example.com"]}}}, "cost.budget.monthly"),
        ({"cost": {"budget": {"monthly": 10, "emails": []}}}, "cost.budget.emails"),
        (
            {"cost": {"budget": {"monthly": 10, "emails": ["a@example.com"], "thresholds": [1, 2, 3, 4, 5]}}},
            "cost.budget.thresholds",
        ),
        ({"monitoring": {"workspaceId": "log-1"}}, "monitoring.workspaceId"),
        ({"monitoring": {"emails": ["nobody"]}}, "monitoring.emails[0]"),
    ],
)
def test_mistakes_are_named(deploy: Callable[..., Any], config: dict[str, Any], path: str) -> None:
    with pytest.raises(SettingsError) as caught:
        deploy(config)
    assert [mistake.path for mistake in caught.value.mistakes] == [path]


LOCK = "azure-native:authorization:ManagementLockByScope"


def test_the_lock_covers_the_server_and_comes_after_all_that_a_destroy_deletes_under_it(
    deploy: Callable[..., Any],
) -> None:
    assert not deploy().of(LOCK)
    watched = {"monitoring": {"enabled": True, "threatProtection": True}}
    recording = deploy({**watched, "lock": True, "parameters": {"work_mem": 8192}})
    lock = recording.of(LOCK)[0]
    assert lock.name == "operations-lock"
    assert lock.inputs["level"] == "CanNotDelete"
    assert "/Server/psql-pgai-dev-" in lock.inputs["scope"]
    assert lock.deleted_with == ""  # with the server it would go too late: the server's delete would be refused
    under = [
        one.name
        for one in recording.registrations
        if one.token.startswith("azure-native:dbforpostgresql:") or one.name == "operations-monitoring-logs-server"
    ]
    assert len(under) > 6
    for name in [*under, "operations-threat-protection"]:
        assert recording.reaches("operations-lock", name), name
    assert not [one.name for one in recording.registrations if recording.reaches(one.name, "operations-lock")]
