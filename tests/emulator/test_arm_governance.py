"""Vaults, monitoring, budgets, jobs and content filters: what their services refuse, and what they never show."""

from typing import Any

import pytest

from tests.emulator.arm_daemon import ACCOUNTS, GROUP, SERVERS, ArmDaemon, account_body, deployment_body

PROVIDERS = f"{GROUP}/providers"
VAULT = f"{PROVIDERS}/Microsoft.KeyVault/vaults/strongroom"
WORKSPACE = f"{PROVIDERS}/Microsoft.OperationalInsights/workspaces/records"
INSIGHTS = "providers/Microsoft.Insights"
SERVER = f"{SERVERS}/observed"
HERE = {"location": "eastus2"}


@pytest.fixture(scope="module", autouse=True)
def resources(arm: ArmDaemon) -> None:
    arm.server("observed")
    arm.done("PUT", WORKSPACE, {**HERE, "properties": {}})


def vault(arm: ArmDaemon, **properties: Any) -> dict[str, Any]:
    tenant = arm.environment["AZURE_TENANT_ID"]
    return {**HERE, "properties": {"sku": {"name": "standard", "family": "A"}, "tenantId": tenant, **properties}}


def test_a_deleted_vault_keeps_its_name_until_it_is_recovered_or_purged(arm: ArmDaemon) -> None:
    arm.done("PUT", VAULT, vault(arm))
    arm.done("DELETE", VAULT)
    assert arm.refused("PUT", VAULT, vault(arm))[:2] == (409, "ConflictError")
    listing = f"{GROUP.partition('/resourceGroups')[0]}/providers/Microsoft.KeyVault/deletedVaults"
    assert [item["name"] for item in arm.call("GET", listing, version="2024-11-01").json()["value"]] == ["strongroom"]
    arm.done("PUT", VAULT, vault(arm, createMode="recover"))
    arm.done("DELETE", VAULT)
    place = listing.replace("deletedVaults", "locations/eastus2/deletedVaults/strongroom/purge")
    assert arm.call("POST", place, version="2024-11-01").status_code == 202
    arm.done("PUT", VAULT, vault(arm))


def test_purge_protection_stays_on(arm: ArmDaemon) -> None:
    path = VAULT.replace("strongroom", "protected")
    arm.done("PUT", path, vault(arm, enablePurgeProtection=True))
    assert arm.refused("PUT", path, vault(arm, enablePurgeProtection=False))[0] == 400
    arm.done("DELETE", path)
    place = f"{GROUP.partition('/resourceGroups')[0]}/providers/Microsoft.KeyVault/locations/eastus2"
    assert arm.refused("POST", f"{place}/deletedVaults/protected/purge", version="2024-11-01")[0] == 400


def test_each_value_of_a_secret_is_a_version_and_none_is_kept(arm: ArmDaemon) -> None:
    arm.done("PUT", VAULT, vault(arm))
    path = f"{VAULT}/secrets/password"
    first = arm.done("PUT", path, {"properties": {"value": "Not-to-be-seen-1"}})
    second = arm.done("PUT", path, {"properties": {"value": "Not-to-be-seen-2"}})
    assert first["properties"]["secretUri"] == "https://strongroom.vault.azure.net/secrets/password"
    assert first["properties"]["secretUriWithVersion"] != second["properties"]["secretUriWithVersion"]
    assert "Not-to-be-seen" not in str(second) + arm.home.resources.read_text()


def setting(*categories: str, **more: Any) -> dict[str, Any]:
    logs = [{"category": name, "enabled": True} for name in categories]
    return {"properties": {"workspaceId": WORKSPACE, "logs": logs, **more}}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (setting("PostgreSQLLogs", workspaceId=None), "At least one data sink"),
        (setting("AuditEvent"), "Category 'AuditEvent' is not supported."),
        (setting(logs=[{"categoryGroup": "everything", "enabled": True}]), "group 'everything' is not supported"),
    ],
)
def test_diagnostic_settings_that_cannot_be(arm: ArmDaemon, body: dict[str, Any], expected: str) -> None:
    assert expected in arm.refused("PUT", f"{SERVER}/{INSIGHTS}/diagnosticSettings/odd", body)[2]


def test_one_way_for_a_category_to_a_place(arm: ArmDaemon) -> None:
    path = f"{SERVER}/{INSIGHTS}/diagnosticSettings"
    arm.done("PUT", f"{path}/first", setting("PostgreSQLLogs"))
    arm.done("PUT", f"{path}/first", setting("PostgreSQLLogs", "PostgreSQLFlexSessions"))
    assert (
        "is already used in diagnostic setting 'first'"
        in arm.refused("PUT", f"{path}/more", setting("PostgreSQLLogs"))[2]
    )


def test_the_keys_of_a_workspace_stay_the_same_and_are_no_part_of_it(arm: ArmDaemon) -> None:
    keys = arm.call("POST", f"{WORKSPACE}/sharedKeys").json()
    assert set(keys) == {"primarySharedKey", "secondarySharedKey"}
    again = arm.done("PUT", WORKSPACE, {**HERE, "properties": {"retentionInDays": 90}})
    assert keys["primarySharedKey"] not in str(again)
    assert arm.call("POST", f"{WORKSPACE}/sharedKeys").json() == keys


def alert(**more: Any) -> dict[str, Any]:
    properties = {
        "scopes": [SERVER],
        "severity": 1,
        "evaluationFrequency": "PT1M",
        "windowSize": "PT5M",
        "criteria": {},
    }
    return {"location": "global", "properties": {**properties, **more}}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (alert(evaluationFrequency="PT15M"), "greater than or equal to the evaluation frequency"),
        (alert(severity=5), "allowed: 0 to 4"),
        (alert(windowSize="PT2M"), "allowed: PT1M"),
        (alert(scopes=[f"{SERVERS}/absent"]), "was not found"),
    ],
)
def test_alerts_that_cannot_be(arm: ArmDaemon, body: dict[str, Any], expected: str) -> None:
    assert expected in arm.refused("PUT", f"{PROVIDERS}/Microsoft.Insights/metricAlerts/odd", body)[2]


def test_the_scope_of_a_query_rule_does_not_change(arm: ArmDaemon) -> None:
    path = f"{PROVIDERS}/Microsoft.Insights/scheduledQueryRules/stuck"
    rule = {**HERE, "properties": {"scopes": [WORKSPACE], "criteria": {"allOf": []}}}
    arm.done("PUT", path, rule)
    moved = {**HERE, "properties": {"scopes": [SERVER], "criteria": {"allOf": []}}}
    assert arm.refused("PUT", path, moved) == (400, "BadRequest", "Scope can not be updated")


def test_a_short_name_is_short(arm: ArmDaemon) -> None:
    body = {"location": "global", "properties": {"groupShortName": "thirteen-long", "enabled": True}}
    assert "must match" in arm.refused("PUT", f"{PROVIDERS}/Microsoft.Insights/actionGroups/odd", body)[2]


def budget(start: str = "2026-01-01T00:00:00Z", **more: Any) -> dict[str, Any]:
    properties = {"amount": 50, "category": "Cost", "timeGrain": "Monthly", "timePeriod": {"startDate": start}, **more}
    return {"properties": properties}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (budget("2026-01-15T00:00:00Z"), "first day of a month"),
        (budget("2016-01-01T00:00:00Z"), "not before June 2017"),
        (budget("soon"), "Invalid start date"),
        (budget(notifications={"half": {"enabled": True, "operator": "GreaterThan", "threshold": 50}}), "no contact"),
    ],
)
def test_budgets_that_cannot_be(arm: ArmDaemon, body: dict[str, Any], expected: str) -> None:
    assert expected in arm.refused("PUT", f"{GROUP}/providers/Microsoft.Consumption/budgets/odd", body)[2]


ENVIRONMENT = f"{PROVIDERS}/Microsoft.App/managedEnvironments/shop"
IDENTITY = f"{PROVIDERS}/Microsoft.ManagedIdentity/userAssignedIdentities/hand"


def job(identity: str = "", **configuration: Any) -> dict[str, Any]:
    template = {"containers": [{"name": "worker", "image": "worker:1"}]}
    properties = {
        "environmentId": ENVIRONMENT,
        "configuration": {"triggerType": "Event", "replicaTimeout": 600, **configuration},
        "template": template,
    }
    named = {"identity": {"type": "UserAssigned", "userAssignedIdentities": {identity: {}}}} if identity else {}
    return {**HERE, **named, "properties": properties}


def rules(**rule: Any) -> dict[str, Any]:
    return {"scale": {"rules": [{"name": "queue", "type": "postgresql", **rule}]}}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (job(triggerType="Schedule"), "cronExpression"),
        (job(scheduleTriggerConfig={"cronExpression": "* * * * *"}), "takes no scheduleTriggerConfig"),
        (job(eventTriggerConfig=rules(auth=[{"secretRef": "dsn"}])), "SecretRef 'dsn' not found"),
        (job(eventTriggerConfig=rules(identity=IDENTITY)), "is not assigned to the job"),
    ],
)
def test_jobs_that_cannot_be(arm: ArmDaemon, body: dict[str, Any], expected: str) -> None:
    arm.done("PUT", ENVIRONMENT, {**HERE, "properties": {}})
    assert expected in arm.refused("PUT", f"{PROVIDERS}/Microsoft.App/jobs/odd", body)[2]


def test_a_job_with_an_identity_of_its_own(arm: ArmDaemon) -> None:
    arm.done("PUT", ENVIRONMENT, {**HERE, "properties": {}})
    principal = arm.done("PUT", IDENTITY, HERE)["properties"]["principalId"]
    wanted = job(IDENTITY, eventTriggerConfig=rules(identity=IDENTITY))
    made = arm.done("PUT", f"{PROVIDERS}/Microsoft.App/jobs/worker", wanted)
    assert made["identity"]["userAssignedIdentities"][IDENTITY]["principalId"] == principal


def test_a_deployment_names_a_content_filter_that_is_there(arm: ArmDaemon) -> None:
    account = f"{ACCOUNTS}/filtered"
    arm.done("PUT", account, account_body(customSubDomainName="filtered"))
    body = deployment_body()
    body["properties"]["raiPolicyName"] = "strict"
    assert "'strict' of the deployment does not exist" in arm.refused("PUT", f"{account}/deployments/small", body)[2]
    filters = [{"name": "Hate", "blocking": True, "enabled": True, "severityThreshold": "Low", "source": "Prompt"}]
    policy = {"properties": {"basePolicyName": "Microsoft.DefaultV2", "mode": "Blocking", "contentFilters": filters}}
    arm.done("PUT", f"{account}/raiPolicies/strict", policy)
    arm.done("PUT", f"{account}/deployments/small", body)
    assert arm.refused("DELETE", f"{account}/raiPolicies/strict")[1] == "RaiPolicyInUse"
    assert "service's own" in arm.refused("PUT", f"{account}/raiPolicies/Microsoft.Default", policy)[2]
    arm.done("DELETE", f"{account}/deployments/small")
    arm.done("DELETE", f"{account}/raiPolicies/strict")
